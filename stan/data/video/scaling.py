"""Pictures in, the squares that a CLIP sees of them out: uint8 (T, H, W, 3) to uint8 (T, S, S, 3).

Sizes and crops take only PIL and numpy, in exactly torchvision's steps, so that what testing sees is open_clip's own to
the last bit. Decoding workers load this file, so it needs nothing that is slow to load.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from stan.data.video.geometry import Size

Frames = UInt8[np.ndarray, "T H W 3"]


@dataclass(frozen=True)
class Scaling:
    """How pictures become squares; the fields are those of `PixelSettings`."""

    size: int
    resize_mode: str
    interpolation: str
    fill_color: int

    def squares(self, frames: Frames) -> UInt8[np.ndarray, "T S S 3"]:
        """Return frames resized and cut around their centre. Squares of this size stay as they are."""
        resized, size = self.resized(frames), self.size
        top, left = (round((length - size) / 2) for length in resized.shape[1:3])
        return resized[:, top : top + size, left : left + size]

    def resized(self, frames: Frames) -> Frames:
        """Return frames of which neither side is shorter than the size."""
        (height, width), size = frames.shape[1:3], self.size
        if self.resize_mode == "squash":
            return self.scaled(frames, size, size)
        if self.resize_mode == "longest":
            ratio = max(height / size, width / size)
            sides = (max(1, round(length / ratio)) for length in (height, width))
            return self.padded(self.scaled(frames, *sides), size)
        if width <= height:
            return self.scaled(frames, int(size * height / width), size)
        return self.scaled(frames, size, int(size * width / height))

    def scaled(self, frames: Frames, height: int, width: int) -> Frames:
        if (height, width) == frames.shape[1:3]:
            return frames
        how = Image.Resampling[self.interpolation.upper()]
        pictures = [Image.fromarray(frame).resize((width, height), how) for frame in frames]
        return np.stack([np.asarray(picture) for picture in pictures])

    def padded(self, frames: Frames, side: int) -> Frames:
        """Return the frames in the middle of squares."""
        count, height, width, _ = frames.shape
        squares = np.full((count, side, side, 3), self.fill_color, np.uint8)
        top, left = (side - height) // 2, (side - width) // 2
        squares[:, top : top + height, left : left + width] = frames
        return squares


Form = Size | Scaling | None
"""What pictures are brought to: a displayed (width, height), a CLIP's squares; None: they stay as they are."""
