"""Name in, similarity module out: the one registry of ways to score texts against videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from stan.similarity.cosine import Cosine
from stan.similarity.video_prompts import VideoPrompts

if TYPE_CHECKING:
    from stan.models.clip import Clip

SIMILARITIES: dict[str, type[nn.Module]] = {"cosine": Cosine, "video_prompts": VideoPrompts}


def build(name: str, clip: Clip) -> nn.Module:
    """The similarity `name` for `clip`'s embeddings.

    Raises ValueError for a name that isn't known, listing those that are.
    """
    if name not in SIMILARITIES:
        raise ValueError(f"similarity {name!r} is not known; there are {', '.join(SIMILARITIES)}")
    return SIMILARITIES[name](clip)
