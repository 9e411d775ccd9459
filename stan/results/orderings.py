"""The table of runs in; for each registered ordering of rows whether it holds, with corrected intervals, out.

An ordering is a paired comparison of rows over identical queries. All are decided together: Holm's correction keeps the
chance of any wrong decision, over all registered orderings, below the registered level. Those without runs count as
looks, too. Where a row must be above several others, it must be above each of them; so the pair with the largest p
counts (an intersection-union test), and one pair that is decided the other way, corrected for their number, is enough
to say that the ordering doesn't hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from stan.data.datasets import task
from stan.evaluation.decisions import deciding, holm
from stan.evaluation.metrics import HEADLINE
from stan.evaluation.statistics import drawn_changes, one_sided
from stan.experiments.orderings import Ordering, Registered, registered
from stan.results.comparison import one_per_seed, paired_queries, protocol_differences

REPEATS = 20_000
"""Draws of the bootstrap: a corrected interval may leave out as little as 0.2 % at either end."""
STATES = ("holds", "does not", "undecided", "not run")


@dataclass(frozen=True)
class _Pair:
    """One row above another on one suite, as far as the runs tell."""

    suite: str
    below: str
    before: np.ndarray
    after: np.ndarray
    drawn: np.ndarray
    """Bootstrap draws of the change from `below`, with the margin of "at or above" added."""

    @property
    def ps(self) -> tuple[float, float]:
        """One-sided p-values: of a change that isn't above 0, and of one that isn't below 0."""
        return one_sided(self.drawn)

    @property
    def won_lost(self) -> tuple[int, int]:
        """Numbers of queries that the row answers better, and worse, in the mean over seeds."""
        gain = np.round(self.after.mean(0) - self.before.mean(0), 9)
        return int((gain > 0).sum()), int((gain < 0).sum())


def orderings(
    runs: pd.DataFrame, size: str = "quick", backbone: str = "tiny", repeats: int = REPEATS
) -> list[dict[str, Any]]:
    """Return one item per registered ordering, from the done runs of a size on a backbone.

    Keys: number, claim, suites, study, above, below; state (one of STATES); p (two-sided) and adjusted; missing (rows
    without runs, as suite/row); and, if any pair has runs, of the pair that decides: against (its row), on (its suite),
    change, low, high (points of the suite's headline metric, in an interval of the level that Holm's correction
    leaves), won, lost (queries), seeds, queries, and, where undecided, seeds_needed and queries_needed (see
    `stan.evaluation.decisions.deciding`). Raises ValueError if there are done runs but none of that size and backbone,
    if those of a row have several configs, or those of a pair different protocols or queries.
    """
    plan = registered()
    done = _of_place(runs[runs["status"] == "done"], size, backbone)
    found = [_pairs(done, one, plan.margin, repeats) for one in plan.orderings]
    ps = [_two_sided(pairs, missing) for pairs, missing in found]
    return [
        _item(one, pairs, missing, p, adjusted, times, plan)
        for one, (pairs, missing), p, (adjusted, times) in zip(
            plan.orderings, found, ps, holm(ps), strict=True
        )
    ]


def _of_place(done: pd.DataFrame, size: str, backbone: str) -> pd.DataFrame:
    if done.empty:
        return done
    places = (
        done[["size", "model.backbone"]].dropna().drop_duplicates().sort_values(["model.backbone", "size"])
    )
    if (size, backbone) not in set(places.itertuples(index=False, name=None)):
        there = ", ".join(f"{of} on {tower}" for of, tower in places.itertuples(index=False))
        raise ValueError(f"no done run of size {size} on {backbone}; there are runs of {there}")
    return done[(done["size"] == size) & (done["model.backbone"] == backbone)]


def _pairs(
    done: pd.DataFrame, ordering: Ordering, margin: float, repeats: int
) -> tuple[list[_Pair], list[str]]:
    """Return the pairs of rows that have runs, and the rows that have none."""
    pairs, missing = [], []
    for suite in ordering.suites:
        of_suite = done[(done["study"] == ordering.study) & (done["suite"] == suite)] if len(done) else done
        above = _row(of_suite, ordering.above)
        if above is None:
            missing.append(f"{suite}/{ordering.above}")
        for name in ordering.below:
            below = _row(of_suite, name)
            if below is None:
                missing.append(f"{suite}/{name}")
            elif above is not None:
                shift = margin if ordering.at_or else 0.0
                pairs.append(_pair(suite, name, below, above, shift, repeats))
    return pairs, missing


def _row(runs: pd.DataFrame, name: str) -> pd.DataFrame | None:
    """Return a row's runs, one per seed; one that was shipped gives way to the same run repeated here."""
    chosen = runs[runs["row"] == name] if len(runs) else runs
    if not len(chosen):
        return None
    if chosen["hash"].nunique() > 1:
        raise ValueError(
            f"row {name} of {chosen['study'].iloc[0]} on {chosen['suite'].iloc[0]} has runs of"
            f" {chosen['hash'].nunique()} configs: give a folder that holds one of them"
        )
    return one_per_seed(chosen)


def _pair(
    suite: str, name: str, below: pd.DataFrame, above: pd.DataFrame, margin: float, repeats: int
) -> _Pair:
    differences = protocol_differences(below, above)
    if differences:
        raise ValueError(
            f"{name} and {above['row'].iloc[0]} on {suite}: not the same {'; '.join(differences)}"
        )
    _, before, after = paired_queries(below, above, HEADLINE[task(suite)])
    return _Pair(suite, name, before, after, drawn_changes(before, after, repeats) + margin)


def _two_sided(pairs: Sequence[_Pair], missing: Sequence[str]) -> float:
    """Return the p-value of the ordering's decision; with rows missing, it can only be decided against."""
    if not pairs:
        return 1.0
    upward = 1.0 if missing else max(pair.ps[0] for pair in pairs)
    downward = min(1.0, len(pairs) * min(pair.ps[1] for pair in pairs))
    return min(1.0, 2 * min(upward, downward))


def _item(
    ordering: Ordering,
    pairs: Sequence[_Pair],
    missing: Sequence[str],
    p: float,
    adjusted: float,
    times: float,
    plan: Registered,
) -> dict[str, Any]:
    named = {
        name: getattr(ordering, name) for name in ("number", "claim", "suites", "study", "above", "below")
    }
    if not pairs:
        return named | {"state": "not run", "p": p, "adjusted": adjusted, "missing": list(missing)}
    decided = adjusted < plan.level
    worst = max(pairs, key=lambda pair: (pair.ps[0], -pair.drawn.mean()))
    state = "undecided"
    if decided:
        state = "does not" if worst.ps[1] < worst.ps[0] else "holds"
    level = plan.level / times
    shift = plan.margin if ordering.at_or else 0.0
    low, high = np.quantile(worst.drawn - shift, (level / 2, 1 - level / 2))
    needed = deciding(worst.before, worst.after, level, shift)
    won, lost = worst.won_lost
    return named | {
        "state": state,
        "p": p,
        "adjusted": adjusted,
        "against": worst.below,
        "on": worst.suite,
        "change": float(worst.after.mean() - worst.before.mean()),
        "low": float(low),
        "high": float(high),
        "won": won,
        "lost": lost,
        "seeds": min(len(worst.before), len(worst.after)),
        "queries": worst.before.shape[1],
        "seeds_needed": None if decided else needed.seeds,
        "queries_needed": None if decided else needed.queries,
        "missing": list(missing),
    }
