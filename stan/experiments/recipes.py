"""A recipe's name in; the paper's row or the rival's released row with this name, or its experiment, out."""

from __future__ import annotations

from dataclasses import replace

from stan.config import Experiment
from stan.experiments import paper_rows, released
from stan.experiments.paper_rows import BENCHMARKS, Benchmark
from stan.experiments.released import RELEASED

STUDIES = (paper_rows.STUDY, released.STUDY)
"""Studies whose rows are recipes: each is trained on its own set."""

RECIPES: dict[str, Benchmark] = BENCHMARKS | RELEASED


def recipe(name: str) -> Benchmark:
    """Return a row by name. Raises ValueError, which lists all rows, for an unknown name."""
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]


def experiment(name: str, suite: str, root: str | None, seed: int = 0) -> Experiment:
    """Return a row's experiment on the set under `root`. Raises ValueError for a row of another set or without root."""
    row = recipe(name).experiment
    if suite != row.data.suite or root is None:
        raise ValueError(
            f"{name} is trained on {row.data.suite}: give --data {row.data.suite}:ROOT, its folder"
        )
    return replace(row, data=replace(row.data, root=root), seed=seed)
