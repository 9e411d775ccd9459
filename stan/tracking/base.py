"""What a tracker is told of a run, and how: the interface of all trackers, and the modules that have it, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Protocol

TRACKERS = {name: f"stan.tracking.{name}" for name in ("tensorboard", "wandb", "mlflow", "trackio")}
"""Each tracker's module: its class `Run(facts, id)` is a TrackedRun, a new one at the tracker if `id` is None. A client
costs seconds to import and comes with an extra of the tracker's name, so a module is imported when it is asked for."""
PROJECT = "stan"
"""Name of the project, in MLflow's words the experiment, unless the tracker's own environment variable says another."""


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run before its first step."""

    id: str
    """`<study>/<row>/<config hash>-s<seed>`."""
    folder: Path
    """Where the record lies, named as the run's command named it: the link to all that a tracker doesn't keep."""
    start: float
    """Time of its first start, in seconds since 1970."""
    config: Mapping[str, Any]
    """Settings by dotted name, such as "train.lr"."""
    tags: Mapping[str, str]
    """Study, row, suite and origin (commit, data hash, ...)."""

    @property
    def name(self) -> str:
        """Name for lists of runs."""
        return f"{self.tags['row']}-s{self.config['seed']}"


class Point(NamedTuple):
    """What a line of the log says, or the evaluation."""

    step: int
    time: float
    """In seconds since 1970; the same whenever it is sent."""
    values: dict[str, float]
    """By the dotted names of `stan.results.history`."""


class TrackedRun(Protocol):
    """One run at a tracker. Its methods raise the client's own errors if the tracker cannot be reached."""

    id: str
    """What the tracker knows the run by."""

    def log(self, points: Sequence[Point]) -> None:
        """Send points, whose steps never fall."""
        ...

    def end(self, status: str) -> None:
        """Send what is still waiting and let go. status: what `stan.results.read` says of the record."""
        ...


def chosen(names: str) -> tuple[str, ...]:
    """Return the trackers in a text such as "mlflow,tensorboard". Raises ValueError for unknown ones."""
    found = tuple(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    unknown = [name for name in found if name not in TRACKERS]
    if unknown:
        raise ValueError(f"train.logger is {', '.join(unknown)}; it can be {', '.join(TRACKERS)}")
    return found


def module(name: str) -> ModuleType:
    """Return the module of a tracker. Raises ValueError if its client isn't installed."""
    try:
        return import_module(TRACKERS[name])
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{name} needs the package {error.name}: pip install 'stan-video[{name}]'"
        ) from error
