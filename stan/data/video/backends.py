"""A local video file and its timeline in, exact frames out, by decord or by PyAV; for decoding workers only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from stan.data.video.timeline import Timeline

try:
    import decord
except ImportError:  # no wheels beyond x86-64: PyAV serves alone
    decord = None

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,"
    "asf,flv,ogg,gif,ivf,mxf,nut,dv,rm"
)
# Playlists and concat files name other files; without their demuxers and protocols they cannot be followed.
OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
NARROWEST = 64
"""decord returns wrong shapes for narrower pictures."""
BROKEN = "repair or re-encode the file, or leave it out"


class Refused(Exception):
    """Why a file gives no frames, and what to do about it."""

    def __init__(self, reason: str, remedy: str = BROKEN):
        super().__init__(reason, remedy)
        self.reason, self.remedy = reason, remedy


@contextmanager
def opened(
    path: str, **options: str
) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    """The container and its main video stream, ready to decode on one thread."""
    try:
        container = av.open(path, metadata_errors="ignore", options=OPEN_OPTIONS | options)
    except MemoryError:
        raise
    except Exception as error:
        reason = f"is no video file that can be read ({in_words(error)})"
        raise Refused(reason, "give a video file such as MP4 or MKV") from error
    with container:
        stream = container.streams.best("video")
        if stream is None or stream.codec_context is None:
            raise Refused("holds no video stream that can be decoded", "give a file with a picture track")
        if stream.disposition & stream.disposition.attached_pic:
            raise Refused("holds sound and a cover picture, no video", "give a file with a picture track")
        # FFmpeg's own threads can wait for each other on damaged streams; workers run side by side instead.
        stream.codec_context.thread_count = 1
        yield container, stream


def by_decord(
    path: str, indices: np.ndarray, timeline: Timeline, shape: tuple[int, int] | None
) -> np.ndarray:
    """Frames (T, H, W, 3), to read only, at the rising distinct `indices`.

    shape: displayed (width, height), None native.
    Raises Refused where decord does not see the file as its packets tell it.
    """
    if decord is None:
        raise Refused("decord is not installed")
    if not timeline.regular:
        raise Refused("decord cannot be trusted with frames that the packets do not tell")
    width, height = shape or (-1, -1)
    reader = decord.VideoReader(path, ctx=decord.cpu(0), width=width, height=height, num_threads=1)
    if len(reader) != len(timeline.pts):  # asking for frames that are not there can loop for ever
        raise Refused(f"decord sees {len(reader)} frames where there are {len(timeline.pts)}")
    stamps = reader.get_frame_timestamp(indices)[:, 0]
    if not np.allclose(stamps, timeline.pts[indices] * float(timeline.time_base), rtol=1e-5, atol=1e-3):
        raise Refused("decord sees other time stamps")
    return np.from_dlpack(_Shared(reader.get_batch(indices)))


class _Shared:
    """decord's array for numpy to look at where it lies: decord's own way to numpy copies every frame."""

    def __init__(self, array: decord.nd.NDArray):
        self._array = array

    def __dlpack__(self, **_):
        return self._array.to_dlpack()

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # the processor's memory


def by_pyav(path: str, indices: np.ndarray, timeline: Timeline, shape: tuple[int, int] | None) -> np.ndarray:
    """As `by_decord`; turns the frames itself. Raises Refused with the number of frames that do not decode."""
    wanted = timeline.pts[indices].tolist()
    found = dict.fromkeys(wanted)
    decode = _decoded_by_seeking if timeline.regular else lambda path, *_: decoded_in_order(path)
    for pts, frame in decode(path, wanted, timeline.keys):
        if pts in found and found[pts] is None:
            found[pts] = _upright(frame, shape)
            shape = shape or found[pts].shape[1::-1]
        if pts >= wanted[-1] and found[wanted[-1]] is not None:
            break
    missing = sum(frame is None for frame in found.values())
    if missing:
        raise Refused(f"{missing} of {len(wanted)} frames cannot be decoded")
    return np.stack([found[pts] for pts in wanted])


def decoded_in_order(path: str) -> Iterator[tuple[int, av.VideoFrame]]:
    """Every frame that decodes, with a rising stamp."""
    with opened(path) as (container, stream):
        last = -1
        for frame in _decode(container, stream):
            # Frames without a stamp of their own follow the one before.
            last = frame.pts if frame.pts is not None and frame.pts > last else last + 1
            yield last, frame


def _decoded_by_seeking(path: str, wanted: list[int], keys: tuple[tuple[int, int], ...]):
    """Decodes on while the next wanted frame is in the running group of pictures, seeks otherwise."""
    with opened(path) as (container, stream):
        at, groups = None, {}
        for pts in wanted:
            groups.setdefault(max((key for key in keys if key[0] <= pts), default=None), []).append(pts)
        for key, members in groups.items():
            if key is not None and key != at:
                container.seek(key[1], stream=stream)
            for frame in _decode(container, stream):
                if frame.pts is not None:
                    yield frame.pts, frame
                if frame.pts is not None and frame.pts >= members[-1]:
                    break
            at = key


def _decode(container, stream) -> Iterator[av.VideoFrame]:
    """Every frame that decodes; a packet that doesn't is passed over."""
    try:
        for packet in container.demux(stream):
            yield from frames_of(packet)
    except av.FFmpegError:
        return


def frames_of(packet: av.Packet) -> list[av.VideoFrame]:
    """None of a packet that doesn't decode."""
    try:
        return packet.decode()
    except av.FFmpegError:
        return []


def _upright(frame: av.VideoFrame, shape: tuple[int, int] | None) -> np.ndarray:
    """The frame as displayed, uint8 (H, W, 3)."""
    turns = quarter_turns(frame)
    size = {}
    if shape is not None:
        width, height = shape[::-1] if turns % 2 else shape
        size = {"width": width, "height": height, "interpolation": "BICUBIC"}
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24", **size), turns))


def quarter_turns(frame: av.VideoFrame) -> int:
    """By how many the file asks to turn the frame, counter-clockwise, as numpy does."""
    return round(frame.rotation / 90) % 4


def in_words(error: Exception) -> str:
    words = getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {' '.join(words.split())[:120]}"
