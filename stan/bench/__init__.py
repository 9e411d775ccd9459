"""Calls in; the time that each takes, and the machine it took it on, out. All benches share these functions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from stan.results import provenance

Name = TypeVar("Name", bound=Hashable)

QUARTILES = (25, 75)
REST = 0.1
"""Seconds of rest before each call: until then, another library's threads may still spin, waiting for work."""

COLUMNS = (
    *("name", "median", "spread", "unit", "repeats", "clips_per_second", "share_of_peak"),
    *("efficiency", "speedup", "difference", "relative", "scaling", "waiting"),
    *("p50", "p95", "p99", "memory", "agreement", "scored", "goal", "reached", "note"),
)
"""Columns that tables show of a bench's rows, if the rows have them."""


def document(
    what: str, precision: str, rows: list[dict[str, Any]], device: str = "cpu", **more: Any
) -> dict[str, Any]:
    """Return a bench's result: what was measured, on which machine and device, with how many threads, and its rows."""
    where = {"machine": provenance.machine(), "device": device, "threads": provenance.threads()}
    return {"what": what} | where | {"precision": precision} | more | {"rows": rows}


def interleaved(
    calls: Mapping[Name, Callable[[int], Any]], repeats: int, warm_up: int = 2
) -> dict[Name, tuple[np.ndarray, list[Any]]]:
    """Time the calls; return for each its milliseconds (repeats,) and the list of what it returned.

    A call gets the number of the repeat. In every repeat, all calls run one after the other, with a rest in between, so
    that whatever else slows the machine slows them all alike.
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
    """Return a bench's row with median and spread (the distance between the quartiles), both in `unit` (ms)."""
    low, high = np.percentile(milliseconds, QUARTILES)
    times = {"median": float(np.median(milliseconds)), "spread": float(high - low), "unit": "ms"}
    return {"name": name} | times | {"repeats": len(milliseconds)} | more


def resident(process: int | str = "self") -> float | None:
    """Return the memory that a process holds now, in MB (10^6 bytes); None if the system doesn't tell."""
    told = Path(f"/proc/{process}/statm")
    return int(told.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if told.exists() else None
