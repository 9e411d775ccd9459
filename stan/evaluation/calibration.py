"""Scores and their right labels in, the temperature that calibrates the softmax of the scores out.

Letters: N videos, C labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

if TYPE_CHECKING:
    from stan.models.dual_encoder import DualEncoder

BINS = 15
RANGE = (1e-3, 1.0)
"""Range of temperatures in which the best one is searched."""


def temperature_of(model: DualEncoder) -> tuple[float, bool]:
    """Return the temperature that divides cosines, and whether it was fitted.

    If it was not fitted, it is CLIP's own: one over the logit scale.
    """
    if model.temperature is not None:
        return model.temperature, True
    return float((-model.logit_scale.detach()).exp()), False


def fit(scores: Float[Tensor, "N C"], labels: Int[Tensor, " N"]) -> float:
    """Return the temperature with the lowest negative log-likelihood (Guo et al., ICML 2017).

    The search is a golden-section search on the logarithm of the temperature.
    """
    low, high = np.log(RANGE)
    ratio = (5**0.5 - 1) / 2
    while high - low > 1e-4:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        if _loss(scores, labels, a) < _loss(scores, labels, b):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def reliability(
    scores: Float[Tensor, "N C"], labels: Int[Tensor, " N"], temperature: float
) -> dict[str, float]:
    """Return {"nll", "ece", "confidence", "accuracy"}: negative log-likelihood in nats, the others in percent.

    ece: expected calibration error, the mean distance between confidence and accuracy over bins of equal width, each
    weighted by its number of videos.
    """
    confidence, guess = (scores.double() / temperature).softmax(1).max(1)
    right = (guess == labels).double()
    bins = (confidence * BINS).long().clamp(max=BINS - 1)
    gaps = torch.zeros(BINS, dtype=torch.float64).index_add(0, bins, confidence - right)
    return {
        "nll": _loss(scores, labels, np.log(temperature)),
        "ece": 100 * float(gaps.abs().sum()) / len(scores),
        "confidence": 100 * float(confidence.mean()),
        "accuracy": 100 * float(right.mean()),
    }


def _loss(scores: Tensor, labels: Tensor, log_temperature: float) -> float:
    return float(F.cross_entropy(scores.double() * np.exp(-log_temperature), labels))
