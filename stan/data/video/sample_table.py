"""An MP4 film in; its packets as its headers list them, out, without reading them."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from stan.data.video import mp4_boxes
from stan.data.video.container import Film

_TO_TABLE = (b"mdia", b"minf", b"stbl")


class Listed(NamedTuple):
    """A packet in a file's headers."""

    pts: int
    dts: int
    is_keyframe: bool
    duration: int
    place: int
    """Where it begins in the file."""
    size: int


def listed(path: str, film: Film) -> list[Listed] | None:
    """Return the film's packets in the order of decoding; None if the headers leave any doubt.

    FFmpeg's own index gives places and decoding times, moved by an edit list, but no times of display; these are taken
    from the file's table of composition offsets, provided that its table of decoding times agrees with the index.
    """
    table = next(mp4_boxes.inside(mp4_boxes.track(mp4_boxes.headers(path), film.stream.id), *_TO_TABLE), b"")
    parts, entries = dict(mp4_boxes.boxes(table)), list(film.stream.index_entries)
    durations = _runs(parts.get(b"stts", b""))
    kinds = int.from_bytes(parts.get(b"stsd", b"")[4:8], "big")
    if not entries or len(durations) != len(entries) or kinds != 1:
        return None
    dts = np.array([entry.timestamp for entry in entries])
    offsets = _runs(parts[b"ctts"]) if b"ctts" in parts else np.zeros(len(dts), np.int64)
    if len(offsets) != len(dts) or not np.array_equal(np.diff(dts), durations[:-1]):
        return None
    pts = dts + offsets - min(0, int(offsets.min()))
    end = os.path.getsize(path)
    if any(entry.is_discard or entry.size < 1 or entry.pos + entry.size > end for entry in entries):
        return None
    return [
        Listed(*times, entry.is_keyframe, duration, entry.pos, entry.size)
        for *times, duration, entry in zip(
            pts.tolist(), dts.tolist(), durations.tolist(), entries, strict=True
        )
    ]


def _runs(box: bytes) -> np.ndarray:
    """Return the values of a table of (count, value), each repeated as often as it counts, int64."""
    pairs = np.frombuffer(box[8 : 8 + len(box[8:]) // 8 * 8], ">i4").reshape(-1, 2).astype(np.int64)
    if len(pairs) and (pairs[:, 0].min() < 0 or pairs[:, 0].sum() > _MOST):
        return np.zeros(0, np.int64)
    return np.repeat(pairs[:, 1], pairs[:, 0])


_MOST = 1 << 24
"""Packets of a track; more are a damaged table's."""
