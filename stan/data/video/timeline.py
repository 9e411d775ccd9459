"""A local video file in; when each of its frames is shown, and what its headers and its first frame tell, out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

import av
import numpy as np

from stan.data.video.container import Film, Refused, opened, video_decoder
from stan.data.video.first_frame import FirstFrame
from stan.data.video.geometry import Geometry
from stan.data.video.headers import Headers
from stan.data.video.headers import headers as read_headers
from stan.data.video.key_frames import LOOKED_AT, PARSED, KeyKind, key_kind, parameters
from stan.data.video.sample_table import Listed, listed

HEADERS_ONLY = {"skip_frame": "all"}
"""FFmpeg decodes a file's first frame when it opens the file, and throws it away; with this it trusts the headers."""
IN_ORDER = frozenset(["mpeg", "mpegvideo", "m4v", "h264", "hevc", "gif", "apng", "ivf", "dv", "rm"])
"""Formats without an index of key frames: seeking in them ends somewhere."""
SOUGHT_BY_DECODING = frozenset(["mpegts", "avi", "flv"])
"""Formats in which FFmpeg seeks by the time at which a packet is to be decoded, and not by that of its picture."""
STAMPED_BY_DECODING = frozenset(["avi", "asf", "mxf"])
"""Formats that say when a packet is decoded, and not when its picture is shown."""
REORDERED = frozenset(["h264", "hevc"])
"""Codecs of which FFmpeg doesn't work out the times of display where the format doesn't give them."""


@dataclass(frozen=True)
class Timeline:
    """The film: `pts` (frames,), rising int64, says when each frame is shown, in units of `time_base`."""

    headers: Headers
    pts: np.ndarray
    keys: tuple[tuple[int, int], ...]
    """Key frames, rising, from which decoding can start: (pts, stamp to seek to)."""
    by_order: bool
    """Whether a frame is told by its place in the order of display alone, because its own stamp is that of another."""
    regular: bool
    """False if only decoding in order finds the frames, because some are hidden or stamps are missing or equal."""
    step: int
    """What a frame without a stamp is later than the one before, in units of `time_base`."""
    frame_duration: Fraction
    """Seconds of the last frame."""
    open_groups: bool
    """Whether the container calls a frame a key frame that needs, or is followed by frames that need, what precedes."""
    size_changes: bool
    first: FirstFrame | None
    """The first frame that decodes; None if none does."""

    @property
    def time_base(self) -> Fraction:
        return self.headers.time_base

    @cached_property
    def geometry(self) -> Geometry:
        """How pictures lie and are shown. Raises Refused if no frame decodes."""
        if self.first is None:
            raise Refused("has no frame that can be decoded")
        return self.first.geometry(self.headers.crop)

    @property
    def times(self) -> np.ndarray:
        """When each frame is shown, (frames,) float64, in seconds from the start of the file."""
        return self.pts * float(self.time_base) - float(self.headers.start)

    @property
    def duration(self) -> float:
        return float((int(self.pts[-1]) - int(self.pts[0])) * self.time_base + self.frame_duration)

    @property
    def fps(self) -> float:
        return len(self.pts) / self.duration

    @cached_property
    def constant_rate(self) -> bool:
        """Whether every frame lies within half a frame of an even grid, so that its number tells its time."""
        last, steps = len(self.pts) - 1, self.pts - self.pts[0]
        if last == 0:
            return True
        mean = int(steps[-1]) / last
        off_grid = steps - mean * np.arange(last + 1)
        return bool(np.ptp(off_grid) <= mean and float(self.frame_duration / self.time_base) < 2 * mean)

    @property
    def key_distance(self) -> float:
        """Longest time in seconds from one key frame, the start or the end to the next."""
        ends = int(self.pts[0]), int(self.pts[-1] + self.frame_duration / self.time_base)
        stamps = np.unique([*ends, *(pts for pts, _ in self.keys)])
        return float(np.diff(stamps).max(initial=0) * self.time_base)


