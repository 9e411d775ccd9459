"""A film's first frame in; what only a decoded frame tells about the film out."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
from av.sidedata.sidedata import Type

from stan.data.video.colour import Colour, colour
from stan.data.video.container import Film
from stan.data.video.geometry import WIDEST_PIXEL, Geometry, turns

_DOLBY_VISION = (Type.DOVI_RPU_BUFFER, Type.DOVI_METADATA)


@dataclass(frozen=True)
class FirstFrame:
    """The first frame that decodes."""

    stored: tuple[int, int]
    """Width and height before any turn."""
    display_matrix: bytes | None
    """Nine int32; None where the file asks for no turn."""
    sample_aspect: Fraction
    """Width over height of a stored pixel."""
    pixel_format: str
    bit_depth: int
    alpha: bool
    colours: Colour
    interlaced: bool
    dolby_vision: bool

    @classmethod
    def of(cls, frame: av.VideoFrame, film: Film) -> FirstFrame:
        components, rgb = frame.format.components, frame.format.is_rgb or frame.format.name.startswith("pal")
        tags = (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
        beside: Any = frame.side_data  # PyAV's types know one kind of it
        matrix = beside.get(Type.DISPLAYMATRIX)
        return cls(
            (frame.width, frame.height),
            None if matrix is None else bytes(matrix),
            Fraction(film.stream.sample_aspect_ratio or film.decoder.sample_aspect_ratio or 1),
            frame.format.name,
            max(component.bits for component in components),
            any(component.is_alpha for component in components) or frame.format.name == "pal8",
            colour(*tags, height=frame.height, rgb=rgb),
            frame.interlaced_frame,
            any(kind in beside for kind in _DOLBY_VISION),
        )

    def geometry(self, crop: tuple[int, int, int, int]) -> Geometry:
        """Return how the stored pictures lie, of which the container cuts `crop`."""
        believed = 1 / WIDEST_PIXEL <= self.sample_aspect <= WIDEST_PIXEL
        aspect = self.sample_aspect if believed else Fraction(1)
        return Geometry(self.stored, crop, aspect, **turns(self.display_matrix))
