"""Scaled similarities or logits in, the scalar that training minimises out."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

TWIN_TEMPERATURE = 0.1
"""Softer than that of many classes, so that a gradient is left while two are still confused."""


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


def twin_classification(
    similarity: Float[Tensor, "B classes"], label: Int[Tensor, " B"], twin: Int[Tensor, " B"]
) -> Float[Tensor, ""]:
    """Cross-entropy of each video's class against its time-reversed twin's alone, the mean over the whole batch.

    similarity: cosines. twin: class of the clip that shows the same backwards, -1 where there is none. In retrieval
    a twin's caption in the batch is such a negative anyway; among many classes, order would wait for all else.
    """
    own, other = (similarity.gather(1, c.clamp(min=0)[:, None])[:, 0] for c in (label, twin))
    return (F.softplus((other - own) / TWIN_TEMPERATURE) * (twin >= 0)).mean()
