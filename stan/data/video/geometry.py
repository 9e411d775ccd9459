"""How a picture is stored in; how it is shown (cut, turned, mirrored, with square pixels), and filters to that, out."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

Size = tuple[int, int]
"""Width and height in pixels."""

WIDEST_PIXEL = 10
"""A sample aspect ratio beyond this, or below its inverse, is taken for a mistake in the file."""


@dataclass(frozen=True)
class Geometry:
    """From the stored picture to the one on the screen: cut, transpose, mirror, stretch, in this order."""

    stored: Size
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Pixels to cut: left, top, right, bottom."""
    sample_aspect: Fraction = Fraction(1)
    """Width over height of a stored pixel."""
    transposed: bool = False
    """Whether rows become columns; what follows is said of the transposed picture."""
    left_right: bool = False
    """Whether left and right are exchanged."""
    up_down: bool = False
    """Whether top and bottom are exchanged."""

    @property
    def displayed(self) -> Size:
        """Size as shown. Pixels that aren't square are only ever made longer, as players do."""
        left, top, right, bottom = self.crop
        width, height = self.stored[0] - left - right, self.stored[1] - top - bottom
        if self.sample_aspect > 1:
            width = round(width * self.sample_aspect)
        else:
            height = round(height / self.sample_aspect)
        return (height, width) if self.transposed else (width, height)

    @property
    def mirrored(self) -> bool:
        return self.transposed ^ self.left_right ^ self.up_down

    @property
    def rotation(self) -> int:
        """Degrees clockwise (0, 90, 180 or 270) by which the picture is turned, after it has been mirrored."""
        if not self.transposed:
            return 180 if self.up_down else 0
        return 90 if self.left_right else 270

    @property
    def plain(self) -> bool:
        """Whether the picture is shown as it is stored, but for a turn."""
        return not (any(self.crop) or self.mirrored) and self.sample_aspect == 1

    def filters(self) -> list[tuple[str, str]]:
        """Return FFmpeg's filters (name, arguments) to the displayed picture, without the last stretch."""
        left, top, right, bottom = self.crop
        width, height = self.stored[0] - left - right, self.stored[1] - top - bottom
        steps = [("crop", f"{width}:{height}:{left}:{top}:exact=1")] if any(self.crop) else []
        steps += [("transpose", "cclock_flip")] if self.transposed else []
        steps += [("hflip", "")] if self.left_right else []
        return steps + ([("vflip", "")] if self.up_down else [])


def turns(matrix: bytes | None) -> dict[str, bool]:
    """Return `transposed`, `left_right` and `up_down` from a display matrix, nine int32 that map (x, y) of the picture.

    x' = a x + c y and y' = b x + d y for the matrix (a b u, c d v, x y w). A slanted picture is set upright.
    """
    if matrix is None:
        return {}
    a, b, _, c, d = struct.unpack("=5i", matrix[:20])
    if abs(b) > abs(a):
        return {"transposed": True, "left_right": c < 0, "up_down": b < 0}
    return {"transposed": False, "left_right": a < 0, "up_down": d < 0}
