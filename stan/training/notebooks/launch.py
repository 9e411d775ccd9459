"""A notebook and its parameters in; the executed notebook and its HTML, made by a process of their own, out.

The process is `stan.training.notebooks.execute`, or a fork of `stan.training.notebooks.fork_server`. The record of a
training run (`stan.results`) says whether it succeeded, never its notebook: after a kernel has died, the remaining
cells look as if they had run.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stan.common.paths import ROOT, project_folder
from stan.results.provenance import COMMAND, started_by
from stan.training.notebooks.execute import GRACE_SECONDS, check
from stan.training.notebooks.fork_server import Fork, Forks

LOG = "notebook.log"
LAST_LINES = 12
"""Of a log, that a message shows."""


class NotebookFailed(RuntimeError):
    """A notebook's process ended with an error; the message ends with the last lines of its log."""


def find(name: str) -> Path:
    """Return the path of notebook `name` in the clone that stan is installed from; `name` may also be any path.

    Raises ValueError if there is no such notebook.
    """
    if name.endswith(".ipynb") and Path(name).is_file():
        return Path(name)
    notebook = project_folder("notebooks") / f"{name.removesuffix('.ipynb')}.ipynb"
    if not notebook.is_file():
        known = ", ".join(sorted(path.stem for path in notebook.parent.glob("*.ipynb")))
        raise ValueError(f"there is no notebook {name!r}; the clone has {known}")
    return notebook


@dataclass
class Running:
    """A notebook that is being executed in a process of its own."""

    process: subprocess.Popen[bytes] | Fork
    log: Path

    def poll(self) -> int | None:
        """Return the exit code; None while the process runs."""
        return self.process.poll()

    def interrupt(self) -> None:
        """Ask the process to end its kernel and itself."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def stop(self) -> None:
        """End the process and its kernel: ask first, then kill."""
        if self.process.poll() is None:
            self.interrupt()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE_SECONDS)
        if self.process.poll() is None:
            self.process.kill()  # the kernel sees that its parent is gone and ends itself
            self.process.wait()

    def tail(self) -> str:
        """Return the last lines that notebook and kernel printed."""
        return tail(self.log)


def tail(log: Path) -> str:
    """Return the last lines of a log; an empty string if there is no log."""
    said = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(said.strip().splitlines()[-LAST_LINES:])


def start(
    notebook: Path,
    parameters: Mapping[str, Any],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    forks: Forks | None = None,
) -> Running:
    """Start `notebook` with checked parameters; NAME.ipynb, NAME.html and notebook.log go into `folder`.

    `environment` is added to this process's own. With `forks`, the notebook runs in a fork instead, in the forks'
    environment. Raises ValueError as `check` does; a fork, which has papermill imported, checks for itself.
    """
    if forks is None:
        check(notebook, parameters)
    folder.mkdir(parents=True, exist_ok=True)
    request = {"notebook": str(notebook), "parameters": dict(parameters), "folder": str(folder)}
    log = folder / LOG
    if forks is not None:
        return Running(forks.start(request, log), log)
    file = tempfile.NamedTemporaryFile("w", suffix=".json", delete=False)  # noqa: SIM115 - the process deletes it
    with file:
        json.dump(request, file)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "stan.training.notebooks.execute", file.name],
            env=process_environment(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only the sweep, which then ends its runs one by one
        )
    return Running(process, log)


def run_notebook(
    notebook: Path,
    parameters: Mapping[str, Any],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    forks: Forks | None = None,
) -> Path:
    """Execute `notebook` as `start` does and return the executed copy in `folder`, with its HTML beside it.

    Raises ValueError for parameters that don't fit, NotebookFailed if a cell or the kernel failed.
    """
    running = start(notebook, parameters, folder, environment, forks)
    try:
        while running.poll() is None:
            time.sleep(0.1)
    finally:
        running.stop()
    if running.poll() != 0:
        raise NotebookFailed(f"{notebook.name} failed; {running.log} ends with:\n{running.tail()}")
    return folder / notebook.name


def process_environment(added: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a notebook's process: this process's own, and `added`.

    With it, the kernel imports this very package, records this very command and draws into the notebook.
    """
    joined = {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    joined[COMMAND] = started_by()
    # set it whatever backend the calling process has: Streamlit sets its own for all its children
    joined["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    return {**os.environ, **joined, **added}
