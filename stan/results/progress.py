"""A run's log in; how far the run has come, how good and how fast it is, and how long it will still take, out."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class RunProgress:
    """Progress of a run, whether it still runs or not; a value that its log doesn't tell yet is None."""

    epochs: int
    epoch: int | None = None
    """The epoch in progress; the first is 1."""
    step: int | None = None
    loss: float | None = None
    rate: float | None = None
    """Clips per second in the last step."""
    best: float | None = None
    """Highest validation value so far."""
    remaining: float | None = None
    """Estimated seconds of the remaining steps. Known after the first epoch, which tells the number of steps."""


def progress(log: pd.DataFrame, epochs: int, metric: str) -> RunProgress:
    """Return a run's progress.

    log: as `results.history` returns it; epochs: of the whole run; metric: the headline metric of validation.
    """
    if "loss" not in log:
        return RunProgress(epochs)
    steps = log.dropna(subset=["loss"])
    now, validation = steps.iloc[-1], log.get(f"validation.{metric}")
    return RunProgress(
        epochs,
        epoch=int(now["epoch"]) + 1,
        step=int(now["step"]),
        loss=float(now["loss"]),
        rate=float(now["clips_per_second"]),
        best=None if validation is None or validation.isna().all() else float(validation.max()),
        remaining=_remaining(steps, epochs),
    )


def remaining(spent: float, done: int, in_epoch: int, epochs: int) -> float:
    """Estimate the remaining steps' seconds from the seconds `spent` on `done` steps; in_epoch: steps per epoch."""
    return spent / done * max(0, epochs * in_epoch - done)


def _remaining(steps: pd.DataFrame, epochs: int) -> float | None:
    now, in_epoch = steps.iloc[-1], int((steps["epoch"] == 0).sum())
    return remaining(float(now["time"]), len(steps), in_epoch, epochs) if now["epoch"] > 0 else None
