"""A video file and a size in, a smaller H.264 file with the same frames at the same times out.

The isolated decoder gives the frames, upright; sound is dropped. Encoding is lossy.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from stan.data.datasets.broken import chunks
from stan.data.video import decode

ENCODING = {"crf": "21", "preset": "medium", "threads": "1", "bf": "0", "g": "24", "mbtree": "0"}
"""Almost indistinguishable to the eye; about one key frame per second, so that single frames are reached quickly."""
CLOCK = Fraction(1, 90_000)
"""Length of a tick in seconds, short enough for the stamps of any frame rate."""
FRAMES_AT_ONCE = 32


def is_small(path: Path, size: int) -> bool:
    """Return whether the short side is `size` pixels or fewer, so that nothing needs to shrink. Raises VideoError."""
    info = decode.probe(path)
    return min(info.width, info.height) <= size


def transcode(source: Path, target: Path, size: int) -> None:
    """Write `target` whole or not at all, with a short side of `size` pixels or fewer.

    Nothing is enlarged, and both sides are even. Raises VideoError for a source that does not give all its frames.
    """
    part, info = target.with_name(f".{target.name}.part"), decode.probe(source)
    shrunk = size if min(info.width, info.height) > size else None
    rate = Fraction(info.fps).limit_denominator(1001)
    try:
        with av.open(str(part), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=rate, options=ENCODING)
            stream.pix_fmt, stream.codec_context.time_base = "yuv420p", CLOCK
            for frame in _frames(source, shrunk):
                if not stream.codec_context.is_open:
                    stream.width, stream.height = frame.width, frame.height
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _frames(source: Path, size: int | None) -> Iterator[av.VideoFrame]:
    for decoded in chunks(source, size, FRAMES_AT_ONCE):
        height, width = (side - side % 2 for side in decoded.frames.shape[1:3])
        for picture, seconds in zip(decoded.frames, decoded.times, strict=True):
            even = np.ascontiguousarray(picture[:height, :width])
            frame = av.VideoFrame.from_ndarray(even, format="rgb24")
            frame.pts, frame.time_base = round(seconds / CLOCK), CLOCK
            yield frame
