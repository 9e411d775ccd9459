"""An open film in; what its file's headers say out."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from stan.data.video import crops, dolby_vision
from stan.data.video.container import Film, Refused, is_single_picture, role
from stan.data.video.dolby_vision import DolbyVision
from stan.data.video.facts import StreamFacts


@dataclass(frozen=True)
class Headers:
    """What a file's headers say."""

    container: str
    streams: tuple[StreamFacts, ...]
    stream: int
    codec: str
    profile: str
    stored: tuple[int, int]
    """Width and height before any turn."""
    crop: tuple[int, int, int, int]
    """Pixels that the container cuts: left, top, right, bottom."""
    time_base: Fraction
    start: Fraction
    """Seconds at which the file's clock starts."""
    duration: float | None
    """Of the whole file, in seconds."""
    fallback_duration: Fraction
    """Seconds of a frame by the rate that the headers name."""
    interlaced: bool
    dolby_vision: DolbyVision | None
    fragmented: bool
    """Whether it is an MP4 without a list of its frames."""

    @property
    def films(self) -> int:
        """How many streams are films, the chosen one and others."""
        return sum(stream.role.endswith("film") for stream in self.streams)

    @property
    def film(self) -> StreamFacts:
        return next(stream for stream in self.streams if stream.index == self.stream)


def headers(path: str, film: Film, most_pixels: int) -> Headers:
    """Return what the headers say. Raises Refused for pictures without a size, or of more than `most_pixels`."""
    container, stream = film.container, film.stream
    assert stream.time_base
    return Headers(
        container=container.format.name,
        streams=tuple(_stream(each, stream) for each in container.streams),
        stream=stream.index,
        codec=film.decoder.codec.canonical_name,
        profile=stream.profile or "",
        stored=_size_within(stream, most_pixels),
        crop=crops.of(path, film),
        time_base=Fraction(stream.time_base),
        start=film.start,
        duration=container.duration / av.time_base if container.duration else None,
        fallback_duration=Fraction(1) / (stream.average_rate or stream.guessed_rate or Fraction(25)),
        dolby_vision=dolby_vision.of(path, film),
        interlaced=stream.codec_context.field_order > 1,
        fragmented=container.format.name.startswith("mov") and not stream.frames,
    )


def _stream(stream: Stream, film: VideoStream) -> StreamFacts:
    pictures = isinstance(stream, VideoStream) and stream.codec_context is not None
    beside = ""
    if pictures:
        beside = role(stream) or ("still" if is_single_picture(stream) else "other film")
    return StreamFacts(
        index=stream.index,
        kind=stream.type,
        codec=stream.codec_context.codec.canonical_name if stream.codec_context else "",
        role="film" if stream is film else beside,
        default=bool(stream.disposition & Disposition.default),
        size=(stream.width, stream.height) if pictures else None,
        duration=float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None,
    )


def _size_within(stream: VideoStream, most_pixels: int) -> tuple[int, int]:
    width, height = stream.width, stream.height
    if width < 1 or height < 1:
        raise Refused("names no picture size")
    if width * height > most_pixels:
        raise Refused(
            f"is {width}x{height}, above the limit of {most_pixels} pixels", "shrink it, or raise the limit"
        )
    return width, height
