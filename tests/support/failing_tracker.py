"""Stands in for a tracker: it keeps what it gets in memory, and fails or hangs as it is told."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from stan.tracking.base import Point, RunFacts

RUNS: dict[str, list[Point]] = {}
"""Points that arrived, by the id of the run."""
FACTS: list[RunFacts] = []
ENDED: list[str] = []
fails: set[str] = set()
"""Calls that fail: open, log, end."""
hangs = threading.Event()
"""Set while calls do not return."""


class AwayError(Exception):
    pass


def reset() -> None:
    """Forgets everything, once the threads that were left behind in a call are through."""
    hangs.clear()
    for thread in threading.enumerate():
        if thread.name.startswith("to "):
            thread.join()
    for one in (RUNS, FACTS, ENDED, fails):
        one.clear()


def _call(name: str) -> None:
    while hangs.is_set():
        threading.Event().wait(0.01)
    if name in fails:
        raise AwayError("nobody answers")


class Run:
    def __init__(self, facts: RunFacts, id: str | None):
        _call("open")
        FACTS.append(facts)
        self.id = id or f"run-{len(RUNS)}"
        RUNS.setdefault(self.id, [])

    def log(self, points: Sequence[Point]) -> None:
        _call("log")
        RUNS[self.id] += points

    def end(self, status: str) -> None:
        _call("end")
        ENDED.append(status)
