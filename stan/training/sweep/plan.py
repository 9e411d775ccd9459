"""A study and the records so far in; what a sweep's runs would do and how long each would take, out. Runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from stan import experiments, results
from stan.config import Experiment
from stan.training.sweep import durations, rows_of, trials_of, with_rate
from stan.training.trainer import RESUME

WHAT = ("done", "taken over", "tested", "resumed", "trained")
"""done: there is nothing to do; taken over: an equal run has the numbers; tested: an equal training has the weights;
resumed: the run continues from its checkpoint; trained: it starts from the beginning."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep, before it happens."""

    experiment: Experiment
    what: str
    """One of WHAT."""
    seconds: float | None
    """Estimate from earlier records; None if no record is similar. A resumed run counts as if it began anew."""


def plan(
    study: str,
    suite: str,
    size: str = "quick",
    seeds: Sequence[int] = (0,),
    *,
    runs: str | Path = "runs",
    root: str | None = None,
    choose_rates: bool = False,
    overrides: dict[str, Any] | None = None,
    only: Sequence[str] = (),
) -> list[PlannedRun]:
    """Return what `sweep.ablate` would do with the same arguments, in its order.

    A row whose learning rate is still to be chosen has the rate of its first trial. Which rate it will take is known
    only after the trials, but how long it takes doesn't depend on that. Raises ValueError as `sweep.ablate` does.
    """
    rows, trials = rows_of(study, suite, size, root, overrides, only), []
    if not seeds:
        raise ValueError("no seeds: give at least one")
    records = results.load(runs)
    if choose_rates:
        trials = trials_of(rows, overrides)
        chosen = experiments.choose_rates(records, trials) if len(records) else {}
        first = {experiments.rate_key(trial): {"lr": trial.train.lr} for trial in reversed(trials)}
        rows = [with_rate(row, first | chosen) for row in rows]
    wanted = [replace(row, seed=seed) for seed in dict.fromkeys(seeds) for row in rows]
    done = records[records["status"] == "done"] if len(records) else records
    known = durations.known(records)
    equal, steps = _Equal(done), []
    for one in [*trials, *wanted]:
        what = equal.next(one, Path(runs) / one.id)
        steps.append(PlannedRun(one, what, _seconds(one, what, known)))
    return steps


def hours(steps: Sequence[PlannedRun], at_once: int) -> float | None:
    """Return the hours that all runs take, `at_once` side by side; None if one of them can't be estimated."""
    known = [step.seconds for step in steps if step.seconds is not None]
    return sum(known) / at_once / 3600 if len(known) == len(steps) else None


class _Equal:
    """Tells, experiment by experiment, what is left to do after the equal runs that are done or planned before it."""

    def __init__(self, done: pd.DataFrame):
        self._ids = set(done["id"])
        self._runs = set(zip(done["hash"], done["seed"], strict=True))
        self._trainings = set(zip(done["training_hash"], done["seed"], strict=True))

    def next(self, one: Experiment, folder: Path) -> str:
        run, training = (one.hash, one.seed), (one.training_hash, one.seed)
        if one.id in self._ids:
            return "done"
        what = "resumed" if (folder / RESUME).exists() else "trained"
        if run in self._runs:
            what = "taken over"
        elif training in self._trainings:
            what = "tested"
        self._runs.add(run)
        self._trainings.add(training)
        return what


def _seconds(one: Experiment, what: str, known: pd.DataFrame) -> float | None:
    return 0.0 if what in ("done", "taken over") else durations.seconds(one, known, tested=what == "tested")
