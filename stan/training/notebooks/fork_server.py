"""Notebooks and functions in; processes that carry them out, forked from one that has imported everything, out.

Imports cost a run more time than anything else except its training. `python -m stan.training.notebooks.fork_server N`
is the process that is forked. Its file descriptor N is a pipe that brings requests and returns what became of them.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from stan.common.cores import cores
from stan.common.progress import StageProgress
from stan.training.notebooks.execute import check, end_with_parent, execute_request, leave_out_checkers

IMPORTED = (
    "papermill",
    "nbconvert",
    "ipykernel.kernelapp",
    "pandas",
    "stan.report",
    "stan.report.study_figures",
    "stan.training.sweep",
    "stan.training.trainer",
)
"""Modules that the notebook's process or its kernel imports. Importing them must not start a thread or draw anything:
neither survives a fork intact."""

_KILLED = -signal.SIGKILL


DRIVERS = ("nvidia*", "nvhost*", "nvgpu*", "dxg", "kfd")
"""Patterns of what stands in /dev where there is a GPU's driver: NVIDIA's, on its boards and in WSL too, and AMD's."""


def possible() -> bool:
    """Tell whether a process with all these imports may be forked: macOS's libraries and GPU drivers don't allow it.

    PyPI's torch for Linux is built for GPUs; it may be forked, too, where no driver is there for it.
    """
    torch = importlib.util.find_spec("torch")  # not imported, which takes seconds that the forks spare
    assert torch is not None and torch.origin is not None
    built = runpy.run_path(str(Path(torch.origin).with_name("version.py")))
    for_processors = built["cuda"] is built["hip"] is None
    return sys.platform == "linux" and (for_processors or not _driver(Path("/dev")))


def _driver(devices: Path) -> bool:
    return any(next(devices.glob(pattern), None) for pattern in DRIVERS)


class Forks:
    """The fork server, as seen by the process that sends it requests. It and its forks end with that process."""

    def __init__(self, environment: Mapping[str, str]):
        self._environment = dict(environment)
        self._alive: set[int] = set()
        self._codes: dict[int, int] = {}
        self._report: StageProgress = lambda *_: None
        self._open()

    def start(self, request: Mapping[str, Any], log: Path) -> Fork:
        """Execute a request of `launch.start`; all output goes to `log`. Raises RuntimeError if nothing starts."""
        return self._fork("execute", dict(request), str(log))

    def call(self, function: Callable[..., None], *arguments: Any, report: StageProgress) -> None:
        """Call `function(*arguments, report)` in a fork with all cores, and pass on what it reports and raises.

        Raises RuntimeError if the fork is killed.
        """
        self._report = report
        if code := self._fork("call", function, arguments).wait():
            raise RuntimeError(f"{function} was called in a process that ended with {code}")

    def code(self, pid: int) -> int | None:
        """Return the exit code of a fork; None while it runs."""
        for message in self._messages():
            self._take(*message)
        return self._codes.get(pid)

    def close(self) -> None:
        self._connection.close()
        self._process.wait()

    def _open(self) -> None:
        self._connection, theirs = multiprocessing.Pipe()
        with theirs:
            program = [sys.executable, "-m", "stan.training.notebooks.fork_server"]
            self._command = [*program, str(theirs.fileno())]
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def _fork(self, task: str, *arguments: Any) -> Fork:
        for _ in range(2):  # the server may have been killed
            try:
                self._connection.send((task, arguments))
                while (told := self._connection.recv())[0] != "started":
                    self._take(*told)
                _, pid = told
                self._alive.add(pid)
                self._codes.pop(pid, None)  # an earlier fork's, which had the same id
                return Fork(self, pid)
            except (EOFError, OSError):
                self._lose()
                self._open()
        raise RuntimeError(f"{' '.join(self._command)} ends at once")

    def _messages(self) -> Iterator[tuple[Any, ...]]:
        try:
            while self._connection.poll():
                yield self._connection.recv()
        except (EOFError, OSError):
            self._lose()

    def _take(self, kind: str, *told: Any) -> None:
        if kind == "ended":
            pid, code = told
            self._alive.discard(pid)
            self._codes[pid] = code
        elif kind == "reported":
            self._report(*told)
        elif kind == "raised":
            raise told[0]
        # otherwise a start that was interrupted, whose fork nobody waits for

    def _lose(self) -> None:
        """Note that the server and its forks are gone: forks end themselves when they see that their parent is gone."""
        self._codes |= dict.fromkeys(self._alive, _KILLED)
        self._alive.clear()
        self._process.wait()


class Fork:
    """A process that the fork server has forked, with the interface of a subprocess.Popen."""

    def __init__(self, forks: Forks, pid: int):
        self._forks, self.pid = forks, pid

    def poll(self) -> int | None:
        return self._forks.code(self.pid)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code when the fork has ended. Raises subprocess.TimeoutExpired after `timeout` seconds."""
        started = time.monotonic()
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() - started > timeout:
                raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout)
            time.sleep(0.02)
        return code

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _execute(connection: Connection, request: dict[str, Any], log: str) -> None:
    from stan.training.notebooks.forked_kernel import Kernel, Provisioner

    connection.close()
    os.setsid()
    with open(log, "wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    Provisioner.kernel = kernel = Kernel()
    try:
        check(Path(request["notebook"]), request["parameters"])
        execute_request(request, kernel.pid)
    finally:
        kernel.close()


def _call(connection: Connection, function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    import torch

    end_with_parent()
    torch.set_num_threads(cores())  # nothing else runs yet, while notebooks share the cores
    try:
        function(*arguments, lambda *told: connection.send(("reported", *told)))
    except (KeyboardInterrupt, BrokenPipeError):  # nobody waits for it any more
        sys.exit(1)
    except Exception as error:
        error.add_note(traceback.format_exc())
        connection.send(("raised", error))


def _serve(connection: Connection) -> None:
    leave_out_checkers()
    for name in IMPORTED:
        importlib.import_module(name)
    fork = multiprocessing.get_context("fork")
    running: dict[int, Any] = {}
    while True:
        ready = wait([connection, *running])
        for sentinel in running.keys() & ready:
            process = running.pop(sentinel)
            process.join()
            connection.send(("ended", process.pid, process.exitcode))
        if connection in ready:
            task, arguments = connection.recv()
            process = fork.Process(target=_TASKS[task], args=(connection, *arguments))
            process.start()
            running[process.sentinel] = process
            connection.send(("started", process.pid))


_TASKS = {"execute": _execute, "call": _call}

if __name__ == "__main__":
    with contextlib.suppress(EOFError, BrokenPipeError):
        _serve(Connection(int(sys.argv[1])))
    os._exit(0)  # at once: this tells the forks that nobody waits for them any more
