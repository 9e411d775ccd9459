"""One experiment of a sweep, and how far it has come."""

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
    """waiting, running, done, done before, failed, interrupted."""
    reason: str = ""
    running: Execution | None = None
    expected: float = 0.0
    """Seconds, from records; 0 where none is like it."""
    started: float = 0.0
    seconds: float = 0.0
    """Of its process, in this call."""
    logged_before: tuple[float, float] = (0.0, 0.0)
    training: float = 0.0
    """Seconds of its steps, in this call; what a resumed run repeats isn't counted."""
    validation: float = 0.0
    """Likewise."""

    @property
    def outside(self) -> float | None:
        """Share of its process's time spent on neither; None where it had none in this call."""
        return 1 - (self.training + self.validation) / self.seconds if self.seconds else None

    @property
    def over(self) -> bool:
        return self.status not in ("waiting", "running")

    @property
    def name(self) -> str:
        return f"{self.experiment.row}-s{self.experiment.seed}"
