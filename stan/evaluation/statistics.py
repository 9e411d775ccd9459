"""Per-query values of one run or of several seeds in; means, bootstrap intervals and paired changes out.

Intervals are 95 % percentile intervals of a bootstrap. Queries are drawn with replacement, with the same draw for
all seeds, because all seeds answer the same queries. If there are several seeds, `paired` also draws seeds, for
each side separately, so that the interval covers both another test set and another initialisation. With very few
seeds, that part of the uncertainty is known only roughly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

INTERVAL = (2.5, 97.5)
_DRAWN_AT_ONCE = 4_000_000  # values held in memory per piece of the bootstrap


@dataclass(frozen=True)
class Change:
    """Paired change from a to b, in the unit of the values."""

    change: float
    low: float
    high: float
    won: int
    """Number of queries on which b is better, averaged over seeds; `lost` counts those on which it is worse."""
    lost: int
    p: float
    """Two-sided. Of one seed on each side, that of the exact sign test over won and lost; with 0/1 values, McNemar's
    exact test. Of several seeds, that of the draws behind the interval: the sign test knows nothing of seeds, and would
    call certain what another seed turns round."""


def bootstrap(
    values: Float[np.ndarray, "*seeds Q"],
    repeats: int = 10000,
    seed: int = 0,
    statistic: Callable[..., np.ndarray] = np.mean,
) -> tuple[float, float, float]:
    """Return (value, low, high): `statistic` over queries, averaged over seeds, and its 95 % interval over queries.

    `values`: (Q,) or (seeds, Q); `statistic`: np.mean, np.median or anything else with an `axis`.
    """
    values = _by_seed(values)
    (drawn,), _ = _resampled([values], repeats, seed, statistic)
    low, high = np.percentile(drawn.mean(axis=1), INTERVAL)
    return float(statistic(values, axis=-1).mean()), float(low), float(high)


def proportion(count: int, total: int) -> tuple[float, float, float]:
    """Return (percent, low, high): `count` of `total` independent trials and its 95 % interval, Wilson's (1927).

    For a few trials: a bootstrap of trials that all end alike would claim to be certain.
    """
    z = 1.959964
    share, weight = count / total, z**2 / total
    middle = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / total + weight / total / 4) / (1 + weight)
    return 100 * share, 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)


def paired(
    a: Float[np.ndarray, "*seeds_a Q"],
    b: Float[np.ndarray, "*seeds_b Q"],
    repeats: int = 10000,
    seed: int = 0,
    statistic: Callable[..., np.ndarray] = np.mean,
    higher_is_better: bool = True,
) -> Change:
    """Return b minus a on the same queries, averaged over seeds, with its 95 % interval and its p.

    `a`, `b`: (Q,) or (seeds, Q). The numbers of seeds may differ; the queries must be the same in the same order.
    `higher_is_better`: False for ranks, so that won still means that b is better.
    """
    a, b = _by_seed(a), _by_seed(b)
    drawn = drawn_changes(a, b, repeats, seed, statistic)
    low, high = np.percentile(drawn, INTERVAL)
    change = statistic(b, axis=-1).mean() - statistic(a, axis=-1).mean()
    better = np.sign(_difference(a, b)) * (1 if higher_is_better else -1)
    won, lost = int((better > 0).sum()), int((better < 0).sum())
    p = sign_test(won, lost) if len(a) == len(b) == 1 else min(1.0, 2 * min(one_sided(drawn)))
    return Change(float(change), float(low), float(high), won, lost, p)


def drawn_changes(
    a: Float[np.ndarray, "*seeds_a Q"],
    b: Float[np.ndarray, "*seeds_b Q"],
    repeats: int = 10000,
    seed: int = 0,
    statistic: Callable[..., np.ndarray] = np.mean,
) -> Float[np.ndarray, " repeats"]:
    """Return b minus a, averaged over seeds, in each draw of the bootstrap that `paired` takes its interval from."""
    a, b = _by_seed(a), _by_seed(b)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"paired values need the same queries: {a.shape[1]} on one side, {b.shape[1]} on the other"
        )
    sides, rng = _resampled([a, b], repeats, seed, statistic)
    before, after = (_over_seeds(drawn, rng) for drawn in sides)
    return after - before


def one_sided(drawn: Float[np.ndarray, " repeats"]) -> tuple[float, float]:
    """Return the p-values of a change that is at most 0, and of one that is at least 0, from its bootstrap draws.

    One draw is added to either count, so that no finite number of draws gives a p of 0.
    """
    below, above = (int(beyond.sum()) for beyond in (drawn <= 0, drawn >= 0))
    return (1 + below) / (1 + len(drawn)), (1 + above) / (1 + len(drawn))


def sign_test(won: int, lost: int) -> float:
    """Return the exact two-sided p of `won` against `lost` in fair coin tosses; 1 if nothing changed."""
    tosses = won + lost
    ways = tail = 1
    for k in range(min(won, lost)):
        ways = ways * (tosses - k) // (k + 1)  # of k + 1 heads; computed anew each time, it takes minutes
        tail += ways
    return min(1.0, 2 * tail / 2**tosses)


def won_lost(
    a: Float[np.ndarray, "*seeds_a Q"],
    b: Float[np.ndarray, "*seeds_b Q"],
    ids: Sequence[str] | np.ndarray,
    higher_is_better: bool = True,
) -> tuple[list[str], list[str]]:
    """Return (won, lost): ids of the queries on which b is better or worse than a, the largest difference first."""
    gain = _difference(_by_seed(a), _by_seed(b)) * (1 if higher_is_better else -1)
    if len(ids) != len(gain):
        raise ValueError(f"{len(ids)} ids for {len(gain)} queries")
    order = np.argsort(-gain, kind="stable")
    won = [str(ids[i]) for i in order if gain[i] > 0]
    return won, [str(ids[i]) for i in order[::-1] if gain[i] < 0]


def _by_seed(values: np.ndarray) -> np.ndarray:
    values = np.atleast_2d(np.asarray(values, dtype=float))
    if values.ndim != 2 or values.size == 0:
        raise ValueError(
            f"values must be (queries,) or (seeds, queries) and not empty; their shape is {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("values hold NaN or infinity; each query needs a finite value")
    return values


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    gain = b.mean(axis=0) - a.mean(axis=0)
    return np.where(np.abs(gain) > 1e-9, gain, 0.0)  # means over seeds leave rounding errors


def _resampled(
    sides: list[np.ndarray], repeats: int, seed: int, statistic: Callable
) -> tuple[list[np.ndarray], np.random.Generator]:
    """Return the statistic of every seed on draws of queries that all sides share: one (repeats, seeds) per side.

    Also return the generator that drew the queries, for the draws that follow.
    """
    together = np.concatenate(sides)  # so that the counts become floats only once
    seeds, queries = together.shape
    counts, state = _draws(queries, repeats, seed)
    piece = max(1, _DRAWN_AT_ONCE // (queries * seeds))
    parts = [counts[start : start + piece] for start in range(0, repeats, piece)]
    rng = np.random.default_rng()
    rng.bit_generator.state = state
    drawn = np.concatenate([_of_drawn(together, part, statistic) for part in parts])
    return np.split(drawn, np.cumsum([len(side) for side in sides])[:-1], axis=1), rng


@lru_cache(maxsize=2)
def _draws(queries: int, repeats: int, seed: int) -> tuple[np.ndarray, Mapping[str, Any]]:
    """Return how often each query is in each draw, (repeats, queries) uint8, and the generator's state afterwards.

    The result is cached, because one report draws the same queries for every row and metric.
    """
    rng = np.random.default_rng(seed)
    counts = np.empty((repeats, queries), np.uint8)
    piece = max(1, _DRAWN_AT_ONCE // queries)
    for start in range(0, repeats, piece):
        part = counts[start : start + piece]
        places = rng.integers(queries, size=part.shape) + np.arange(len(part))[:, None] * queries
        part[:] = np.bincount(places.ravel(), minlength=part.size).reshape(part.shape)
    counts.setflags(write=False)
    return counts, rng.bit_generator.state


def _of_drawn(values: np.ndarray, counts: np.ndarray, statistic: Callable) -> np.ndarray:
    """Return the statistic (draws, seeds) of values (seeds, Q) and counts (draws, Q)."""
    if statistic is np.mean:
        return counts @ values.T / values.shape[1]
    drawn: np.ndarray = np.repeat(np.tile(np.arange(values.shape[1]), len(counts)), counts.ravel())
    return statistic(values[:, drawn.reshape(counts.shape)], axis=-1).T


def _over_seeds(drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    chosen = rng.integers(drawn.shape[1], size=drawn.shape)
    return np.take_along_axis(drawn, chosen, axis=1).mean(axis=1)
