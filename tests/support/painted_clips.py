"""A path and a number of frames in; a clip whose frames show their own index, so that wrong frames are noticed, out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 8


def painted(index: int, width: int = 96, height: int = 80) -> np.ndarray:
    """Return a picture (height, width, 3) whose columns encode the index in binary.

    Its lower half is darker, so the picture looks different in every orientation.
    """
    picture = np.zeros((height, width, 3), np.uint8)
    for bit in range(BITS):
        picture[:, bit * width // BITS : (bit + 1) * width // BITS] = 220 if index >> bit & 1 else 40
    picture[height // 2 :] //= 2
    return picture


def read(picture: np.ndarray) -> int:
    top = picture[: picture.shape[0] // 2].mean(axis=(0, 2))
    return sum(int(part.mean() > 130) << bit for bit, part in enumerate(np.array_split(top, BITS)))


def write(
    path: Path,
    count: int = 24,
    size: tuple[int, int] = (96, 80),
    *,
    stamps: list[int] | None = None,
    codec: str = "libx264",
    still: bool = False,
    rotation: int = 0,
    options: dict[str, str] | None = None,
    movflags: str = "",
) -> Path:
    with av.open(str(path), "w", options={"movflags": movflags} if movflags else {}) as container:
        stream = container.add_stream(codec, rate=25, options=options or {"g": "10"})
        stream.width, stream.height = size
        stream.pix_fmt = "yuv444p" if size[0] % 2 or size[1] % 2 else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000 if stamps else 25)
        if rotation:
            stream.set_display_rotation(rotation)
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(painted(0 if still else i, *size), format="rgb24")
            frame.pts, frame.time_base = (stamps[i] if stamps else i), stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
