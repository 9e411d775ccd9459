"""A video file and a size in, a smaller H.264 file with the same frames at the same times out.

The isolated decoder gives the frames as they are displayed. Encoding is lossy; sound is written only if it is given.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from jaxtyping import Int16, UInt8

from stan.common.files import new_file
from stan.data.datasets.broken import chunks
from stan.data.video import decoding
from stan.data.video.sound import RATE

ENCODING = {"crf": "21", "preset": "medium", "threads": "1", "bf": "0", "g": "24", "mbtree": "0"}
"""Options of x264 for data sets: almost indistinguishable to the eye; about one key frame per second, so that single
frames are reached quickly."""
WATCHED = {"preset": "veryfast", "crf": "20", "bf": "0"}
"""Options of x264 for videos that someone waits for, to watch them."""
CLOCK = Fraction(1, 90_000)
"""Length of a tick in seconds, short enough for the stamps of any frame rate."""
FRAMES_AT_ONCE = 32
"""Number of frames decoded at a time, which keeps memory constant."""
BT709 = 1
"""Number of BT.709 among the matrices, primaries and transfer functions of H.264 (ITU-T H.273)."""


def is_small(path: Path, size: int) -> bool:
    """Return whether the short side is `size` pixels or fewer, so that nothing needs to shrink. Raises VideoError."""
    return _shrunk(decoding.probe(path), size) is None


def transcode(source: Path, target: Path, size: int) -> None:
    """Write `target` whole or not at all, with a short side of `size` pixels or fewer.

    Nothing is enlarged, and both sides are even. Raises VideoError for a source that does not give all its frames.
    """
    info = decoding.probe(source)
    with new_file(target) as part:
        pictures = _shown(chunks(source, _shrunk(info, size), FRAMES_AT_ONCE))
        write_h264(part, pictures, info.duration, ENCODING)


def small_pictures(
    info: decoding.VideoInfo, indices: np.ndarray, size: int
) -> Iterator[tuple[np.ndarray, float]]:
    """Yield the frames at these indices, with a short side of `size` pixels or fewer, and when each is shown.

    Nothing is enlarged. Raises VideoError for a video that cannot be decoded.
    """
    groups = np.array_split(indices, -(-len(indices) // FRAMES_AT_ONCE))
    return _shown(decoding.decode(info.path, group, _shrunk(info, size)) for group in groups)


def _shrunk(info: decoding.VideoInfo, size: int) -> int | None:
    """Return the short side to decode to; None if it is `size` pixels or fewer as it is."""
    return size if min(info.width, info.height) > size else None


def _shown(parts: Iterable[decoding.Decoded]) -> Iterator[tuple[np.ndarray, float]]:
    """Yield each decoded picture with the second from which it is shown."""
    for part in parts:
        yield from zip(part.frames, part.times.tolist(), strict=True)


def write_h264(
    target: str | Path,
    pictures: Iterable[tuple[UInt8[np.ndarray, "H W 3"], float]],
    duration: float,
    encoding: dict[str, str],
    sound: Int16[np.ndarray, "samples channels"] | None = None,
) -> None:
    """Write an MP4 file that shows each picture from its second until the next one's.

    pictures: one RGB picture or more, with rising seconds. duration: seconds from the first picture to the end of the
    last. encoding: options of x264, in which `bf` must be 0, so that packets come in the order of display. A last odd
    row or column is left out. sound: what is heard from the first picture on, one channel or two, as `decoding.sound`
    gives it; it becomes AAC.

    The first picture is shown from 0 on, because players disagree about what comes before a first stamp. The file says
    that its colours are BT.709: what an untagged file is taken to be depends on the player and on its size.
    """
    spans = _in_ticks(pictures, duration)
    first = next(spans)
    lengths: dict[int, int] = {}
    with av.open(str(target), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25, options=encoding)
        stream.height, stream.width = (side - side % 2 for side in first[0].shape[:2])
        stream.pix_fmt, codec = "yuv420p", stream.codec_context
        codec.colorspace = codec.color_primaries = codec.color_trc = BT709
        codec.color_range, codec.time_base = ColorRange.MPEG, CLOCK
        sounds = deque(_aac(container, sound) if sound is not None else ())
        for picture, begin, end in chain([first], spans):
            lengths[begin] = end - begin
            frame = _frame(picture[: stream.height, : stream.width])
            frame.pts, frame.time_base = begin, CLOCK
            _mux(container, stream.encode(frame), lengths)
            while sounds and _second(sounds[0]) < end * CLOCK:
                container.mux(sounds.popleft())
        _mux(container, stream.encode(), lengths)
        container.mux(list(sounds))


def _in_ticks(
    pictures: Iterable[tuple[np.ndarray, float]], duration: float
) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield each picture with the ticks of `CLOCK` at which it begins and ends to be shown."""
    pictures = iter(pictures)
    picture, first = next(pictures)
    begin = 0
    for following, seconds in pictures:
        end = max(begin + 1, round(seconds / CLOCK))
        yield picture, begin, end
        picture, begin = following, end
    yield picture, begin, max(begin + 1, round((first + duration) / CLOCK))


def _frame(picture: np.ndarray) -> av.VideoFrame:
    """Return the picture as the encoder takes it, by the matrix that the file names: FFmpeg's default is BT.601's."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)


def _aac(
    container: av.container.OutputContainer, samples: Int16[np.ndarray, "samples channels"]
) -> list[av.Packet]:
    """Return the packets of a new track of sound."""
    layout = "mono" if samples.shape[1] == 1 else "stereo"
    stream = container.add_stream("aac", rate=RATE, layout=layout)
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    return stream.encode(frame) + stream.encode()


def _second(packet: av.Packet) -> Fraction:
    assert packet.pts is not None
    return packet.pts * packet.time_base


def _mux(container: av.container.OutputContainer, packets: list[av.Packet], lengths: dict[int, int]) -> None:
    for packet in packets:
        assert packet.pts is not None
        packet.duration = lengths.pop(packet.pts)  # the encoder forgets how long a frame is shown
        container.mux(packet)
