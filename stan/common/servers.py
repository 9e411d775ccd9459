"""Run roots and libraries in; dashboard and demo as pages on loopback out, until Ctrl-C, with nothing left running."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Protocol, Self

from stan.common.hosts import address_family, port_taken
from stan.common.paths import ROOT, project_folder

HOST = "127.0.0.1"
DASHBOARD_PORT = 8501
DEMO_PORT = 7860
DEMO_ADDRESS = f"http://{HOST}:{DEMO_PORT}"

_READY_SECONDS = 180
_GRACE_SECONDS = 5
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Page:
    """A server to start: its name, its command line, the port it listens on and variables to add to its environment."""

    name: str
    command: tuple[str, ...]
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    host: str = HOST
    """Address on which it listens."""
    folder: Path = ROOT
    """Working folder of its program, in which Python finds the app."""

    @property
    def address(self) -> str:
        """URL at which this machine reaches it."""
        host = {"0.0.0.0": HOST, "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def free_port(preferred: int) -> int:
    """Return `preferred` if nothing listens there, else a port that the system picks."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                return probe.getsockname()[1]
    raise ValueError(f"no free port on {HOST}: end a program that listens there")


def dashboard_command(
    runs: Sequence[Path | str],
    port: int | None = None,
    demo: str = DEMO_ADDRESS,
    worlds: Path | str = "worlds",
    libraries: Sequence[Path | str] = (),
    read_only: bool = False,
) -> Page:
    """Return the page of the dashboard over these roots of run records.

    port: if left out, 8501, or a free one if that is taken. demo: address of the demo that its links lead to. worlds:
    folder of rendered worlds, whose videos it shows. libraries: those whose indexing it shows. read_only: its pages
    offer nothing that writes. Raises ValueError for a port that is taken, ModuleNotFoundError if a package it needs is
    missing.
    """
    require("streamlit", "plotly", "matplotlib")
    port = _port(port, DASHBOARD_PORT, HOST)
    folders = [argument for root in runs for argument in ("--runs", str(Path(root).resolve()))]
    folders += ["--worlds", str(Path(worlds).resolve())]
    folders += [part for library in libraries for part in ("--library", _from_anywhere(library))]
    folders += ["--read-only"] * read_only
    settings = {
        "server.address": HOST,
        "server.port": port,
        "server.headless": "true",
        "browser.gatherUsageStats": "false",
    }
    options = [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    app = project_folder("dashboard") / "app.py"
    command = (sys.executable, "-m", "streamlit", "run", str(app), *options, "--", *folders, "--demo", demo)
    return Page("dashboard", command, port, folder=app.parents[1])


def demo_command(
    libraries: Sequence[Path | str],
    port: int | None = None,
    folders: Sequence[Path] = (),
    host: str = HOST,
    without_password: bool = False,
    first: Path | None = None,
    services: Sequence[str] = (),
    token_file: Path | None = None,
    read_only: bool = False,
) -> Page:
    """Return the page of the demo over these libraries or, in their place, those of services (`stan api`).

    port: if left out, 7860, or a free one if that is taken. folders: those that its visitors may index. host,
    without_password, token_file, read_only: as in `demo.app`. first: a folder of videos that the demo indexes if the
    first library is still empty. Raises the same errors as `dashboard_command`.
    """
    require("gradio", "starlette", "matplotlib")
    port = _port(port, DEMO_PORT, host)
    folder = project_folder("demo").parent
    named = [argument for library in libraries for argument in ("--library", _from_anywhere(library))]
    named += [argument for address in services for argument in ("--api", address)]
    named += ["--token-file", str(token_file.resolve())] if token_file else []
    named += ["--read-only"] * read_only
    allowed = ["--allow-folders", *(str(folder.resolve()) for folder in folders)] if folders else []
    open_to_all = ["--without-password"] if without_password else []
    where = ["--host", host, "--port", str(port)]
    begin = ["--first", str(first.resolve())] if first else []
    command = (sys.executable, "-m", "demo.app", *named, *allowed, *open_to_all, *begin, *where)
    return Page("demo", command, port, {"GRADIO_ANALYTICS_ENABLED": "False"}, host, folder)


def require(*packages: str) -> None:
    """Raise ModuleNotFoundError naming the first of these packages that isn't installed."""
    for name in packages:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _port(wanted: int | None, preferred: int, host: str) -> int:
    """Return the wanted port or, without one, `preferred` or a free one. Raises ValueError if `wanted` is taken."""
    if wanted is None:
        return free_port(preferred)
    with socket.socket(address_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError as error:
            raise port_taken(wanted, host, error) from None
    return wanted


def _from_anywhere(library: Path | str) -> str:
    """Return a folder's full path; leave an address on object storage as it is."""
    return str(library) if "://" in str(library) else str(Path(library).resolve())


class Work(Protocol):
    """Work beside the pages, from the moment they answer until the end."""

    def start(self) -> None: ...

    def look(self) -> None:
        """Check on the work without waiting for anything; called several times a second."""
        ...

    def stop(self) -> None: ...


def serve(pages: Iterable[Page], say: Callable[[str], None] = print, work: Work | None = None) -> None:
    """Start each page as `pages` yields it, say the addresses once all answer, return after Ctrl-C, SIGTERM or hang-up.

    work: starts when all pages answer.

    Raises ValueError, with the server's last words, for a page whose server doesn't start or dies later. However this
    ends, the servers and all processes that they started have ended by then. Call it from the main thread.
    """
    with _ending_signals() as received, contextlib.ExitStack() as stack:
        running = [stack.enter_context(_Running(page)) for page in pages]
        while not received and not _all_answer(running):
            time.sleep(0.2)
        if not received:
            say("\n".join(f"{one.page.name}: {one.page.address}" for one in running))
        if work is not None and not received:
            stack.callback(work.stop)
            work.start()
        while not received:
            _check_alive(running)
            if work is not None:
                work.look()
            time.sleep(0.2)


class Program:
    """A started program. Leaving its context ends its process group, so that no child outlives it.

    patience: seconds that it may take to end when asked to, before it is killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        patience: float = _GRACE_SECONDS,
    ):
        self.started = time.monotonic()
        self._patience = patience
        self.log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.log:
            self._signal_group(signal.SIGTERM)
            patience = time.monotonic() + self._patience
            while self._group_lives() and time.monotonic() < patience:
                time.sleep(0.05)
            self._signal_group(signal.SIGKILL)
            self.process.wait()

    def ask_to_end(self) -> None:
        self._signal_group(signal.SIGTERM)

    def last_words(self) -> str:
        """Return the last line of its output: in a traceback, the line that says what was wrong."""
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "nothing")

    def _group_lives(self) -> bool:
        self.process.poll()  # reaps the leader, which would otherwise keep its group alive
        return self._signal_group(0)

    def _signal_group(self, number: int) -> bool:
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            return False
        return True


class _Running(Program):
    """The started program of a page."""

    def __init__(self, page: Page):
        super().__init__(page.command, page.environment, page.folder)
        self.page = page


def _all_answer(running: Sequence[_Running]) -> bool:
    _check_alive(running)
    silent = [one for one in running if not _answers(one.page.address)]
    for one in silent:
        if time.monotonic() - one.started > _READY_SECONDS:
            raise ValueError(
                f"the {one.page.name} did not answer in {_READY_SECONDS} s; it said: {one.last_words()}"
            )
    return not silent


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:
            return reply.status == 200
    except urllib.error.HTTPError as error:
        return error.code == 401  # the server is up, and asks for a password
    except OSError:
        return False


def _check_alive(running: Sequence[_Running]) -> None:
    for one in running:
        if one.process.poll() is not None:
            code = one.process.returncode
            raise ValueError(f"the {one.page.name} ended with exit code {code}; it said: {one.last_words()}")


@contextlib.contextmanager
def _ending_signals() -> Generator[list[int]]:
    """Yield the list of ending signals received so far.

    They are only noted, because an exception could strike between the start of a server and the code that ends it.
    """
    received: list[int] = []
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in _ENDING}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
