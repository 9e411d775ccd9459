"""A local video file in; when each of its frames is shown, and the frames' size and rotation, out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np

from stan.data.video.container import Refused, decoded_in_order, frames_of, opened, quarter_turns

HEADERS_ONLY = {"skip_frame": "all"}
"""FFmpeg decodes a file's first frame when it opens the file, and throws it away; with this it trusts the headers."""


@dataclass(frozen=True)
class FirstFrame:
    """What only a decoded frame tells, taken from the first frame that decodes."""

    stored: tuple[int, int]
    """Width and height before any turn."""
    quarter_turns: int
    """Quarter turns counter-clockwise, as numpy counts them."""

    @property
    def displayed(self) -> tuple[int, int]:
        """Width and height as shown, after the turn that the file asks for."""
        return self.stored[::-1] if self.quarter_turns % 2 else self.stored

    @property
    def rotation(self) -> int:
        """Degrees clockwise (0, 90, 180 or 270) by which a player turns the stored picture."""
        return -90 * self.quarter_turns % 360


@dataclass(frozen=True)
class Timeline:
    """The main video stream: `pts` (frames,), rising int64, says when each frame is shown, in units of `time_base`."""

    pts: np.ndarray
    keys: tuple[tuple[int, int], ...]
    """Key frames as (pts, dts), rising."""
    regular: bool
    """False if only decoding in order finds the frames, because some are hidden or stamps are missing or equal."""
    time_base: Fraction
    start: Fraction
    """Seconds at which the file's clock starts."""
    frame_duration: Fraction
    codec: str
    stored: tuple[int, int]
    """Width and height before any turn, as the file's headers give them."""
    first: FirstFrame | None
    """The first frame that decodes; None if none does."""

    @property
    def times(self) -> np.ndarray:
        """When each frame is shown, (frames,) float64, in seconds from the start of the file."""
        return self.pts * float(self.time_base) - float(self.start)

    @property
    def duration(self) -> float:
        return float((int(self.pts[-1]) - int(self.pts[0])) * self.time_base + self.frame_duration)

    @property
    def fps(self) -> float:
        return len(self.pts) / self.duration


def read_timeline(path: str, most_pixels: int) -> Timeline:
    """Return the frames that can really be read, counted packet by packet: headers may promise more.

    Raises Refused for a file without frames, or with more pixels than `most_pixels`.
    """
    scan = (_scanned_by_headers(path, most_pixels) if _is_mp4(path) else None) or _scanned(path, most_pixels)
    stamps = [pts for pts, *_ in scan.packets]
    regular = not scan.hidden and None not in stamps and len(set(stamps)) == len(stamps)
    if not scan.packets:
        raise Refused("holds no frames")
    if not regular:
        stamps = [pts for pts, _ in decoded_in_order(path)]
    if not stamps:
        raise Refused("has no frame that can be decoded")
    durations = [duration for *_, duration in scan.packets if duration]
    last = durations[-1] * scan.time_base if durations else scan.fallback_duration
    keys = sorted(
        (pts, dts) for pts, dts, key, _ in scan.packets if key and pts is not None and dts is not None
    )
    pts = np.sort(np.array(stamps, dtype=np.int64))
    return Timeline(
        pts, tuple(keys), regular, scan.time_base, scan.start, last, scan.codec, scan.stored, scan.first
    )


@dataclass
class _Scan:
    """What one pass over the file's packets finds; `packets` has (pts, dts, is key, duration) of each intact packet."""

    codec: str
    stored: tuple[int, int]
    time_base: Fraction
    start: Fraction
    fallback_duration: Fraction
    hidden: bool
    """Whether some frames are not to be shown."""
    packets: list[tuple] = field(default_factory=list)
    first: FirstFrame | None = None
    complete: bool = False
    """Whether every stream had as many packets as the file's headers promise."""


def _is_mp4(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(8)[4:] == b"ftyp"


def _scanned_by_headers(path: str, most_pixels: int) -> _Scan | None:
    """Return what `_scanned` finds, without decoding a frame to open the file; None if the headers leave any doubt.

    MP4 and MOV headers give sizes and stamps themselves. But with HEADERS_ONLY, FFmpeg would choose differently between
    several pictures, may see another start if there is more than picture and sound, guesses durations that are not
    written, and reads past broken parts while it looks for the frame that it is not given.
    """
    try:
        with opened(path, **HEADERS_ONLY) as (container, stream):
            if {other.type for other in container.streams if other is not stream} - {"audio"}:
                return None
            scan = _scan(container, stream, most_pixels)
    except (Refused, MemoryError):
        return None
    agrees = scan.first is not None and scan.first.stored == scan.stored
    return scan if agrees and scan.complete and all(duration for *_, duration in scan.packets) else None


def _scanned(path: str, most_pixels: int) -> _Scan:
    with opened(path) as (container, stream):
        return _scan(container, stream, most_pixels)


def _scan(container, stream, most_pixels: int) -> _Scan:
    """Go through all packets, and decode them until one gives a frame."""
    scan = _Scan(
        codec=stream.codec_context.codec.canonical_name,
        stored=_size_within(stream, most_pixels),
        time_base=stream.time_base,
        start=Fraction(max(container.start_time or 0, 0), av.time_base),
        fallback_duration=Fraction(1) / (stream.average_rate or stream.guessed_rate or Fraction(25)),
        hidden=stream.codec_context.name == "vp8",
    )
    promised = Counter({each.index: each.frames for each in container.streams})
    try:
        for packet in container.demux():
            promised[packet.stream.index] -= packet.size > 0
            if packet.stream is not stream:
                continue
            if packet.is_discard:
                scan.hidden = True
            elif packet.size and not packet.is_corrupt:
                scan.packets.append((packet.pts, packet.dts, packet.is_keyframe, packet.duration))
            if scan.first is None:
                scan.first = _first_of(packet)
    except av.FFmpegError:
        pass  # what was read so far can be decoded
    scan.complete = not any(promised.values())
    return scan


def _first_of(packet: av.Packet) -> FirstFrame | None:
    for frame in frames_of(packet):
        return FirstFrame((frame.width, frame.height), quarter_turns(frame))
    return None


def _size_within(stream: av.video.stream.VideoStream, most_pixels: int) -> tuple[int, int]:
    width, height = stream.width, stream.height
    if width < 1 or height < 1:
        raise Refused("names no picture size")
    if width * height > most_pixels:
        raise Refused(
            f"is {width}x{height}, above the limit of {most_pixels} pixels", "shrink it, or raise the limit"
        )
    return width, height
