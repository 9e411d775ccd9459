"""A sweep's clock and its runs' logs in; how long the sweep took, and the share spent outside training, out."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stan import results

_LOGGED = {"time": "max", "validation_seconds": "sum"}


@dataclass
class Spent:
    """Seconds that one call of a sweep spent. Work that was done before the call isn't counted."""

    seconds: float = 0.0
    """Seconds from the beginning of the call to its end."""
    at_once: int = 1
    """Number of runs side by side, each with its share of the cores."""
    preparing: float = 0.0
    """The part of `seconds` spent on worlds, decoding and levels that runs share."""
    reporting: float = 0.0
    """The part of `seconds` spent on the ablation notebook and its HTML."""
    training: float = 0.0
    """Seconds in training steps, summed over all runs."""
    validation: float = 0.0
    """Seconds in validation after each epoch, summed over all runs."""

    @property
    def outside(self) -> float | None:
        """Share of the time of all `at_once` places that was spent on neither training steps nor validation.

        It went to starting kernels, decoding, levels, tests, reports and places that stood empty. Validation counts as
        inside because it picks the epoch. None if nothing was done.
        """
        inside = self.training + self.validation
        return 1 - inside / (self.seconds * self.at_once) if self.seconds else None

    @contextmanager
    def clocked(self, *names: str) -> Generator[None]:
        """Add the seconds spent within the context to the named fields."""
        began = time.monotonic()
        try:
            yield
        finally:
            for name in names:
                setattr(self, name, getattr(self, name) + time.monotonic() - began)


def logged(folder: Path) -> tuple[float, float]:
    """Return the seconds in steps and in validation that a run's log tells, over all attempts.

    Both are 0 if another run trained the weights, or if there is no log.
    """
    log = results.history(folder)
    if log.empty or results.read(folder)["run"].get("same_as") is not None:
        return 0.0, 0.0
    steps, validation = (float(log[name].agg(how)) if name in log else 0.0 for name, how in _LOGGED.items())
    return steps, validation
