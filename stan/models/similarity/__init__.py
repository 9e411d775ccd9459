"""Name and options in, similarity module out: the one registry of ways to score texts against videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stan.common import registry
from stan.models.similarity.base import Similarity
from stan.models.similarity.concept_spotting import ConceptSpotting
from stan.models.similarity.cosine import Cosine
from stan.models.similarity.linear_classifier import LinearClassifier
from stan.models.similarity.mug import MugFull, MugSimple
from stan.models.similarity.temporal_alignment import TemporalAlignment
from stan.models.similarity.text_conditioned_pooling import TextConditionedPooling
from stan.models.similarity.tight_transformer import TightTransformer
from stan.models.similarity.token_interaction import TokenInteraction
from stan.models.similarity.video_prompts import VideoPrompts

if TYPE_CHECKING:
    from stan.models.clip import Clip

SIMILARITIES: dict[str, type[Similarity]] = {
    "cosine": Cosine,
    "tight_transformer": TightTransformer,
    "text_conditioned_pooling": TextConditionedPooling,
    "concept_spotting": ConceptSpotting,
    "temporal_alignment": TemporalAlignment,
    "token_interaction": TokenInteraction,
    "mug_simple": MugSimple,
    "mug_full": MugFull,
    "video_prompts": VideoPrompts,
    "linear_classifier": LinearClassifier,
}


def build(name: str, clip: Clip, options: dict[str, Any] | None = None) -> Similarity:
    """Build the similarity `name` for `clip`'s embeddings, initialised from `clip`.

    Raises ValueError for an unknown name or option, listing the known ones.
    """
    return registry.build("similarity", SIMILARITIES, name, (clip,), options or {})
