"""P-values and draws of changes in; what is decided after several looks, and what would decide the rest, out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float

POWER = 0.8
"""Chance with which `deciding` seeds or queries find a change as large as the one seen."""


def holm(ps: Sequence[float]) -> list[tuple[float, float]]:
    """Return each p-value adjusted for all of them, and by how many of them it was multiplied (Holm 1979).

    The smallest p is multiplied by their number, the next by one less, and so on. An adjusted p is at least as large as
    those before it.
    """
    order = sorted(range(len(ps)), key=lambda i: ps[i])
    found: dict[int, tuple[float, float]] = {}
    largest = 0.0
    for place, i in enumerate(order):
        times = len(ps) - place
        largest = max(largest, min(1.0, times * ps[i]))
        found[i] = largest, times
    return [found[i] for i in range(len(ps))]


@dataclass(frozen=True)
class Deciding:
    """What would decide a change of the size seen with a chance of POWER, if one of the two numbers is raised alone."""

    seeds: int | None
    """Seeds of either side; None if no number is enough, or if there is only one seed to learn their spread from."""
    queries: int | None
    """Queries; None if no number is enough."""


def deciding(
    a: Float[np.ndarray, "seeds_a Q"], b: Float[np.ndarray, "seeds_b Q"], level: float, margin: float = 0.0
) -> Deciding:
    """Return the seeds and the queries with which b minus a, plus `margin`, would be told from 0 at a two-sided level.

    The variance of the change is taken to be that of the queries' changes over Q, plus that of each side's seeds over
    their number; both parts are estimated from the values at hand.
    """
    gain = b.mean(0) - a.mean(0)
    if gain.mean() + margin == 0:
        return Deciding(None, None)
    normal = NormalDist()
    steps = normal.inv_cdf(1 - level / 2) + normal.inv_cdf(POWER)
    allowed = ((gain.mean() + margin) / steps) ** 2
    of_queries = gain.var(ddof=1)
    several = min(len(a), len(b)) > 1
    of_seeds = [side.mean(1).var(ddof=1) for side in (a, b)] if several else [0.0, 0.0]
    left_for_seeds = allowed - of_queries / gain.size
    left_for_queries = allowed - of_seeds[0] / len(a) - of_seeds[1] / len(b)
    return Deciding(
        _number(sum(of_seeds), left_for_seeds, 2) if several else None,
        _number(of_queries, left_for_queries, 2),
    )


def _number(variance: float, allowed: float, least: int) -> int | None:
    return max(least, math.ceil(variance / allowed)) if allowed > 0 else None
