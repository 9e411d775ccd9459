"""A local video file and its timeline in, exact frames out, by decord or by PyAV; for decoding workers only."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

import av
import numpy as np

from stan.data.video.choice import interlaced, passes_over
from stan.data.video.container import Film, Refused, opened
from stan.data.video.pictures import Pictures, deinterlaced
from stan.data.video.scaling import Form, Scaling
from stan.data.video.timeline import Timeline, decoded_in_order

try:
    import decord
except ImportError:  # decord has no wheels beyond x86-64: there, PyAV decodes alone
    decord = None
else:
    # decord2 lies in a folder of the same name, but scales otherwise; removed, it leaves one without a version.
    if not getattr(decord, "__version__", "").startswith("0.6."):
        decord = None

if TYPE_CHECKING:
    from decord.ndarray import NDArray


def by_decord(path: str, indices: np.ndarray, timeline: Timeline, form: Form) -> np.ndarray:
    """Return read-only frames (T, H, W, 3) at the rising distinct `indices` of a film for which decord is right.

    Raises Refused if decord does not see the file as its packets describe it.
    """
    assert decord is not None
    scaling = form if isinstance(form, Scaling) else None
    width, height = form if isinstance(form, tuple) else (-1, -1)
    reader = decord.VideoReader(path, ctx=decord.cpu(0), width=width, height=height, num_threads=1)
    if len(reader) != len(timeline.pts):  # asking decord for a missing frame can loop for ever
        raise Refused(f"decord sees {len(reader)} frames where there are {len(timeline.pts)}")
    stamps = reader.get_frame_timestamp(indices)[:, 0]
    if not np.allclose(stamps, timeline.pts[indices] * float(timeline.time_base), rtol=1e-5, atol=1e-3):
        raise Refused("decord sees other time stamps")
    if scaling is None:
        return np.from_dlpack(_Shared(reader.get_batch(indices)))
    # One by one: memory is for squares, not for whole pictures.
    whole = (np.from_dlpack(_Shared(reader.get_batch([index]))) for index in indices.tolist())
    return np.concatenate([scaling.squares(picture) for picture in whole])


class _Shared:
    """Lets numpy read decord's array in place: decord's own conversion to numpy copies every frame."""

    def __init__(self, array: NDArray):
        self._array = array

    def __dlpack__(self, **_):
        return self._array.to_dlpack()

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # DLPack's device for the processor's memory


def by_pyav(path: str, indices: np.ndarray, timeline: Timeline, form: Form) -> np.ndarray:
    """Return frames as `by_decord` does, of any film. Raises Refused with the number of frames that do not decode."""
    assert timeline.first is not None
    wanted = timeline.pts[indices].tolist()
    scaling = form if isinstance(form, Scaling) else None
    size = form if isinstance(form, tuple) else timeline.geometry.displayed
    width, height = size if scaling is None else (scaling.size, scaling.size)
    frames = np.empty((len(wanted), height, width, 3), np.uint8)
    ways = [(False, 0)]
    if passes_over(timeline, indices):  # of a damaged film, this may lose others, too
        ways.insert(0, (True, 0))
    if timeline.regular and timeline.keys:  # a jump to a film's last key frame may end behind it
        ways.append((False, 1))
    for sparse, back in ways:
        pictures = Pictures(timeline.first, timeline.geometry, size)
        places = {pts: place for place, pts in enumerate(wanted)}
        for frame in _decoded(path, wanted, timeline, sparse, back):
            picture = pictures(frame)
            frames[places.pop(frame.pts)] = picture if scaling is None else scaling.squares(picture[None])[0]
        if not places:
            return frames
    raise Refused(f"{len(places)} of {len(wanted)} frames cannot be decoded")


def _decoded(
    path: str, wanted: list[int], timeline: Timeline, sparse: bool, back: int
) -> Iterator[av.VideoFrame]:
    """Yield the wanted frames, each once, as far as they decode: each from the last key frame before it.

    back: number of key frames to begin earlier.
    """
    if not timeline.regular:
        yield from _those(wanted, decoded_in_order(path, timeline.step), timeline)
        return
    starts = [pts for pts, _ in timeline.keys]
    groups: dict[int, list[int]] = {}
    for pts in wanted:
        # Pictures that are shown before the first key frame, but stored behind it, belong to it.
        groups.setdefault(max(0, bisect_right(starts, pts) - 1 - back), []).append(pts)
    with opened(path) as film:
        for group, members in groups.items():
            first = 0
            if group > 0:
                film.seek(timeline.keys[group][1])
                first = int(np.searchsorted(timeline.pts, starts[group]))
            frames = _passing_over(film, set(members)) if sparse else film.frames()
            if timeline.by_order:
                frames = _numbered(frames, timeline.pts[first:])
            yield from _those(members, frames, timeline)


def _numbered(frames: Iterator[av.VideoFrame], stamps: np.ndarray) -> Iterator[av.VideoFrame]:
    """Yield frames with stamps by their order."""
    for frame, frame.pts in zip(frames, stamps.tolist(), strict=False):
        yield frame


def _those(wanted: list[int], frames: Iterator[av.VideoFrame], timeline: Timeline) -> Iterator[av.VideoFrame]:
    left, last = set(wanted), wanted[-1]
    for frame in deinterlaced(frames, timeline.time_base) if interlaced(timeline) else frames:
        if frame.pts in left:
            left.remove(frame.pts)
            yield frame
        if not left or frame.pts is not None and frame.pts >= last:
            return


def _passing_over(film: Film, wanted: set[int]) -> Iterator[av.VideoFrame]:
    """Yield frames, but leave out those that are neither wanted nor needed by others."""
    try:
        for packet in film.container.demux(film.stream):
            film.decoder.skip_frame = "DEFAULT" if packet.pts is None or packet.pts in wanted else "NONREF"
            yield from film.frames_of(packet)
    except av.FFmpegError:
        return
