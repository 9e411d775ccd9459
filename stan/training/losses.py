"""Scaled similarities or logits in, the scalar that training minimises out."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

TWIN_TEMPERATURE = 0.1
"""Higher (softer) than the temperature over many classes, so that a gradient remains while two are still confused."""

LOSSES = ("cross-entropy", "contrastive-mean", "kl", "sigmoid")
DECORRELATED = ("embeddings", "released-embeddings", "tokens", "weighed-tokens")
SENTENCES = ("class", "video")
KL_SHARPNESS = 10.0


def info_nce(similarity: Float[Tensor, "B B"], same: Bool[Tensor, "B B"]) -> Float[Tensor, ""]:
    """Return symmetric InfoNCE: text-to-video plus video-to-text (summed, as released), each a mean over the batch.

    similarity: texts x videos, already divided by the temperature, with the pairs on the diagonal.
    same: true where two clips have the same caption. Each such clip is as right an answer as the pair itself, so the
        target is spread evenly over them. Without equal captions (the identity), this is plain cross-entropy.
    """
    target = same / same.sum(1, keepdim=True)
    return F.cross_entropy(similarity, target) + F.cross_entropy(similarity.T, target)


def sigmoid_pairs(logits: Float[Tensor, "A B"], same: Bool[Tensor, "A B"]) -> Float[Tensor, ""]:
    """Return SigLIP's loss: each text with each video is a question of its own, answered yes where `same` is true.

    The source is Zhai et al. (ICCV 2023), algorithm 1. logits: scaled similarities plus the bias, texts or classes x
    videos. The sum over all pairs is divided by the number of videos.
    """
    return (
        F.binary_cross_entropy_with_logits(logits, same.to(logits.dtype), reduction="sum") / logits.shape[1]
    )


def contrastive_mean(similarity: Float[Tensor, "B B"], same: Bool[Tensor, "B B"]) -> Float[Tensor, ""]:
    """Return the mean of InfoNCE's two directions, as in CLIP4Clip, DRL, CLIP2Video and CenterCLIP; else `info_nce`."""
    return info_nce(similarity, same) / 2


def classification(
    logits: Float[Tensor, "B classes"],
    target: Int[Tensor, " B"] | Float[Tensor, "B classes"],
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Return the cross-entropy of videos against classes; the logits are already divided by the temperature.

    target: each video's class, or its probability of each class. smoothing: share of the target that is spread evenly
    over all classes.
    """
    return F.cross_entropy(logits, target, label_smoothing=smoothing)


def mixed_target(
    label: Int[Tensor, " B"], other: Int[Tensor, " B"], share: Float[Tensor, " B"], classes: int
) -> Float[Tensor, "B classes"]:
    """Return the class probabilities of clips that show their own class to a share, and another class for the rest."""
    own, rest = F.one_hot(label, classes), F.one_hot(other, classes)
    return share[:, None] * own + (1 - share[:, None]) * rest


def twin_classification(
    similarity: Float[Tensor, "B classes"], label: Int[Tensor, " B"], twin: Int[Tensor, " B"]
) -> Float[Tensor, ""]:
    """Return the cross-entropy of each video's class against only its time-reversed twin's, averaged over the batch.

    similarity: cosines. twin: class of the clip that shows the same backwards, -1 where there is none (such clips count
    as 0). In retrieval, a twin's caption in the batch is such a negative anyway; among many classes, order would be
    learned only after everything else.
    """
    own, other = (similarity.gather(1, c.clamp(min=0)[:, None])[:, 0] for c in (label, twin))
    return (F.softplus((other - own) / TWIN_TEMPERATURE) * (twin >= 0)).mean()


def kl_divergence(similarity: Float[Tensor, "B B"], same: Bool[Tensor, "B B"]) -> Float[Tensor, ""]:
    """Return KL(softmax(10 * same) || softmax(similarity)), averaged over both directions.

    The source is ActionCLIP's `utils/KLLoss.py`. similarity: texts x videos, already divided by the temperature. same:
    true where both have the same class or caption.
    """
    return (one_way_kl(similarity, same) + one_way_kl(similarity.T, same.T)) / 2


def one_way_kl(scores: Float[Tensor, "A B"], same: Bool[Tensor, "A B"]) -> Float[Tensor, ""]:
    """Return KL(softmax(10 * same) || softmax(scores)) over each row, averaged over rows."""
    return F.kl_div(scores.log_softmax(1), (KL_SHARPNESS * same).softmax(1), reduction="batchmean")


def decorrelation(text: Float[Tensor, "B E"], video: Float[Tensor, "B E"]) -> Float[Tensor, ""]:
    """Return the sum over channels of (c - 1)^2 (DRL).

    c is the channel's correlation of texts with their videos over the batch, each as one embedding. The released code
    correlates matching tokens and frames instead (`redundancy`).
    """
    centred = (x - x.mean(0) for x in (F.normalize(text, dim=-1), F.normalize(video, dim=-1)))
    return (F.cosine_similarity(*centred, dim=0) - 1).square().sum()


def cross_correlation(
    x: Float[Tensor, "N E"], y: Float[Tensor, "N E"], weight: Float[Tensor, " N"]
) -> Float[Tensor, "E E"]:
    """Return the weighted sum over rows of the products of every channel of x with every channel of y (DRL, `cdcr`).

    Each channel is centred and divided by its standard deviation over the rows (the one with N - 1). Weights of 1/N
    therefore give (N - 1)/N times Pearson's correlation, as in the released code.
    """
    standard_x, standard_y = ((z - z.mean(0)) / z.std(0) for z in (x, y))
    return (weight[:, None] * standard_x).T @ standard_y


def redundancy(correlation: Float[Tensor, "E E"], diagonal: float, off_diagonal: float) -> Float[Tensor, ""]:
    """Return diagonal * the sum of (c_ii - 1)^2 + off_diagonal * the sum of the other c_ij^2 (DRL's two alphas)."""
    own = correlation.diagonal()
    others = correlation.square().sum() - own.square().sum()
    return diagonal * (own - 1).square().sum() + off_diagonal * others
