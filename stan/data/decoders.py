"""A local video file in, its timeline and exact frames out, by decord or by PyAV; for decoding workers only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

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


@dataclass(frozen=True)
class Timeline:
    """The main video stream: when each frame is shown, `pts` (frames,) int64, rising, in `time_base` seconds."""

    pts: np.ndarray
    keys: tuple[tuple[int, int], ...]
    """Key frames as (pts, dts), rising."""
    regular: bool
    """False where only decoding in order tells the frames: hidden ones, missing or equal stamps."""
    time_base: Fraction
    start: Fraction
    """Seconds at which the file's clock starts."""
    frame_duration: Fraction
    codec: str
    stored: tuple[int, int]
    """Width and height before any turn."""

    @property
    def times(self) -> np.ndarray:
        """Seconds from the start of the file, (frames,) float64."""
        return self.pts * float(self.time_base) - float(self.start)

    @property
    def duration(self) -> float:
        return float((int(self.pts[-1]) - int(self.pts[0])) * self.time_base + self.frame_duration)

    @property
    def fps(self) -> float:
        return len(self.pts) / self.duration


@contextmanager
def opened(path: str) -> Iterator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    """The container and its main video stream, ready to decode on one thread."""
    try:
        container = av.open(path, metadata_errors="ignore", options=OPEN_OPTIONS)
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


def read_timeline(path: str, most_pixels: int) -> Timeline:
    """The frames that can really be read, counted packet by packet: headers may promise more."""
    with opened(path) as (container, stream):
        codec, stored = stream.codec_context.codec.canonical_name, _size_within(stream, most_pixels)
        base, start = stream.time_base, Fraction(max(container.start_time or 0, 0), av.time_base)
        packets, discards = _packets(container, stream)
        fallback = 1 / (stream.average_rate or stream.guessed_rate or Fraction(25))
        hidden = discards or stream.codec_context.name == "vp8"
    stamps = [pts for pts, *_ in packets]
    regular = not hidden and None not in stamps and len(set(stamps)) == len(stamps)
    if not packets:
        raise Refused("holds no frames")
    if not regular:
        stamps = [pts for pts, _ in _decoded_in_order(path)]
    if not stamps:
        raise Refused("has no frame that can be decoded")
    durations = [duration for *_, duration in packets if duration]
    last = durations[-1] * base if durations else fallback
    keys = sorted((pts, dts) for pts, dts, key, _ in packets if key and pts is not None and dts is not None)
    pts = np.sort(np.array(stamps, dtype=np.int64))
    return Timeline(pts, tuple(keys), regular, base, start, last, codec, stored)


def _size_within(stream: av.video.stream.VideoStream, most_pixels: int) -> tuple[int, int]:
    width, height = stream.width, stream.height
    if width < 1 or height < 1:
        raise Refused("names no picture size")
    if width * height > most_pixels:
        raise Refused(
            f"is {width}x{height}, above the limit of {most_pixels} pixels", "shrink it, or raise the limit"
        )
    return width, height


def _packets(container, stream) -> tuple[list[tuple], bool]:
    """(pts, dts, is key, duration) of every whole packet, and whether some are marked as not to be shown."""
    packets, discards = [], False
    try:
        for packet in container.demux(stream):
            discards |= packet.is_discard
            if packet.size and not packet.is_corrupt and not packet.is_discard:
                packets.append((packet.pts, packet.dts, packet.is_keyframe, packet.duration))
    except av.FFmpegError:
        pass  # what was read until here can be decoded
    return packets, discards


def first_frame(path: str) -> av.VideoFrame:
    """The first frame that decodes; it alone tells the rotation."""
    with opened(path) as (container, stream):
        for frame in _decode(container, stream):
            return frame
    raise Refused("has no frame that can be decoded")


def displayed(frame: av.VideoFrame) -> tuple[int, int]:
    """Width and height as shown, after the turn that the file asks for."""
    return (frame.height, frame.width) if _quarter_turns(frame) % 2 else (frame.width, frame.height)


def rotation(frame: av.VideoFrame) -> int:
    """Degrees clockwise, 0, 90, 180 or 270, by which a player turns the stored picture."""
    return -90 * _quarter_turns(frame) % 360


def by_decord(
    path: str, indices: np.ndarray, timeline: Timeline, shape: tuple[int, int] | None
) -> np.ndarray:
    """Frames (T, H, W, 3) at the rising distinct `indices`; `shape`: displayed (width, height), None native.

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
    return reader.get_batch(indices).asnumpy()


def by_pyav(path: str, indices: np.ndarray, timeline: Timeline, shape: tuple[int, int] | None) -> np.ndarray:
    """As `by_decord`; turns the frames itself. Raises Refused with the number of frames that do not decode."""
    wanted = timeline.pts[indices].tolist()
    found = dict.fromkeys(wanted)
    decode = _decoded_by_seeking if timeline.regular else lambda path, *_: _decoded_in_order(path)
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


def _decoded_in_order(path: str) -> Iterator[tuple[int, av.VideoFrame]]:
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
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            yield from frames
    except av.FFmpegError:
        return


def _upright(frame: av.VideoFrame, shape: tuple[int, int] | None) -> np.ndarray:
    """The frame as displayed, uint8 (H, W, 3)."""
    turns = _quarter_turns(frame)
    size = {}
    if shape is not None:
        width, height = shape[::-1] if turns % 2 else shape
        size = {"width": width, "height": height, "interpolation": "BICUBIC"}
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24", **size), turns))


def _quarter_turns(frame: av.VideoFrame) -> int:
    """Counter-clockwise, as numpy turns."""
    return round(frame.rotation / 90) % 4


def in_words(error: Exception) -> str:
    words = getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {' '.join(words.split())[:120]}"
