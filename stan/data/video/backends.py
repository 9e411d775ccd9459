"""A local video file and its timeline in, exact frames out, by decord or by PyAV; for decoding workers only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np

from stan.data.video.container import Refused, decodable, decoded_in_order, opened, quarter_turns
from stan.data.video.timeline import Timeline

try:
    import decord
except ImportError:  # decord has no wheels beyond x86-64: there, PyAV decodes alone
    decord = None

if TYPE_CHECKING:
    from decord.ndarray import NDArray

NARROWEST = 64
"""Smallest side in pixels for decord, which returns wrong shapes for narrower pictures."""


def by_decord(
    path: str, indices: np.ndarray, timeline: Timeline, shape: tuple[int, int] | None
) -> np.ndarray:
    """Return read-only frames (T, H, W, 3) at the rising distinct `indices`.

    shape: displayed (width, height); None: native size.
    Raises Refused if decord is missing or does not see the file as its packets describe it.
    """
    if decord is None:
        raise Refused("decord is not installed")
    if not timeline.regular:
        raise Refused("decord cannot be trusted with frames that the packets do not tell")
    width, height = shape or (-1, -1)
    reader = decord.VideoReader(path, ctx=decord.cpu(0), width=width, height=height, num_threads=1)
    if len(reader) != len(timeline.pts):  # asking decord for a missing frame can loop for ever
        raise Refused(f"decord sees {len(reader)} frames where there are {len(timeline.pts)}")
    stamps = reader.get_frame_timestamp(indices)[:, 0]
    if not np.allclose(stamps, timeline.pts[indices] * float(timeline.time_base), rtol=1e-5, atol=1e-3):
        raise Refused("decord sees other time stamps")
    return np.from_dlpack(_Shared(reader.get_batch(indices)))


class _Shared:
    """Lets numpy read decord's array in place: decord's own conversion to numpy copies every frame."""

    def __init__(self, array: NDArray):
        self._array = array

    def __dlpack__(self, **_):
        return self._array.to_dlpack()

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # DLPack's device for the processor's memory


def by_pyav(path: str, indices: np.ndarray, timeline: Timeline, shape: tuple[int, int] | None) -> np.ndarray:
    """Return frames as `by_decord` does, rotated here. Raises Refused with the number of frames that do not decode."""
    wanted = timeline.pts[indices].tolist()
    asked, found = set(wanted), dict[int, np.ndarray]()
    decode = _decoded_by_seeking if timeline.regular else lambda path, *_: decoded_in_order(path)
    for pts, frame in decode(path, wanted, timeline.keys):
        if pts in asked and pts not in found:
            found[pts] = picture = _upright(frame, shape)
            shape = shape or (picture.shape[1], picture.shape[0])
        if pts >= wanted[-1] and wanted[-1] in found:
            break
    missing = len(asked - found.keys())
    if missing:
        raise Refused(f"{missing} of {len(wanted)} frames cannot be decoded")
    return np.stack([found[pts] for pts in wanted])


def _decoded_by_seeking(path: str, wanted: list[int], keys: tuple[tuple[int, int], ...]):
    """Yield (pts, frame): decode on while the next wanted frame is in the current group of pictures, seek otherwise."""
    with opened(path) as (container, stream):
        at, groups = None, {}
        for pts in wanted:
            groups.setdefault(max((key for key in keys if key[0] <= pts), default=None), []).append(pts)
        for key, members in groups.items():
            if key is not None and key != at:
                container.seek(key[1], stream=stream)
            for frame in decodable(container, stream):
                if frame.pts is not None:
                    yield frame.pts, frame
                if frame.pts is not None and frame.pts >= members[-1]:
                    break
            at = key


def _upright(frame: av.VideoFrame, shape: tuple[int, int] | None) -> np.ndarray:
    """Return the frame as displayed, uint8 (H, W, 3)."""
    turns = quarter_turns(frame)
    size: dict[str, Any] = {}
    if shape is not None:
        width, height = shape[::-1] if turns % 2 else shape
        size = {"width": width, "height": height, "interpolation": "BICUBIC"}
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24", **size), turns))
