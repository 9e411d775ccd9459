"""A model that ends in a linear classifier and its embedded videos in, the logits of the classes out."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from stan.models.clip import TextOutput
from stan.models.dual_encoder import DualEncoder
from stan.models.similarity.linear_classifier import LinearClassifier
from stan.models.video_encoder import VideoOutput


def class_logits(model: DualEncoder, video: VideoOutput) -> Float[Tensor, "B classes"]:
    """Return the logits through the model's own similarity; of the texts it reads only how many there are."""
    assert isinstance(model.score, LinearClassifier), "the source ends in a classifier"
    count, width = model.score.classes, model.clip.embed_dim
    texts = TextOutput(
        torch.zeros(count, 1, width), torch.zeros(count, width), torch.ones(count, 1, dtype=torch.bool)
    )
    return model.logit_scale.exp() * model.similarity(texts, video).T
