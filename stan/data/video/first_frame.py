"""A film's first frame in; what only a decoded frame tells about the film out."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
from av.sidedata.sidedata import Type

from stan.data.video import colour, geometry
from stan.data.video.container import Film

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
    colours: colour.Colour
    interlaced: bool
    dolby_vision: bool

    @classmethod
    def of(cls, frame: av.VideoFrame, film: Film) -> FirstFrame:
        components, rgb = frame.format.components, frame.format.is_rgb or frame.format.name.startswith("pal")
        tags = (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
        matrix = next((bytes(each) for each in frame.side_data if each.type == Type.DISPLAYMATRIX), None)
        return cls(
            (frame.width, frame.height),
            matrix,
            film.stream.sample_aspect_ratio or film.decoder.sample_aspect_ratio or Fraction(1),
            frame.format.name,
            max(component.bits for component in components),
            any(component.is_alpha for component in components) or frame.format.name == "pal8",
            colour.colour(*tags, height=frame.height, rgb=rgb),
            frame.interlaced_frame,
            any(each.type in _DOLBY_VISION for each in frame.side_data),
        )

    def geometry(self, crop: tuple[int, int, int, int]) -> geometry.Geometry:
        """Return how the stored pictures lie, of which the container cuts `crop`."""
        widest = geometry.WIDEST_PIXEL
        aspect = self.sample_aspect if 1 / widest <= self.sample_aspect <= widest else Fraction(1)
        return geometry.Geometry(self.stored, crop, aspect, **geometry.turns(self.display_matrix))
