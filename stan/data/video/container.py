"""A local video file in; the stream that is the film, opened by PyAV, out; for decoding workers only."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from packaging import version

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,"
    "asf,flv,ogg,gif,apng,ivf,mxf,nut,dv,rm,yuv4mpegpipe"
)
# Playlists and concat files point to other files. Without their demuxers and protocols, nothing follows them.
OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
BROKEN = "repair or re-encode the file, or leave it out"
ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that read the second, hidden picture of WebM's transparent films; FFmpeg's own skip it."""
ANY_TAGS: dict[str, Any] = {} if version.parse(av.__version__).major > 18 else {"metadata_errors": "ignore"}
"""What makes PyAV open a file whose tags are no UTF-8: nothing from 19 on, which keeps such tags."""
_BESIDE = {
    Disposition.timed_thumbnails: "thumbnails",  # which are marked as attached pictures, too
    Disposition.attached_pic: "cover",
    Disposition.still_image: "still",
    Disposition.dependent: "layer",
}
"""What pictures are beside the film."""


class Refused(Exception):
    """Raised for a file that gives no frames: the reason, and what to do about it."""

    def __init__(self, reason: str, remedy: str = BROKEN):
        super().__init__(reason, remedy)
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True)
class Film:
    """An open file with the stream that a player shows, and the decoder of its packets."""

    container: InputContainer
    stream: VideoStream
    decoder: VideoCodecContext

    @property
    def start(self) -> Fraction:
        """Seconds at which the file begins, by its own clock."""
        start = Fraction(self.container.start_time or 0, av.time_base)
        # MPEG-TS's clock may wrap round, which FFmpeg shows as times below 0
        return start if self.container.format.name == "mpegts" else max(start, Fraction(0))

    def seek(self, stamp: int) -> None:
        """Go on at the key frame with this stamp, or the last one before it."""
        self.container.seek(stamp, stream=self.stream)
        self.decoder.flush_buffers()

    def frames(self) -> Iterator[av.VideoFrame]:
        """Yield every frame that decodes, from the present place on; a packet that doesn't is passed over."""
        try:
            for packet in self.container.demux(self.stream):
                yield from self.frames_of(packet)
        except av.FFmpegError:
            return

    def frames_of(self, packet: av.Packet) -> list[av.VideoFrame]:
        """Return the packet's frames; none if it doesn't decode."""
        try:
            return self.decoder.decode(packet if packet.size else None)
        except av.FFmpegError:
            return []


@contextmanager
def opened(path: str, **options: str) -> Generator[Film]:
    """Open a file and yield its film, ready to decode on one thread. Raises Refused."""
    try:
        container = av.open(path, options=OPEN_OPTIONS | options, **ANY_TAGS)
    except MemoryError:
        raise
    except Exception as error:
        reason = f"is no video file that can be read ({in_words(error)})"
        raise Refused(reason, "give a video file such as MP4 or MKV") from error
    with container:
        stream = _film(container)
        decoder = _decoder(stream)
        # FFmpeg's own threads can deadlock on damaged streams; workers run side by side instead.
        decoder.thread_count = 1
        yield Film(container, stream, decoder)


def role(stream: Stream) -> str:
    """Return what a stream of pictures is beside the film: cover, thumbnails, still or layer; empty for a film."""
    return next((name for flag, name in _BESIDE.items() if stream.disposition & flag), "")


def _film(container: InputContainer) -> VideoStream:
    """Return the stream that is marked as the one to play; among several or none, the largest, then the first.

    A film goes before a single picture, such as the one with which every AVIF film begins.
    """
    streams = [s for s in container.streams.video if s.codec_context is not None]
    films = [stream for stream in streams if not role(stream)]
    if not streams:
        raise Refused("holds no video stream that can be decoded", "give a file with a picture track")
    if not films:
        raise Refused("holds sound and a cover picture, no video", "give a file with a picture track")
    return max(films, key=_preference)


def _preference(stream: VideoStream) -> tuple[bool, bool, int, int]:
    marked = bool(stream.disposition & Disposition.default)
    return not is_single_picture(stream), marked, stream.width * stream.height, -stream.index


def is_single_picture(stream: VideoStream) -> bool:
    """Return whether the file says that the stream has one picture; many formats don't say how many there are."""
    return stream.frames == 1


def _decoder(stream: VideoStream) -> VideoCodecContext:
    name = ALPHA_DECODERS.get(stream.codec_context.codec.canonical_name)
    if name is None or stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) != "1":
        return stream.codec_context
    return video_decoder(name)


def video_decoder(name: str) -> VideoCodecContext:
    """Return a new decoder by FFmpeg's name for it."""
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, VideoCodecContext)
    return decoder


def in_words(error: Exception) -> str:
    words = getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {' '.join(words.split())[:120]}"
