"""A sweep's clock and its runs' logs in; how long it took, and which share of that no step of training took, out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stan import results
from stan.sweep_display import last_step


@dataclass
class Spent:
    """Seconds of one call of a sweep, what was done before left out."""

    seconds: float = 0.0
    """From its beginning to its end."""
    at_once: int = 1
    """Runs side by side, each with its share of the cores."""
    preparing: float = 0.0
    """Of those: worlds, decoding and levels that runs share."""
    reporting: float = 0.0
    """Of those: the ablation notebook and its HTML."""
    training: float = 0.0
    """In steps of training, all runs together."""

    @property
    def outside(self) -> float | None:
        """Share of the time of all places (`at_once`) in which no step was taken: kernels' starts, decoding, levels,
        validation, tests, reports, and places that stood empty. None where nothing was done.
        """
        return 1 - self.training / (self.seconds * self.at_once) if self.seconds else None

    @contextmanager
    def clocked(self, *names: str) -> Iterator[None]:
        """Adds the seconds within to the fields named."""
        began = time.monotonic()
        try:
            yield
        finally:
            for name in names:
                setattr(self, name, getattr(self, name) + time.monotonic() - began)


def in_steps(folder: Path) -> float:
    """Seconds of training that the run's log tells, of all attempts; 0 where it took over what another trained."""
    if results.read(folder)["run"].get("same_as") is not None:
        return 0.0
    return float(last_step(folder / "metrics.jsonl").get("time", 0.0))
