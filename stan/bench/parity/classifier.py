"""A model that ends in a linear classifier and its embedded videos in, the logits of the classes out."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from stan.models.dual_encoder import DualEncoder
from stan.models.similarity.linear_classifier import LinearClassifier
from stan.models.video_encoder import VideoOutput


def class_logits(model: DualEncoder, video: VideoOutput) -> Float[Tensor, "B classes"]:
    """Return the classifier's logits, which its scores are once the logit scale multiplies them."""
    assert isinstance(model.score, LinearClassifier), "the source ends in a classifier"
    return model.logit_scale.exp() * model.score.of_classes(model.score.classes, video)
