"""Offers the vocabulary of the embedded world: what a picture can show, and what training videos never show.

A third of the shapes, colours and backgrounds appear in stills only. Where a test video shows them, a model can rely
only on what CLIP learned from stills. Such videos measure how much knowledge is kept, and are reported separately as
"unseen".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Vocabulary:
    """Words for shapes, colours and backgrounds that may appear together in one clip."""

    shapes: tuple[str, ...]
    colours: tuple[str, ...]
    backgrounds: tuple[str, ...]

    def __add__(self, other: Vocabulary) -> Vocabulary:
        return Vocabulary(
            self.shapes + other.shapes, self.colours + other.colours, self.backgrounds + other.backgrounds
        )


RGB = {
    "red": (214, 39, 40),
    "green": (30, 150, 50),
    "blue": (40, 70, 225),
    "yellow": (245, 220, 50),
    "purple": (135, 45, 185),
    "white": (245, 245, 245),
    "orange": (250, 135, 15),
    "pink": (250, 150, 200),
    "cyan": (50, 215, 225),
}

SEEN = Vocabulary(
    shapes=("circle", "square", "triangle", "cross", "crescent", "arrow"),
    colours=("red", "green", "blue", "yellow", "purple", "white"),
    backgrounds=("plain", "striped", "dotted", "checkered"),
)
UNSEEN = Vocabulary(
    shapes=("star", "heart", "ring"), colours=("orange", "pink", "cyan"), backgrounds=("wavy", "cloudy")
)
ALL = SEEN + UNSEEN

ROUND = frozenset({"circle", "ring"})
"""Shapes that look the same however they are turned."""
