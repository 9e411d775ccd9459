"""A notebook and its parameters in; its execution out, here or on a Ray cluster, which can be watched and stopped."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from stan.common.cores import cores, thread_environment
from stan.common.ray import ENGINES, RETRIES, cluster, processors_of
from stan.results import lock
from stan.training.notebooks import fork_server, launch
from stan.training.notebooks.execute import GRACE_SECONDS

MOST_AT_ONCE = 4
"""Default limit of runs at once on this machine, however many cores it has. Each run holds most of a GB of memory, and
all of them together should stay well below 6 GB."""


_LOST_SECONDS = 20.0
"""How long a lost worker's notebook may take to end before another worker resumes its run."""

_POLL_SECONDS = 0.2


class Execution(Protocol):
    """A notebook that is being executed; `launch.Running` is one."""

    def poll(self) -> int | None: ...

    def interrupt(self) -> None: ...

    def stop(self) -> None: ...

    def tail(self) -> str: ...


class SweepEngine(AbstractContextManager):
    """A place where notebooks are executed while its context is open."""

    at_once: int
    forks: fork_server.Forks | None = None
    """The fork server that executes notebooks on this machine; None where runs aren't forked."""

    @abstractmethod
    def start(self, path: Path, parameters: Mapping[str, Any], folder: Path) -> Execution: ...


def engine(name: str, jobs: int | None, pending: int) -> SweepEngine:
    """Return the engine `name` for `pending` runs, of which at most `jobs` run at once.

    By default, the local engine runs one per core, up to MOST_AT_ONCE; Ray runs one per GPU, or one per core where the
    cluster has no GPU. Raises ValueError for an unknown name, for jobs below one, and if Ray isn't installed.
    """
    if name not in ENGINES:
        raise ValueError(f"no engine {name!r}; there are {', '.join(ENGINES)}")
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs is {jobs}: run at least one at a time")
    return RayEngine(jobs, pending) if name == "ray" else LocalEngine(jobs, pending)


class LocalEngine(SweepEngine):
    """Executes notebooks in processes on this machine, which share its cores."""

    def __init__(self, jobs: int | None, pending: int):
        self.at_once = min(jobs or min(cores(), MOST_AT_ONCE), pending)
        self._environment = thread_environment(max(1, cores() // self.at_once))

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
    """Executes notebooks on the workers of a Ray cluster: the one that RAY_ADDRESS names, or else one on this machine.

    All machines of the cluster must see the folders of runs and worlds under the same paths. A run takes one GPU if the
    cluster has any. Raises ValueError if Ray isn't installed or the cluster can't be reached.
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
    """Execute a notebook in a process of its own and return its exit code. This is what a Ray worker does."""
    _wait_until_free(Path(folder))
    running = launch.start(Path(path), parameters, Path(folder), thread_environment(threads))
    try:
        while running.poll() is None:
            time.sleep(_POLL_SECONDS)
    finally:
        running.stop()
    code = running.poll()
    assert code is not None
    return code


class _Remote:
    """A run on a Ray worker; its log is in the shared folder."""

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

    def tail(self) -> str:
        return "\n".join(filter(None, [launch.tail(self._log), self._lost]))


def _wait_until_free(folder: Path) -> None:
    """Wait until a lost worker's notebook has released the run. If it doesn't, the run's own start reports it."""
    deadline = time.monotonic() + _LOST_SECONDS
    while lock.held(folder) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
