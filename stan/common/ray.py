"""Connects this process to a Ray cluster, and tells how many cores and GPUs it has."""

from __future__ import annotations

import os
from typing import Any

ENGINES = ("local", "ray")

RETRIES = 3
"""How often Ray restarts a run whose worker was lost; the run continues from its checkpoint."""


def cluster() -> Any:
    """Return the module `ray`, connected to the cluster that RAY_ADDRESS names, or else to one on this machine.

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
    """Return the numbers of cores and GPUs of the cluster that `ray` is connected to."""
    resources = ray.cluster_resources()
    return int(resources.get("CPU", 1)), int(resources.get("GPU", 0))
