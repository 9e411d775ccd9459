"""Scores of a bank of unrelated sentences in; what a query's own score is worth beside them out.

The bank is every fourth name of Kinetics-400's classes: everyday doings, of which any one library shows few. Letters:
Q sentences, V videos.
"""

from __future__ import annotations

import torch
from jaxtyping import Float

from stan.data.datasets import kinetics

EVERY = 4
"""A hundred sentences: enough to tell the 95th percentile, and quick to score against a million videos."""
UNRELATED = 0.98
"""Share of the bank's sentences that find nothing which stands out more than a query that is called no match."""


def sentences() -> list[str]:
    return list(kinetics.class_names()[::EVERY])


def percentile(score: float, bank: Float[torch.Tensor, " Q"]) -> float:
    """How many percent of the bank's scores with the same video lie below."""
    return round(100 * float((bank < score).float().mean()), 2)


def prominence(
    scores: Float[torch.Tensor, "..."], bank: Float[torch.Tensor, "Q ..."]
) -> Float[torch.Tensor, "..."]:
    """How far scores stand above the bank's with the same videos, in the bank's standard deviations.

    A video that suits every sentence (a hub) thus has to suit the query better than others do.
    """
    return (scores - bank.mean(0)) / bank.std(0).clamp_min(1e-9)


def chance(bank: Float[torch.Tensor, "Q V"]) -> float:
    """The prominence that the best video of an unrelated sentence reaches by chance."""
    best = bank.argmax(1)
    reached = prominence(bank[torch.arange(len(bank)), best], bank[:, best])
    return float(reached.quantile(UNRELATED))
