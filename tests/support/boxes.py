"""An MP4 file in whose headers lie behind its pictures; the same file with boxes that FFmpeg does not write, out.

Nothing but the headers moves, so that their lists of places stay right.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

Patch = Callable[[Path], None]
TRACK = (b"moov", b"trak")
ENTRIES = (*TRACK, b"mdia", b"minf", b"stbl", b"stsd")
_BEFORE_BOXES = {b"stsd": 8}
"""Bytes of a box before the first box in it."""
_IN_STSD, _IN_ENTRY = 16, 86
"""Bytes from the start of the list of sample entries, and of a picture's entry, to the first box in it."""


def with_clean_aperture(width: int, height: int, right: int, down: int) -> Patch:
    """Return what writes a `clap` box: a size, and how far its centre lies right of and below the picture's."""
    return _in_sample_entry(_box(b"clap", struct.pack(">IIIIiIiI", width, 1, height, 1, right, 1, down, 1)))


def with_dolby_vision(profile: int, compatible: int) -> Patch:
    """Return what writes Dolby Vision's configuration of a film in one layer, and what its base layer is alone."""
    level, parts = 1, 0b101  # metadata in the pictures, and a base layer; no second layer
    told = bytes([1, 0, profile << 1 | level >> 5, (level << 3 | parts) & 255, compatible << 4])
    return _in_sample_entry(_box(b"dvvC" if profile > 7 else b"dvcC", told.ljust(24, b"\0")))


def with_chapters_in(track: int) -> Patch:
    """Return what names a track, counted from 1, as the pictures of the first track's chapters."""
    return lambda path: _insert(path, TRACK, 8, _box(b"tref", _box(b"chap", struct.pack(">I", track))))


def with_handler(track: int, kind: bytes) -> Patch:
    """Return what makes a track, counted from 1, one of another kind: `auxv` for depth and other planes."""

    def patch(path: Path) -> None:
        data = bytearray(path.read_bytes())
        place = _places(data, (*TRACK, b"mdia", b"hdlr"), track)[-1] + 16
        data[place : place + 4] = kind
        path.write_bytes(data)

    return patch


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + name + content


def _in_sample_entry(box: bytes) -> Patch:
    def patch(path: Path) -> None:
        data = bytearray(path.read_bytes())
        entry = _places(data, ENTRIES)[-1] + _IN_STSD
        _lengthen(data, entry, len(box))
        path.write_bytes(data)
        _insert(path, ENTRIES, _IN_STSD + _IN_ENTRY, box)

    return patch


def _insert(path: Path, parents: tuple[bytes, ...], at: int, box: bytes) -> None:
    """Put a box into the innermost of `parents`, `at` bytes from its start."""
    data = bytearray(path.read_bytes())
    places = _places(data, parents)
    for place in places:
        _lengthen(data, place, len(box))
    data[places[-1] + at : places[-1] + at] = box
    path.write_bytes(data)


def _places(data: bytearray, names: tuple[bytes, ...], track: int = 1) -> list[int]:
    """Return where each box begins, each in the one before; of several tracks, the one that is asked for."""
    found, at, end = [], 0, len(data)
    for name in names:
        left = track if name == b"trak" else 1
        while True:
            size = int.from_bytes(data[at : at + 4], "big")
            assert size and at < end, f"no box {name!r}"
            left -= data[at + 4 : at + 8] == name
            if not left:
                break
            at += size
        found.append(at)
        at, end = at + 8 + _BEFORE_BOXES.get(name, 0), at + size
    return found


def _lengthen(data: bytearray, at: int, more: int) -> None:
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + more).to_bytes(4, "big")
