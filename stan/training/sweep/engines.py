"""A notebook with its parameters in; its execution, here or on a Ray cluster, to be watched and stopped, out."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from stan.common.ray import ENGINES, RETRIES, cluster, cores, processors_of
from stan.results import lock
from stan.training.notebooks import fork_server, launch
from stan.training.notebooks.execute import GRACE_SECONDS

MOST_AT_ONCE = 4
"""Runs at once on this machine, however many cores there are: each holds most of a GB, and all of them shall stay well
below six."""


_LOST_SECONDS = 20.0
"""What a lost worker's notebook may take to end, before another resumes its run."""

_POLL_SECONDS = 0.2
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class Execution(Protocol):
    """A notebook that is being executed; `launch.Running` is one."""

    def poll(self) -> int | None: ...

    def interrupt(self) -> None: ...

    def stop(self) -> None: ...

    def tail(self, lines: int = 12) -> str: ...


class SweepEngine(AbstractContextManager):
    """Where notebooks are executed, within its context."""

    at_once: int
    forks: fork_server.Forks | None = None
    """What executes notebooks here, where runs are forked."""

    @abstractmethod
    def start(self, path: Path, parameters: Mapping[str, Any], folder: Path) -> Execution: ...


def engine(name: str, jobs: int | None, pending: int) -> SweepEngine:
    """The engine by name, for `pending` runs, of which at most `jobs` (by default one per core) run at once.

    Raises ValueError for a name that isn't known, jobs below one, and where Ray isn't installed.
    """
    if name not in ENGINES:
        raise ValueError(f"no engine {name!r}; there are {', '.join(ENGINES)}")
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs is {jobs}: run at least one at a time")
    return RayEngine(jobs, pending) if name == "ray" else LocalEngine(jobs, pending)


class LocalEngine(SweepEngine):
    """Processes on this machine, which share its cores."""

    def __init__(self, jobs: int | None, pending: int):
        self.at_once = min(jobs or min(cores(), MOST_AT_ONCE), pending)
        self._environment = _threads(max(1, cores() // self.at_once))

    def __enter__(self) -> LocalEngine:
        if fork_server.possible():
            self.forks = fork_server.Forks(launch.process_environment(self._environment))
        return self

    def __exit__(self, *_: object) -> None:
        if self.forks is not None:
            self.forks.close()

    def start(self, path: Path, parameters: Mapping[str, Any], folder: Path) -> Execution:
        return launch.start(path, parameters, folder, self._environment, self.forks)


class RayEngine(SweepEngine):
    """Workers of a Ray cluster: the one that RAY_ADDRESS names, or else one on this machine.

    All its machines must see the folders of runs and worlds under the same paths. A run takes one GPU where the cluster
    has any. Raises ValueError where Ray isn't installed or the cluster can't be reached.
    """

    def __init__(self, jobs: int | None, pending: int):
        self._ray = ray = cluster()
        processors, graphics = processors_of(ray)
        self.at_once = min(jobs or graphics or processors, pending)
        self._share = max(1, processors // self.at_once)
        self._remote = ray.remote(execute).options(
            num_cpus=self._share, num_gpus=1 if graphics else 0, max_retries=RETRIES
        )

    def __exit__(self, *_: object) -> None:
        pass

    def start(self, path: Path, parameters: Mapping[str, Any], folder: Path) -> Execution:
        launch.check(path, parameters)
        folder.mkdir(parents=True, exist_ok=True)
        given = {
            name: str(Path(value).resolve()) if name in ("runs", "worlds") else value
            for name, value in parameters.items()
        }
        reference = self._remote.remote(str(path.resolve()), given, str(folder.resolve()), self._share)
        return _Remote(self._ray, reference, folder / launch.LOG)


def execute(path: str, parameters: dict[str, Any], folder: str, threads: int) -> int:
    """Executes a notebook in a process of its own; returns its exit code. What a Ray worker does."""
    _wait_until_free(Path(folder))
    running = launch.start(Path(path), parameters, Path(folder), _threads(threads))
    try:
        while running.poll() is None:
            time.sleep(_POLL_SECONDS)
    finally:
        running.stop()
    code = running.poll()
    assert code is not None
    return code


class _Remote:
    """A run on some worker; its log lies in the shared folder."""

    def __init__(self, ray: Any, reference: Any, log: Path):
        self._ray, self._reference, self._log, self._lost = ray, reference, log, ""

    def poll(self) -> int | None:
        ready, _ = self._ray.wait([self._reference], timeout=0)
        if not ready:
            return None
        try:
            return self._ray.get(self._reference)
        except (self._ray.exceptions.RayError, KeyboardInterrupt) as error:
            self._lost = f"{type(error).__name__}: {error}"
            return 1

    def interrupt(self) -> None:
        self._ray.cancel(self._reference)

    def stop(self) -> None:
        self.interrupt()
        self._ray.wait([self._reference], timeout=GRACE_SECONDS)

    def tail(self, lines: int = 12) -> str:
        return "\n".join(filter(None, [launch.tail(self._log, lines), self._lost]))


def _threads(count: int) -> dict[str, str]:
    return dict.fromkeys(_THREADS, str(count))


def _wait_until_free(folder: Path) -> None:
    """Until a lost worker's notebook has let go of the run; where it doesn't, the run's own start says so."""
    deadline = time.monotonic() + _LOST_SECONDS
    while lock.held(folder) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
