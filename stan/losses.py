"""Scaled similarities or logits in, the scalar that training minimises out."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


def info_nce(similarity: Float[Tensor, "B B"], same: Bool[Tensor, "B B"]) -> Float[Tensor, ""]:
    """Symmetric InfoNCE, text-to-video plus video-to-text (summed, as released), each a mean over the batch.

    similarity: texts x videos, already divided by the temperature, the pairs on the diagonal.
    same: where two clips carry the same caption; each such clip is as right an answer as the pair itself, so the
        target is spread evenly over them. Without equal captions (the identity) this is plain cross-entropy.
    """
    target = same / same.sum(1, keepdim=True)
    return F.cross_entropy(similarity, target) + F.cross_entropy(similarity.T, target)


def classification(logits: Float[Tensor, "B classes"], label: Int[Tensor, " B"]) -> Float[Tensor, ""]:
    """Cross-entropy of videos against classes, the logits already divided by the temperature."""
    return F.cross_entropy(logits, label)
