"""A local video file in; its main video stream, opened and decoded in order by PyAV, out; for decoding workers only."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager

import av

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,"
    "asf,flv,ogg,gif,ivf,mxf,nut,dv,rm"
)
# Playlists and concat files point to other files. Without their demuxers and protocols, nothing follows them.
OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
BROKEN = "repair or re-encode the file, or leave it out"


class Refused(Exception):
    """Raised for a file that gives no frames: the reason, and what to do about it."""

    def __init__(self, reason: str, remedy: str = BROKEN):
        super().__init__(reason, remedy)
        self.reason, self.remedy = reason, remedy


@contextmanager
def opened(
    path: str, **options: str
) -> Generator[tuple[av.container.InputContainer, av.video.stream.VideoStream]]:
    """Open a file and yield its container and main video stream, ready to decode on one thread. Raises Refused."""
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
        assert isinstance(stream, av.video.stream.VideoStream)
        if stream.disposition & stream.disposition.attached_pic:
            raise Refused("holds sound and a cover picture, no video", "give a file with a picture track")
        # FFmpeg's own threads can deadlock on damaged streams; workers run side by side instead.
        stream.codec_context.thread_count = 1
        yield container, stream


def decoded_in_order(path: str) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield (stamp, frame) for every frame that decodes, with rising stamps."""
    with opened(path) as (container, stream):
        last = -1
        for frame in decodable(container, stream):
            # A frame without a higher stamp of its own gets the previous frame's stamp plus 1.
            last = frame.pts if frame.pts is not None and frame.pts > last else last + 1
            yield last, frame


def decodable(container, stream) -> Iterator[av.VideoFrame]:
    """Yield every frame that decodes; a packet that doesn't is passed over."""
    try:
        for packet in container.demux(stream):
            yield from frames_of(packet)
    except av.FFmpegError:
        return


def frames_of(packet: av.Packet) -> list[av.VideoFrame]:
    """Return the packet's frames; none if it doesn't decode."""
    try:
        return packet.decode()
    except av.FFmpegError:
        return []


def quarter_turns(frame: av.VideoFrame) -> int:
    """Return by how many quarter turns the file asks to turn the frame, counter-clockwise, as numpy does."""
    return round(frame.rotation / 90) % 4


def in_words(error: Exception) -> str:
    words = getattr(error, "strerror", None) or str(error)
    return f"{type(error).__name__}: {' '.join(words.split())[:120]}"
