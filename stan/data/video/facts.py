"""What one pass over a video file found in; the record of it, and of what was assumed and corrected, out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StreamFacts:
    """One stream of a file, whether or not it is read."""

    index: int
    kind: str
    """video, audio, subtitle, data or attachment."""
    codec: str
    """FFmpeg's name of the codec; empty where it has none."""
    role: str
    """film (the stream that is read), other film, cover, thumbnails, still, layer; empty for what is no picture."""
    default: bool
    """Whether the file marks it as the one to play."""
    size: tuple[int, int] | None
    """Width and height as stored; None for what is no picture."""
    duration: float | None
    """Seconds by the stream's header, where it has any."""


@dataclass(frozen=True)
class VideoFacts:
    """What a file is, and how it is therefore read. Times in seconds, sizes as (width, height) in pixels."""

    container: str
    """FFmpeg's name of the format, which may be a list such as mov,mp4,m4a."""
    streams: tuple[StreamFacts, ...]
    stream: int
    """Index of the stream that is read."""
    codec: str
    profile: str
    """The codec's profile; empty where it has none."""
    stored: tuple[int, int]
    """Size of the stored pictures."""
    crop: tuple[int, int, int, int]
    """Pixels that the container cuts from the stored pictures: left, top, right, bottom."""
    sample_aspect: tuple[int, int]
    """Width to height of one stored pixel."""
    rotation: int
    """Degrees clockwise (0, 90, 180, 270) by which the picture is turned, after it has been mirrored."""
    mirrored: bool
    """Whether left and right of the stored picture are exchanged."""
    displayed: tuple[int, int]
    """Size as shown: cut, with square pixels, turned."""
    pixel_format: str
    """FFmpeg's name, such as yuv420p."""
    bit_depth: int
    alpha: bool
    matrix: str
    """How brightness and colour differences make red, green and blue: bt601, bt709, bt2020nc, rgb, ..."""
    primaries: str
    transfer: str
    range: str
    """limited or full."""
    assumed: tuple[str, ...]
    """Which of matrix, primaries, transfer and range the file doesn't tell."""
    hdr: str
    """PQ or HLG, whose pictures are brought to SDR by a tone curve; empty for SDR."""
    dolby_vision: bool
    """Whether there is Dolby Vision's metadata, of which only the base layer is shown."""
    interlaced: bool
    frames: int
    """Frames that can be read, which may be fewer than the header promises."""
    fps: float
    """Frames per second, on average."""
    constant_rate: bool
    """Whether frames follow each other evenly, so that frame numbers tell times."""
    first_time: float
    """By the file's own clock."""
    last_time: float
    """When the last frame begins, by the file's own clock."""
    duration: float
    """From the first frame to the end of the last."""
    duration_by_container: float | None
    duration_by_stream: float | None
    key_distance: float
    """Longest time between two key frames, from which decoding can start."""
    open_groups: bool
    """Whether pictures shown before a key frame need what comes before it, or a key frame is none in truth."""
    size_changes: bool
    """Whether the stored size changes on the way; every picture is shown in the size of the first."""
    decoder: str
    """decord, pyav or pillow: who reads the file when every frame is asked for."""
    reason: str
    """Why that decoder reads it."""
    corrections: tuple[str, ...]
    """What is done to the stored pictures and times so that they are as shown."""
    warnings: tuple[str, ...]
    """What is doubtful about the file."""

    @classmethod
    def of(cls, document: dict[str, Any]) -> VideoFacts:
        """Return the record from its `dataclasses.asdict`, also after a way through JSON, which knows no tuples."""
        streams = tuple(
            StreamFacts(**stream | {"size": _tuple(stream["size"])}) for stream in document["streams"]
        )
        rest = {name: _tuple(value) for name, value in document.items() if name != "streams"}
        return cls(streams=streams, **rest)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
