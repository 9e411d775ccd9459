"""Run folders in; the state and progress of runs that are under way or stopped early, out."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.tables import arguments, records, study_tables
from stan import results
from stan.common import jobs
from stan.config import Experiment
from stan.data.datasets import task
from stan.evaluation.metrics import HEADLINE
from stan.results.progress import RunProgress, progress

UNDER_WAY = ("running", "died", "interrupted")

_POINTS = 60
"""Approximate number of points on the small curve in the table."""


@dataclass(frozen=True)
class UnfinishedRun:
    """The current state of a run that isn't done."""

    id: str
    experiment: Experiment
    status: str
    """One of UNDER_WAY."""
    command: str
    """The command that started it; it also resumes the run where it stopped. "": it was killed before it said so."""
    elapsed: float
    """Seconds spent on all attempts."""
    silent: float
    """Seconds since its last heartbeat."""
    metric: str
    """Headline metric of the validation."""
    progress: RunProgress
    steps: pd.DataFrame
    validation: pd.DataFrame
    """Like `steps`, as `study_tables.curves` returns it."""

    @property
    def share(self) -> float:
        """Share of the epochs that are over or in progress, from 0 to 1."""
        return min(1.0, (self.progress.epoch or 0) / self.progress.epochs) if self.progress.epochs else 0.0


def chosen(part: str = "") -> pd.DataFrame:
    """Return the runs of `records.runs` with `part` in their names (`records.named`)."""
    table = records.runs()
    return table[records.named(table, part)]


def unfinished(table: pd.DataFrame) -> list[UnfinishedRun]:
    """Return the runs that are under way or stopped, with what their record and log say now."""
    found = [results.read(path) for path in table.loc[table["status"].isin(UNDER_WAY), "path"]]
    return [_unfinished(one) for one in found if one["status"] in UNDER_WAY]


def work() -> list[jobs.Job]:
    """Return the running jobs other than single runs: rendering worlds, computing levels, sweeps, indexing."""
    found = jobs.running([*arguments.roots(), arguments.worlds(), *arguments.libraries()])
    return [one for one in found if one.name != jobs.QUICKSTART]


def ended(table: pd.DataFrame) -> pd.DataFrame:
    """Return at most five of the user's own runs that ended (done or failed), the latest first."""
    over = table[table["status"].isin(["done", "failed"]) & ~table["shipped"]]
    return over.sort_values("end", ascending=False).head(5) if len(over) else over


def stopped(runs: list[UnfinishedRun]) -> dict[str, list[UnfinishedRun]]:
    """Return the runs that don't run any more, by the command that resumes them."""
    found: dict[str, list[UnfinishedRun]] = {}
    for run in runs:
        if run.status != "running":
            found.setdefault(run.command, []).append(run)
    return found


def table(runs: list[UnfinishedRun]) -> pd.DataFrame:
    """Return one line per run, with the losses of its steps for a small curve."""
    return pd.DataFrame(
        {
            "run": f"{run.experiment.row}, seed {run.experiment.seed}",
            "study": run.experiment.study,
            "suite": run.experiment.data.suite,
            "epoch": f"{run.progress.epoch or '–'} of {run.progress.epochs}",
            "step": run.progress.step,
            "loss": run.progress.loss,
            "losses": _thinned(run.steps["loss"]),
            "best on validation": run.progress.best,
            "metric": labels.metric(run.metric),
            "clips/s": run.progress.rate,
            "elapsed": labels.duration(run.elapsed),
            "remaining": None if run.progress.remaining is None else labels.duration(run.progress.remaining),
        }
        for run in runs
    )


def _thinned(losses: pd.Series) -> list[float]:
    return losses.iloc[:: max(1, len(losses) // _POINTS)].tolist()


def _unfinished(found: dict[str, Any]) -> UnfinishedRun:
    experiment, run = found["experiment"], found["run"]
    metric = HEADLINE[task(experiment.data.suite)]
    silent, seconds = _silent(run), run.get("seconds")
    spent = float(seconds) if isinstance(seconds, int | float) else 0.0
    told, steps, validation = _log(found["path"], _size(found["path"]), experiment.train.epochs, metric)
    return UnfinishedRun(
        id=found["id"],
        experiment=experiment,
        status=found["status"],
        command=str(run.get("command") or ""),
        elapsed=spent + (silent if found["status"] == "running" else 0.0),
        silent=silent,
        metric=metric,
        progress=told,
        steps=steps,
        validation=validation,
    )


def _silent(run: dict[str, Any]) -> float:
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(run["heartbeat"])).total_seconds()
    except (KeyError, TypeError, ValueError):  # killed before its first heartbeat, or not our file
        return 0.0


@st.cache_data(show_spinner=False, max_entries=64)
def _log(path: str, size: int, epochs: int, metric: str) -> tuple[RunProgress, pd.DataFrame, pd.DataFrame]:
    """Return progress, steps and validation of a run; `size` makes the cache read the log again once it has grown.

    A log that can't be read counts as empty.
    """
    for log in (results.history(path), pd.DataFrame()):
        with contextlib.suppress(KeyError, TypeError, ValueError):
            steps, validation, _ = study_tables.curves(log, metric)
            return progress(log, epochs, metric), steps, validation
    raise AssertionError("an empty log can be read")


def _size(path: str) -> int:
    file = Path(path) / "metrics.jsonl"
    return file.stat().st_size if file.is_file() else 0
