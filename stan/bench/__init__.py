"""Things to do in, the time that each takes out, with the machine that took it: what all benches share."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stan.results import provenance

QUARTILES = (25, 75)
REST = 0.1
"""Seconds before each call: until then another library's threads still turn round and round, waiting for work."""

COLUMNS = (
    *("name", "median", "spread", "unit", "repeats", "clips_per_second", "share_of_peak"),
    *("efficiency", "speedup", "difference", "relative", "scaling", "waiting"),
    *("p50", "p99", "memory", "agreement", "goal", "reached", "note"),
)
"""What tables show of a bench's rows, as far as they have it."""


def document(
    what: str, precision: str, rows: list[dict[str, Any]], device: str = "cpu", **more: Any
) -> dict[str, Any]:
    """A bench's result: what was measured, where, on how many threads, and its rows."""
    where = {"machine": provenance.machine(), "device": device, "threads": provenance.threads()}
    return {"what": what} | where | {"precision": precision} | more | {"rows": rows}


def interleaved(
    calls: Mapping[str, Callable[[int], Any]], repeats: int, warm_up: int = 2
) -> dict[str, tuple[np.ndarray, list[Any]]]:
    """Milliseconds (repeats,) of each call, which is given the number of the repeat, and what it returned.

    One after the other in every repeat, so that whatever else slows the machine slows them alike, with a rest
    between them.
    """
    for k in range(warm_up):
        for call in calls.values():
            call(k)
    measured = {name: (np.zeros(repeats), []) for name in calls}
    for k in range(repeats):
        for name, call in calls.items():
            taken, returned = measured[name]
            time.sleep(REST)
            started = time.perf_counter()
            returned.append(call(k))
            taken[k] = 1000 * (time.perf_counter() - started)
    return measured


def row(name: str, milliseconds: np.ndarray, **more: Any) -> dict[str, Any]:
    """median, and spread: the distance of the quartiles, both in `unit`."""
    low, high = np.percentile(milliseconds, QUARTILES)
    times = {"median": float(np.median(milliseconds)), "spread": float(high - low), "unit": "ms"}
    return {"name": name} | times | {"repeats": len(milliseconds)} | more


def resident() -> float | None:
    """Megabytes of memory that this process holds now; None where the system doesn't tell."""
    told = Path("/proc/self/statm")
    return int(told.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if told.exists() else None
