"""Scores of a bank of unrelated sentences in, how far a query's score stands out from them out.

The bank holds every fourth class name of Kinetics-400. These are everyday activities, and any one library shows only a
few of them. Letters: Q sentences, V videos.
"""

from __future__ import annotations

import torch
from jaxtyping import Float

from stan.data.datasets import kinetics

EVERY = 4
"""Step in the list of class names. It gives 100 sentences: enough to tell what stands out, and quick to score against a
million videos."""
UNRELATED = 0.98
"""A query is no match if its best video stands out no more than the bank's best videos do at this quantile."""


def sentences() -> list[str]:
    return list(kinetics.class_names()[::EVERY])


def percentile(score: float, bank: Float[torch.Tensor, " Q"]) -> float:
    """Return the percentage of the bank's scores with the same video that are lower than `score`."""
    return round(100 * float((bank < score).float().mean()), 2)


def prominence(
    scores: Float[torch.Tensor, "..."], bank: Float[torch.Tensor, "Q ..."]
) -> Float[torch.Tensor, "..."]:
    """Return how far scores lie above the bank's scores with the same videos, in the bank's standard deviations.

    A hub, which is a video that suits every sentence, therefore needs a higher score to stand out than other videos do.
    """
    return (scores - bank.mean(0)) / bank.std(0).clamp_min(1e-9)


def chance(bank: Float[torch.Tensor, "Q V"]) -> float:
    """Return the prominence that the best video of an unrelated sentence reaches by chance."""
    best = bank.argmax(1)
    reached = prominence(bank[torch.arange(len(bank)), best], bank[:, best])
    return float(reached.quantile(UNRELATED))
