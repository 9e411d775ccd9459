"""The cores that this process may use in; how many there are, and how many threads a process beside it takes, out."""

from __future__ import annotations

import os

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def cores() -> int:
    """Return the number of cores that this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_environment(count: int) -> dict[str, str]:
    """Return the environment in which a process computes in `count` threads."""
    return dict.fromkeys(_THREADS, str(count))