def read_timeline(path: str, most_pixels: int) -> Timeline:
    """Return the frames that can really be read, counted packet by packet: headers may promise more.

    Raises Refused for a file without frames, or with more pixels than `most_pixels`.
    """
    scan = (_scanned_by_headers(path, most_pixels) if _is_mp4(path) else None) or _scanned(path, most_pixels)
    if not scan.packets:
        raise Refused("holds no frames")
    headers, by_order = scan.headers, _is_undated(scan)
    stamps = [dts if by_order else pts for pts, dts, *_ in scan.packets]
    regular = not scan.hidden and None not in stamps and len(set(stamps)) == len(stamps)
    durations = [duration for *_, duration in scan.packets if duration]
    last = durations[-1] * headers.time_base if durations else headers.fallback_duration
    step = 1 if any(pts is not None for pts in stamps) else max(1, round(last / headers.time_base))
    if not regular:
        stamps = [frame.pts for frame in decoded_in_order(path, step)]
    if not stamps:
        raise Refused("has no frame that can be decoded")
    pts = np.sort(np.array(stamps, dtype=np.int64))
    keys = () if headers.container in IN_ORDER else tuple(sorted(scan.keys))
    if by_order:  # counting needs to know where a jump ends, and that all pictures from there on decode
        countable = headers.container != "asf" and not scan.open_groups
        keys = tuple((stamp, stamp) for _, stamp in keys) if countable else ()
    if headers.container == "avi":  # has no stamps: FFmpeg's are the order of decoding, moved
        headers = replace(headers, start=int(pts[0]) * headers.time_base)
    return Timeline(
        headers,
        pts,
        keys,
        by_order and regular,
        regular,
        step,
        last,
        scan.open_groups,
        len(scan.sizes) > 1,
        scan.first,
    )


def _is_undated(scan: _Scan) -> bool:
    """Return whether the packets' times of display are those of decoding under another name."""
    stamps = [pts for pts, *_ in scan.packets if pts is not None]
    undated = scan.headers.container in STAMPED_BY_DECODING and scan.headers.codec in REORDERED
    return undated and stamps == sorted(stamps)


def decoded_in_order(path: str, step: int) -> Iterator[av.VideoFrame]:
    """Yield every frame that decodes, with rising stamps.

    step: what a frame without a higher stamp of its own is later than the one before.
    """
    with opened(path) as film:
        last = -step
        for frame in film.frames():
            last = frame.pts if frame.pts is not None and frame.pts > last else last + step
            frame.pts = last
            yield frame


@dataclass
class _Scan:
    """What one pass over the file's packets finds; `packets` has (pts, dts, is key, duration) of each intact packet."""

    headers: Headers
    hidden: bool
    """Whether some frames are not to be shown."""
    packets: list[tuple] = field(default_factory=list)
    keys: list[tuple[int, int]] = field(default_factory=list)
    open_groups: bool = False
    sizes: set[tuple[int, int]] = field(default_factory=set)
    """Sizes of pictures, as far as parameters change."""
    first: FirstFrame | None = None


