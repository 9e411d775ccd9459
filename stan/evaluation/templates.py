"""Scores of every class in every template in, the mean over templates of the classes' probabilities out."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

SCALE = 100.0
"""Factor of cosines in ActionCLIP's `test.py`, whatever the model's logit scale is."""


def mean_probabilities(scores: Float[Tensor, "templates classes N"]) -> Float[Tensor, "classes N"]:
    """Return the softmax over classes of 100 times the scores of each template, averaged over templates."""
    return (SCALE * scores).softmax(1).mean(0)
