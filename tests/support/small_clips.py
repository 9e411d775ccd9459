"""A colour, a size and a length in, a small H.264 file of a square that moves across the picture out."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np


def write_clip(
    path: Path,
    colour: tuple[int, int, int] = (220, 30, 30),
    frames: int = 12,
    rate: int = 6,
    size: tuple[int, int] = (96, 112),
) -> Path:
    """Write `frames` frames of `size` (height, width; even numbers of pixels), `rate` per second; return `path`."""
    height, width = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(frames):
            picture = np.full((height, width, 3), 80, dtype=np.uint8)
            left = round(i * (width - 24) / max(frames - 1, 1))
            picture[height // 2 - 12 : height // 2 + 12, left : left + 24] = colour
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path
