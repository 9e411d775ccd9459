"""A notebook and its parameters in; the executed notebook and its HTML, made in a process of their own, out.

`python -m stan.training.notebooks.launch REQUEST.json` is that process, or a fork
(`stan.training.notebooks.fork_server`). Whether a training run succeeded is said by its record (`stan.results`), never
by a notebook: after a dead kernel the remaining cells look as if they had run.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stan.common.paths import ROOT, project_folder
from stan.results.provenance import COMMAND, started_by

if TYPE_CHECKING:
    from stan.training.notebooks.fork_server import Fork, Forks

KERNEL = "python3"
PROVISIONER = "stan-forked"
"""What jupyter_client knows `stan.training.notebooks.forked_kernel.Provisioner` by."""
LOG = "notebook.log"

GRACE_SECONDS = 10
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "dict": (dict,),
    "list": (list,),
}
_KERNEL_PROGRAM = """
import os, pathlib, sys
pathlib.Path({pid_file!r}).write_text(str(os.getpid()))
sys.argv[0] = "ipykernel_launcher"
from ipykernel import kernelapp
kernelapp.launch_new_instance()
"""


class NotebookFailed(RuntimeError):
    """A notebook's process ended with an error; the message ends with the last lines of its log."""


def find(name: str) -> Path:
    """The notebook `name` of the clone that stan is installed from, or any other by its path.

    Raises ValueError where there is none.
    """
    if name.endswith(".ipynb") and Path(name).is_file():
        return Path(name)
    notebook = project_folder("notebooks") / f"{name.removesuffix('.ipynb')}.ipynb"
    if not notebook.is_file():
        known = ", ".join(sorted(path.stem for path in notebook.parent.glob("*.ipynb")))
        raise ValueError(f"there is no notebook {name!r}; the clone has {known}")
    return notebook