def _is_mp4(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(8)[4:] == b"ftyp"


def _scanned_by_headers(path: str, most_pixels: int) -> _Scan | None:
    """Return what `_scanned` finds, by the headers and the first packets; None if the headers leave any doubt.

    MP4 and MOV headers give sizes and stamps themselves. But with HEADERS_ONLY, FFmpeg would choose differently between
    several pictures, may see another start if there is more than picture and sound, guesses durations that are not
    written, and reads past broken parts while it looks for the frame that it is not given.
    """
    try:
        with opened(path, **HEADERS_ONLY) as film:
            if {other.type for other in film.container.streams if other is not film.stream} - {"audio"}:
                return None
            packets = listed(path, film)
            scan = None if packets is None else _listed_scan(path, film, packets, most_pixels)
    except (Refused, MemoryError):
        return None
    agrees = scan is not None and scan.first is not None and scan.first.stored == scan.headers.stored
    return scan if agrees and scan is not None and all(duration for *_, duration in scan.packets) else None


def _listed_scan(path: str, film: Film, packets: list[Listed], most_pixels: int) -> _Scan | None:
    """Return a scan of listed packets, of which only key frames are looked into, and the first ones are read."""
    scan = _Scan(read_headers(path, film, most_pixels), hidden=False)
    scan.packets = [packet[:4] for packet in packets]
    with open(path, "rb") as file:
        for packet in packets:
            if packet.is_keyframe:
                file.seek(packet.place)
                _note_key(scan, film, packet.pts, packet.dts, file.read(min(packet.size, LOOKED_AT)))
    try:
        for packet, told in zip(film.container.demux(film.stream), packets, strict=False):
            if (packet.pts, packet.dts, packet.is_keyframe, packet.size) != (*told[:3], told.size):
                return None
            scan.first = next((FirstFrame.of(frame, film) for frame in film.frames_of(packet)), None)
            if scan.first is not None:
                return scan
    except av.FFmpegError:
        pass
    return None


def _scanned(path: str, most_pixels: int) -> _Scan:
    """Go through all packets, and decode them until one gives a frame."""
    with opened(path) as film:
        scan = _Scan(read_headers(path, film, most_pixels), hidden=False)
        known = b""
        try:
            for packet in film.container.demux(film.stream):
                if packet.is_discard:
                    scan.hidden = True
                elif packet.size and not packet.is_corrupt and not _only_for_others(packet, scan):
                    scan.packets.append((packet.pts, packet.dts, packet.is_keyframe, packet.duration))
                    if packet.is_keyframe:
                        content = bytes(packet)
                        _note_key(scan, film, packet.pts, packet.dts, content)
                        known = _note_size(scan, film, packet, content, known)
                if scan.first is None:
                    scan.first = next((FirstFrame.of(frame, film) for frame in film.frames_of(packet)), None)
        except av.FFmpegError:
            pass  # what was read so far can be decoded
    return scan


def _only_for_others(packet: av.Packet, scan: _Scan) -> bool:
    """Return whether a packet's picture is never shown: VP8 says so in its first byte (RFC 6386, 9.1)."""
    return scan.headers.codec == "vp8" and not memoryview(packet)[0] & 0x10


def _note_key(scan: _Scan, film: Film, pts: int | None, dts: int | None, content: bytes) -> None:
    """Note where a key frame lies, if decoding can start there, and whether its group is open."""
    codec, kind = scan.headers.codec, KeyKind.CLOSED
    if codec in PARSED:
        kind = key_kind(codec, film.stream.codec_context.extradata, content)
    scan.open_groups |= kind is not KeyKind.CLOSED
    stamp = dts if scan.headers.container in SOUGHT_BY_DECODING else pts
    if kind is not KeyKind.NONE and pts is not None and stamp is not None:
        scan.keys.append((pts, stamp))


def _note_size(scan: _Scan, film: Film, packet: av.Packet, content: bytes, known: bytes) -> bytes:
    """Note the pictures' size where parameters change; return the packet's, or the `known` ones if it has none."""
    told = parameters(scan.headers.codec, film.stream.codec_context.extradata, content)
    if packet.has_sidedata("new_extradata") or told and known and told != known:
        scan.sizes |= {scan.headers.stored, _size_of(packet, film)}
    return told or known


def _size_of(packet: av.Packet, film: Film) -> tuple[int, int]:
    """Return the size of a key frame's picture, decoded by itself."""
    decoder = video_decoder(film.decoder.name)
    decoder.extradata = (
        bytes(packet.get_sidedata("new_extradata"))
        if packet.has_sidedata("new_extradata")
        else film.decoder.extradata
    )
    try:
        frames = [*decoder.decode(packet), *decoder.decode(None)]
    except av.FFmpegError:
        frames = []
    return next(((frame.width, frame.height) for frame in frames), (film.stream.width, film.stream.height))
