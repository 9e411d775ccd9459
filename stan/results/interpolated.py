"""What a run found with CLIP's weights moved back in; lines by measured set and share, also over several seeds, out.

`stan.results.weight_interpolation` measures it. Apart from that, for readers of kept results: they need no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stan.evaluation import statistics
from stan.evaluation.metrics import HEADLINE
from stan.results.comparison import query_values
from stan.results.record import beside
from stan.results.record_files import INTERPOLATION

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
VIDEOS, STILLS = "videos", "stills"
GROUPS = {VIDEOS: "", "seen concepts": "seen.", "unseen concepts": "unseen."}
"""The test videos, and those that show only concepts of the training videos, or others, as prefixes of a metric."""

Measured = Mapping[str, Any]
"""A set's "metric", the "shares" it was measured with, and arrays of `ranks.npz` as lists: ranks have one per share."""


def read(path: str | Path) -> dict[str, Any] | None:
    """Return what was kept beside the record of the run in the folder `path`; None if nothing can be read."""
    return beside(path, INTERPOLATION, _is_interpolation)


def lines(name: str, seeds: Sequence[Measured]) -> list[dict[str, Any]]:
    """Return what one set measured, in one run or in several that differ in their seed, one item per group and share.

    Items: on (a key of GROUPS, or the set's name), metric, share, value, low, high and, paired with share 0, change,
    change_low, change_high, won, lost, p. Raises ValueError if the seeds were measured on other queries or shares.
    """
    first = seeds[0]
    groups = GROUPS if name == VIDEOS and "seen" in first else {name: ""}
    return [
        {"on": on, "metric": first["metric"], "share": share} | _compared(by_share[:, 0], by_share[:, i])
        for on, prefix in groups.items()
        for by_share in [_stacked(seeds, prefix)]
        for i, share in enumerate(first["shares"])
    ]


def _stacked(seeds: Sequence[Measured], prefix: str) -> np.ndarray:
    """Return the headline's values (seeds, shares, Q)."""
    asked = [(one["shares"], one.get("query_ids", one.get("video_ids"))) for one in seeds]
    if any(one != asked[0] for one in asked):
        raise ValueError("seeds were measured with other shares or on other queries")
    return np.stack([[_values(one, i, prefix) for i in range(len(one["shares"]))] for one in seeds])


def _values(measured: Measured, i: int, prefix: str) -> np.ndarray:
    arrays = {
        name: np.asarray(measured[name]) for name in ("query_ids", "video_ids", "seen") if name in measured
    }
    ranks = {name: np.asarray(measured[name][i]) for name in ("t2v", "ranks") if name in measured}
    return query_values(arrays | ranks, prefix + measured["metric"])[1]


def _compared(as_trained: np.ndarray, moved: np.ndarray) -> dict[str, Any]:
    """Return the value of `moved` (seeds, Q), and its change: each seed is drawn with its own model as trained."""
    value, low, high = statistics.bootstrap(moved)
    change = statistics.paired(np.zeros_like(moved), moved - as_trained)
    return {
        "value": value,
        "low": low,
        "high": high,
        "change": change.change,
        "change_low": change.low,
        "change_high": change.high,
        "won": change.won,
        "lost": change.lost,
        "p": change.p,
    }


def _is_interpolation(found: dict[str, Any]) -> bool:
    measured = found.get("measured")
    return isinstance(measured, dict) and all(map(_is_measured, measured.values()))


def _is_measured(one: Any) -> bool:
    """Tell whether a set has all that `lines` reads; a run's folder may come from anywhere."""
    if not isinstance(one, dict) or one.get("metric") not in HEADLINE.values():
        return False
    ids, ranks = (
        one.get(name, one.get(other)) for name, other in (("query_ids", "video_ids"), ("t2v", "ranks"))
    )
    if not (isinstance(one.get("shares"), list) and isinstance(ids, list) and isinstance(ranks, list)):
        return False
    lengths = [len(line) for line in ranks if isinstance(line, list) and all(map(_is_number, line))]
    seen = one.get("seen", ids)
    return lengths == [len(ids)] * len(one["shares"]) and isinstance(seen, list) and len(seen) == len(ids)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
