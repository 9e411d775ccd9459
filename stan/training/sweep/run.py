"""Offers `Run`: one experiment of a sweep, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stan.config import Experiment
from stan.training.sweep.engines import Execution


@dataclass
class Run:
    """One experiment of a sweep and how far it has come."""

    experiment: Experiment
    folder: Path
    status: str = "waiting"
    """waiting, running, done, done before, failed or interrupted."""
    reason: str = ""
    running: Execution | None = None
    expected: float = 0.0
    """Seconds that the run should take, judged by earlier records; 0 if no record is similar."""
    started: float = 0.0
    seconds: float = 0.0
    """Seconds that its process has run in this call."""
    logged_before: tuple[float, float] = (0.0, 0.0)
    """Seconds of training and validation that its log told before this call."""
    training: float = 0.0
    """Seconds of its training steps in this call; steps that a resumed run repeats aren't counted."""
    validation: float = 0.0
    """Seconds of its validations in this call; validations that a resumed run repeats aren't counted."""

    @property
    def outside(self) -> float | None:
        """Share of its process's time spent on neither training nor validation; None if no process ran in this call."""
        return 1 - (self.training + self.validation) / self.seconds if self.seconds else None

    @property
    def over(self) -> bool:
        return self.status not in ("waiting", "running")

    @property
    def name(self) -> str:
        return f"{self.experiment.row}-s{self.experiment.seed}"
