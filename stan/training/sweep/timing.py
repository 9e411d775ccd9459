"""A sweep's clock and its runs' logs in; how long it took, and which share of that was spent outside training, out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stan import results

_LOGGED = {"time": "max", "validation_seconds": "sum"}


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
    validation: float = 0.0
    """In validation after each epoch, all runs together."""

    @property
    def outside(self) -> float | None:
        """Share of the time of all places (`at_once`) spent on neither steps nor validation, which picks the epoch:
        kernels' starts, decoding, levels, tests, reports, and places that stood empty. None where nothing was done.
        """
        inside = self.training + self.validation
        return 1 - inside / (self.seconds * self.at_once) if self.seconds else None

    @contextmanager
    def clocked(self, *names: str) -> Iterator[None]:
        """Adds the seconds within to the fields named."""
        began = time.monotonic()
        try:
            yield
        finally:
            for name in names:
                setattr(self, name, getattr(self, name) + time.monotonic() - began)


def logged(folder: Path) -> tuple[float, float]:
    """Seconds in steps and in validation that the run's log tells, of all attempts; zeros where another trained."""
    log = results.history(folder)
    if log.empty or results.read(folder)["run"].get("same_as") is not None:
        return 0.0, 0.0
    return tuple(float(log[name].agg(how)) if name in log else 0.0 for name, how in _LOGGED.items())
