"""A request in a file in; the notebook, executed by this process, and its HTML out.

`launch` starts `python -m stan.training.notebooks.execute REQUEST.json` as a process; a fork of
`stan.training.notebooks.fork_server` calls `execute_request` instead.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from traitlets.config import Config

KERNEL = "python3"
PROVISIONER = "stan-forked"
"""The name by which jupyter_client finds `stan.training.notebooks.forked_kernel.Provisioner`."""
GRACE_SECONDS = 10
"""How long a notebook may take to close its record after it is asked to end."""

_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "dict": (dict,),
    "list": (list,),
}
"""Python's types of the values that a declared parameter takes."""

_KERNEL_PROGRAM = """
import os, pathlib, sys
pathlib.Path({pid_file!r}).write_text(str(os.getpid()))
sys.argv[0] = "ipykernel_launcher"
from ipykernel import kernelapp
kernelapp.launch_new_instance()
"""


def execute_request(request: Mapping[str, Any], kernel: int | None = None) -> None:
    """Execute the notebook that `launch.start` requested, in this process, which ends when its parent process ends.

    kernel: id of the process that waits to become the kernel; None: a new kernel is started.
    """
    end_with_parent()
    _execute(Path(request["notebook"]), request["parameters"], Path(request["folder"]), kernel)


def check(notebook: Path, parameters: Mapping[str, Any]) -> None:
    """Raise ValueError for a parameter that the notebook doesn't have, or a value whose type isn't the declared one."""
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
    if isinstance(value, bool):  # Python counts bool as int
        return declared == "bool"
    return isinstance(value, _TYPES[declared])


def _execute(notebook: Path, parameters: Mapping[str, Any], folder: Path, kernel: int | None) -> None:
    """Execute the notebook with a kernel of this interpreter; write copy and HTML, even after an error."""
    import papermill

    executed = folder / notebook.name
    with _own_kernel(kernel) as config:
        try:
            papermill.execute_notebook(
                str(notebook),
                str(executed),
                parameters=dict(parameters),
                kernel_name=KERNEL,
                config=config,
                progress_bar=False,
                autosave_cell_every=5,
            )
        finally:
            if executed.exists():
                _tidy(executed)
                to_html(executed)


def to_html(notebook: Path) -> Path:
    """Write `notebook` as one HTML file that needs no network, beside it, and return that file."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="")
    text, _ = exporter.from_filename(str(notebook))
    page = notebook.with_suffix(".html")
    page.write_text(text, encoding="utf-8")
    return page


def _tidy(executed: Path) -> None:
    """Remove from the executed copy where the notebook and the copy are on this machine."""
    import nbformat

    document = nbformat.read(executed, as_version=4)
    for name in ("input_path", "output_path"):
        document.metadata.get("papermill", {}).pop(name, None)
    nbformat.write(document, executed)


@contextlib.contextmanager
def _own_kernel(forked: int | None) -> Generator[Config]:
    """Within this context, the kernel `python3` is this interpreter, whatever is installed in the user's home.

    Yields the configuration of jupyter_client's manager. The home needn't be writable. Ctrl-C and SIGTERM interrupt the
    cell that is running, so that a run can still close its record.
    """
    with tempfile.TemporaryDirectory(prefix="stan-kernel-") as folder:
        pid_file = Path(folder, "pid")
        program = _KERNEL_PROGRAM.format(pid_file=str(pid_file))
        argv = [sys.executable, "-c", program, "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": "Python 3", "language": "python"}
        if forked is not None:
            pid_file.write_text(str(forked))
            spec["argv"] = ["ipykernel_launcher", "-f", "{connection_file}"]  # no program: it already runs
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
        yield _sockets(folder)


def _sockets(folder: str) -> Config:
    """Return the configuration under which the kernel is reached through files in `folder`, where there can be any.

    TCP ports are chosen before the kernel starts and bound by it afterwards: of several kernels that start at once, one
    may take another's.
    """
    from traitlets.config import Config

    name = str(Path(folder, "kernel"))
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(f"{name}-tried")
    except (AttributeError, OSError):  # Windows; too long a name, or a file system without sockets
        return Config()
    return Config(KernelManager={"transport": "ipc", "ip": name})


def _interrupt(pid_file: Path) -> None:
    try:
        os.kill(int(pid_file.read_text()), signal.SIGINT)
    except (OSError, ValueError):  # no kernel yet, or none any more
        raise KeyboardInterrupt from None


def end_with_parent() -> None:
    """End this process when its parent is gone, so that a killed sweep leaves no processes behind."""
    threading.Thread(target=_wait_for_end, args=(os.getppid(),), daemon=True).start()


def _wait_for_end(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def leave_out_checkers() -> None:
    """Block jsonschema's optional rfc3987 checker: its import takes more than a second, and no notebook needs it."""
    sys.modules["rfc3987_syntax"] = None  # ty: ignore[invalid-assignment]  # blocks its import


def _main(request: str) -> None:
    leave_out_checkers()
    wanted = json.loads(Path(request).read_text())
    os.unlink(request)
    execute_request(wanted)


if __name__ == "__main__":
    _main(sys.argv[1])
