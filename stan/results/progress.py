"""A run's log in; how far it has come, how good, how fast, and how long it will take still, out."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class RunProgress:
    """Of a run that is under way, or was; None where its log doesn't tell yet."""

    epochs: int
    epoch: int | None = None
    """The one in progress; the first is 1."""
    step: int | None = None
    loss: float | None = None
    rate: float | None = None
    """Clips per second of the last step."""
    best: float | None = None
    """Highest validation value so far."""
    remaining: float | None = None
    """Seconds of the steps to come, from those so far; known once the first epoch is over, which tells their number."""


def progress(log: pd.DataFrame, epochs: int, metric: str) -> RunProgress:
    """log: as `results.history` gives it; epochs: of the whole run; metric: the validation's headline."""
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
    """Seconds of the steps to come, from the seconds `spent` on those done; in_epoch: steps of an epoch."""
    return spent / done * max(0, epochs * in_epoch - done)


def _remaining(steps: pd.DataFrame, epochs: int) -> float | None:
    now, in_epoch = steps.iloc[-1], int((steps["epoch"] == 0).sum())
    return remaining(float(now["time"]), len(steps), in_epoch, epochs) if now["epoch"] > 0 else None