def check(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Raises ValueError for a parameter that the notebook doesn't have, or a value of another type than it declares."""
    import papermill

    known = papermill.inspect_notebook(str(notebook))
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ValueError(f"{notebook.name} has no parameter {', '.join(unknown)}; it has {', '.join(known)}")
    for name, value in parameters.items():
        declared = known[name]["inferred_type_name"]
        if not _fits(value, declared):
            raise ValueError(
                f"{notebook.name}: {name} must be {declared}, not {type(value).__name__} ({value!r})"
            )


def _fits(value: Any, declared: str) -> bool:
    if isinstance(value, bool):  # which Python counts among int
        return declared == "bool"
    return isinstance(value, _TYPES[declared])


@dataclass
class Running:
    """A notebook that is being executed in a process of its own."""

    process: subprocess.Popen[bytes] | Fork
    log: Path

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return self.process.poll()

    def interrupt(self) -> None:
        """Asks the process to end its kernel and itself."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def stop(self) -> None:
        """Ends the process and its kernel: asks first, then kills."""
        if self.process.poll() is None:
            self.interrupt()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE_SECONDS)
        if self.process.poll() is None:
            self.process.kill()  # the kernel sees that its parent is gone and ends itself
            self.process.wait()

    def tail(self, lines: int = 12) -> str:
        """The end of what notebook and kernel said."""
        return tail(self.log, lines)


def tail(log: Path, lines: int) -> str:
    """The last lines of a log, nothing where there is none."""
    said = log.read_text(errors="replace") if log.exists() else ""
    return "\n".join(said.strip().splitlines()[-lines:])


def start(
    notebook: Path,
    parameters: Mapping[str, Any],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    forks: Forks | None = None,
) -> Running:
    """Starts `notebook` with checked parameters; `folder` gets NAME.ipynb, NAME.html and notebook.log.

    `environment` is added to this process's. With `forks` it is one of them, in their environment. Raises ValueError as
    `check` does.
    """
    check(notebook, parameters)
    folder.mkdir(parents=True, exist_ok=True)
    request = {"notebook": str(notebook), "parameters": dict(parameters), "folder": str(folder)}
    log = folder / LOG
    if forks is not None:
        return Running(forks.start(request, log), log)
    file = tempfile.NamedTemporaryFile("w", suffix=".json", delete=False)  # noqa: SIM115 - the process removes it
    with file:
        json.dump(request, file)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "stan.training.notebooks.launch", file.name],
            env=process_environment(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the sweep alone, which then ends its runs one by one
        )
    return Running(process, log)


def run_notebook(
    notebook: Path,
    parameters: Mapping[str, Any],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    forks: Forks | None = None,
) -> Path:
    """Executes `notebook` as `start` does and returns the executed copy in `folder`, its HTML beside it.

    Raises ValueError for parameters that don't fit, NotebookFailed where a cell or the kernel failed.
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


def execute_request(request: Mapping[str, Any], kernel: int | None = None) -> None:
    """Executes in this process what `start` wrote down; ends when the process that asked for it does.

    kernel: the process that waits to become the kernel (`stan.training.notebooks.fork_server`); None for one of its own.
    """
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    _execute(Path(request["notebook"]), request["parameters"], Path(request["folder"]), kernel)


def _execute(notebook: Path, parameters: Mapping[str, Any], folder: Path, kernel: int | None) -> None:
    """With a kernel of this interpreter; writes notebook and HTML, also after an error."""
    import papermill

    executed = folder / notebook.name
    with _own_kernel(kernel):
        try:
            papermill.execute_notebook(
                str(notebook),
                str(executed),
                parameters=dict(parameters),
                kernel_name=KERNEL,
                progress_bar=False,
                autosave_cell_every=5,
            )
        finally:
            if executed.exists():
                _tidy(executed)
                to_html(executed)


def to_html(notebook: Path) -> Path:
    """One HTML file that needs no network, beside `notebook`."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="")
    text, _ = exporter.from_filename(str(notebook))
    page = notebook.with_suffix(".html")
    page.write_text(text, encoding="utf-8")
    return page


def process_environment(added: Mapping[str, str]) -> dict[str, str]:
    """Of a notebook's process: this one's and `added`.

    The kernel imports this very package, records this very command and draws into the notebook; no warnings of missing
    widgets.
    """
    first = {
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore:IProgress not found",
    }
    between = {"PYTHONPATH": os.pathsep, "PYTHONWARNINGS": ","}
    joined = {
        name: between[name].join(filter(None, [one, os.environ.get(name)])) for name, one in first.items()
    }
    joined[COMMAND] = started_by()
    # whatever the calling process draws with (Streamlit sets its own backend for all its children)
    joined["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    return {**os.environ, **joined, **added}


def _tidy(executed: Path) -> None:
    """Leaves out where notebook and copy lay on this machine."""
    import nbformat

    document = nbformat.read(executed, as_version=4)
    for name in ("input_path", "output_path"):
        document.metadata.get("papermill", {}).pop(name, None)
    nbformat.write(document, executed)


@contextlib.contextmanager
def _own_kernel(forked: int | None) -> Iterator[None]:
    """Kernel `python3` is this interpreter, whatever is installed in the user's home, which need not be writable.

    Meanwhile Ctrl-C and SIGTERM interrupt the cell that is running, so that a run's record can still be closed.
    """
    with tempfile.TemporaryDirectory(prefix="stan-kernel-") as folder:
        pid_file = Path(folder, "pid")
        program = _KERNEL_PROGRAM.format(pid_file=str(pid_file))
        argv = [sys.executable, "-c", program, "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
        if forked is not None:
            pid_file.write_text(str(forked))
            spec["argv"] = ["ipykernel_launcher", "-f", "{connection_file}"]  # no program: it runs already
            spec["metadata"] = {"kernel_provisioner": {"provisioner_name": PROVISIONER}}
        file = Path(folder, "kernels", KERNEL, "kernel.json")
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(spec))
        os.environ["JUPYTER_PATH"] = os.pathsep.join(
            [folder, *filter(None, [os.environ.get("JUPYTER_PATH")])]
        )
        os.environ["JUPYTER_RUNTIME_DIR"] = os.environ["IPYTHONDIR"] = folder
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: _interrupt(pid_file))
        yield


def _interrupt(pid_file: Path) -> None:
    try:
        os.kill(int(pid_file.read_text()), signal.SIGINT)
    except (OSError, ValueError):  # no kernel yet, or none any more
        raise KeyboardInterrupt from None


def _end_with_parent(parent: int) -> None:
    """Ends this process when who started it is gone, so that a killed sweep leaves nothing behind."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def _main(request: str) -> None:
    leave_out_checkers()
    wanted = json.loads(Path(request).read_text())
    os.unlink(request)
    execute_request(wanted)


def leave_out_checkers() -> None:
    """One of jsonschema's, which no notebook needs and whose import takes more than a second."""
    sys.modules["rfc3987_syntax"] = None


if __name__ == "__main__":
    _main(sys.argv[1])
