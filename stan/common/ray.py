"""Nothing in; the Ray cluster that this process is connected to, and the cores it may use, out."""

from __future__ import annotations

import os
from typing import Any

ENGINES = ("local", "ray")


RETRIES = 3
"""How often Ray starts a run again whose worker was lost; it goes on from its checkpoint."""


def cluster() -> Any:
    """The module `ray`, connected to the cluster that RAY_ADDRESS names, or else to one on this machine.

    Raises ValueError where Ray isn't installed or the cluster can't be reached.
    """
    try:
        import ray
    except ImportError:
        raise ValueError("--engine ray needs Ray: pip install 'stan-video[cluster]'") from None
    if not ray.is_initialized():
        try:
            ray.init(
                os.environ.get("RAY_ADDRESS"),
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
            )
        except ConnectionError as error:
            raise ValueError(f"no Ray cluster at {os.environ['RAY_ADDRESS']}: {error}") from error
    return ray


def processors_of(ray: Any) -> tuple[int, int]:
    """Cores and GPUs of the cluster that `ray` is connected to."""
    resources = ray.cluster_resources()
    return int(resources.get("CPU", 1)), int(resources.get("GPU", 0))


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
