"""Nothing in, a bank of sentences that have nothing to do with one's videos out; and what their scores tell of a query's."""

from __future__ import annotations

from importlib import resources

import numpy as np
import torch
from jaxtyping import Float

from stan.data.world.reading import draw_readings

WORLD = 100
"""Sentences of the embedded world, for models that know no other."""


def sentences() -> list[str]:
    """The names of Kinetics-400's classes, and sentences about the embedded world."""
    labels = (resources.files("stan.data") / "labels" / "kinetics400.txt").read_text().split("\n")
    return [label for label in labels if label] + draw_readings(WORLD, seed=0)[0]


def percentile(score: float, bank: Float[torch.Tensor, " Q"]) -> float:
    """How many percent of the bank's scores with the same video lie below."""
    return round(100 * float((bank < score).float().mean()), 2)
