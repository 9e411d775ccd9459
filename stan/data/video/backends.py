"""A local video file and its timeline in, exact frames out, by decord or by PyAV; for decoding workers only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import av
import numpy as np

from stan.data.video.choice import interlaced, passes_over
from stan.data.video.container import Film, Refused, opened
from stan.data.video.geometry import Size
from stan.data.video.pictures import Pictures, deinterlaced
from stan.data.video.timeline import Timeline, decoded_in_order

try:
    import decord
except ImportError:  # decord has no wheels beyond x86-64: there, PyAV decodes alone
    decord = None

if TYPE_CHECKING:
    from decord.ndarray import NDArray


def by_decord(path: str, indices: np.ndarray, timeline: Timeline, size: Size | None) -> np.ndarray:
    """Return read-only frames (T, H, W, 3) at the rising distinct `indices` of a film for which decord is right.

    size: displayed (width, height); None: native size.
    Raises Refused if decord does not see the file as its packets describe it.
    """
    assert decord is not None
    width, height = size or (-1, -1)
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


def by_pyav(path: str, indices: np.ndarray, timeline: Timeline, size: Size | None) -> np.ndarray:
    """Return frames as `by_decord` does, of any film. Raises Refused with the number of frames that do not decode."""
    if passes_over(timeline, indices):
        found = _found(path, indices, timeline, size, sparse=True)
        if len(found) == len(indices):
            return np.stack(list(found.values()))
    found = _found(path, indices, timeline, size, sparse=False)
    missing = len(indices) - len(found)
    if missing:
        raise Refused(f"{missing} of {len(indices)} frames cannot be decoded")
    return np.stack(list(found.values()))


def _found(path, indices, timeline: Timeline, size: Size | None, sparse: bool) -> dict[int, np.ndarray]:
    """Return the pictures that decode, by their stamps, rising."""
    geometry, first = timeline.geometry, timeline.first
    assert first is not None
    pictures, found = Pictures(first, geometry, size), dict[int, np.ndarray]()
    wanted = timeline.pts[indices].tolist()
    for pts, frame in _decoded(path, wanted, timeline, sparse):
        found[pts] = pictures(frame)
    return found


def _decoded(path: str, wanted: list[int], timeline: Timeline, sparse: bool):
    """Yield (pts, frame) of the wanted frames, each once, as far as they decode."""
    if timeline.regular and timeline.step == 1:
        with opened(path) as film:
            yield from _by_seeking(film, wanted, timeline, sparse)
        return
    left = set(wanted)
    for pts, frame in decoded_in_order(path, timeline.step):
        if pts in left:
            left.remove(pts)
            yield pts, frame
        if not left:
            return


def _by_seeking(film: Film, wanted: list[int], timeline: Timeline, sparse: bool):
    """Yield (pts, frame): decode on while the next wanted frame is in the current group of pictures, seek otherwise."""
    groups: dict[tuple[int, int] | None, set[int]] = {}
    for pts in wanted:
        groups.setdefault(max((key for key in timeline.keys if key[0] <= pts), default=None), set()).add(pts)
    for key, members in groups.items():
        if key is not None and key != min(timeline.keys):
            film.seek(key[1])
        last = max(members)
        frames = _passing_over(film, members) if sparse else film.frames()
        if interlaced(timeline):
            frames = deinterlaced(frames, timeline.time_base)
        for frame in frames:
            if frame.pts in members:
                members.remove(frame.pts)
                yield frame.pts, frame
            if not members or frame.pts is not None and frame.pts >= last:
                break


def _passing_over(film: Film, wanted: set[int]) -> Iterator[av.VideoFrame]:
    """Yield frames, but leave out those that are neither wanted nor needed by others."""
    wanted = set(wanted)
    try:
        for packet in film.container.demux(film.stream):
            film.decoder.skip_frame = "DEFAULT" if packet.pts is None or packet.pts in wanted else "NONREF"
            yield from film.frames_of(packet)
    except av.FFmpegError:
        return
