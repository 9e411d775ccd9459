"""A study and overrides in; its rows and their learning-rate trials, as experiments, out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stan import experiments
from stan.config import Experiment
from stan.experiments.overrides import backbone_of, changed


def rows_of(
    study: str,
    suite: str,
    size: str,
    root: str | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    only: Sequence[str] = (),
) -> list[Experiment]:
    """Return the study's rows with seed 0 and `overrides`: all, or only those named in `only`.

    Raises ValueError for unknown names.
    """
    for name in only:
        experiments.row(study, name)
    every = experiments.study(study, suite, size, root, backbone_of(overrides))
    chosen = [row for row in every if not only or row.row in only]
    return [changed(row, overrides or {}) for row in chosen]


def trials_of(
    rows: Sequence[Experiment], overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Experiment]:
    """Return the learning-rate trials that the rows need, with all `overrides` except that of the learning rate."""
    kept = {
        part: {k: v for k, v in fields.items() if (part, k) != ("train", "lr")}
        for part, fields in (overrides or {}).items()
    }
    data, keys = rows[0].data, {experiments.rate_key(row) for row in rows}
    trials = experiments.rate_trials(rows[0].study, data.suite, data.size, backbone_of(overrides))
    trials = [changed(trial, kept) for trial in trials if experiments.rate_key(trial) in keys]
    return [replace(trial, data=replace(trial.data, root=data.root)) for trial in trials]


def with_rate(row: Experiment, rates: Mapping[str, Any]) -> Experiment:
    return replace(row, train=replace(row.train, lr=rates[experiments.rate_key(row)]["lr"]))
