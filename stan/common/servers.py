"""Run roots and a library in; dashboard and demo as pages on loopback out, until Ctrl-C, nothing left."""

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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Protocol, Self

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
    """One server to be: its name, its command line, the port it listens on and what its environment adds."""

    name: str
    command: tuple[str, ...]
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    host: str = HOST
    """Where it listens."""
    folder: Path = ROOT
    """Where its program starts: Python finds the app there."""

    @property
    def address(self) -> str:
        """Where this machine reaches it."""
        host = {"0.0.0.0": HOST, "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def free_port(preferred: int) -> int:
    """`preferred` where nothing listens there, else one that the system picks."""
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
) -> Page:
    """The dashboard over these roots of run records. Without `port`: 8501, or a free one if that is taken.

    demo: address of the demo that its links lead to. worlds: folder of rendered worlds, whose videos it shows.
    libraries: those whose indexing it shows. Raises ValueError for a port that is taken, ModuleNotFoundError where its
    packages are missing.
    """
    require("streamlit", "plotly", "matplotlib")
    port = _port(port, DASHBOARD_PORT, HOST)
    folders = [argument for root in runs for argument in ("--runs", str(Path(root).resolve()))]
    folders += ["--worlds", str(Path(worlds).resolve())]
    folders += [part for library in libraries for part in ("--library", _from_anywhere(library))]
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
) -> Page:
    """The demo over these libraries. Without `port`: 7860, or a free one where that is taken.

    folders: what its visitors may index. host, without_password: as of `demo.app`. first: a folder of videos that the
    demo indexes when the first library holds nothing yet. Errors as of `dashboard_command`.
    """
    require("gradio", "starlette", "matplotlib")
    port = _port(port, DEMO_PORT, host)
    folder = project_folder("demo").parent
    named = [argument for library in libraries for argument in ("--library", _from_anywhere(library))]
    allowed = ["--allow-folders", *(str(folder.resolve()) for folder in folders)] if folders else []
    open_to_all = ["--without-password"] if without_password else []
    where = ["--host", host, "--port", str(port)]
    begin = ["--first", str(first.resolve())] if first else []
    command = (sys.executable, "-m", "demo.app", *named, *allowed, *open_to_all, *begin, *where)
    return Page("demo", command, port, {"GRADIO_ANALYTICS_ENABLED": "False"}, host, folder)


def require(*packages: str) -> None:
    """Raises ModuleNotFoundError naming the first of these packages that isn't installed."""
    for name in packages:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _port(wanted: int | None, preferred: int, host: str) -> int:
    """The wanted port, else `preferred` or a free one. Raises ValueError where something listens at the wanted one."""
    if wanted is None:
        return free_port(preferred)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, wanted))
        except OSError as error:
            raise ValueError(
                f"port {wanted} of {host} cannot be taken ({error.strerror}): choose another, or end what listens there"
            ) from None
    return wanted


def _from_anywhere(library: Path | str) -> str:
    """A folder's full path; an address on object storage as it is."""
    return str(library) if "://" in str(library) else str(Path(library).resolve())


class Work(Protocol):
    """What goes on beside the pages, from when they answer to the end."""

    def start(self) -> None: ...

    def look(self) -> None:
        """Called several times a second; doesn't wait for anything."""
        ...

    def stop(self) -> None: ...


def serve(pages: Iterable[Page], say: Callable[[str], None] = print, work: Work | None = None) -> None:
    """Starts every page as it comes, says the addresses once all answer, returns after Ctrl-C, SIGTERM or hang-up.

    work: begins when all pages answer.

    Raises ValueError, with its last words, for a page whose server doesn't start or dies later.
    However this ends, the servers and all processes that they started have ended before. Call it from the
    main thread.
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
    """A program that was started; leaving it ends its process group, so that no child outlives it.

    patience: seconds that it may take to end when it is asked to, before it is killed.
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
        """The last line of its output: of a traceback, the one that says what was wrong."""
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
    """A page that was started."""

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
        return error.code == 401  # it stands, and asks for a password
    except OSError:
        return False


def _check_alive(running: Sequence[_Running]) -> None:
    for one in running:
        if one.process.poll() is not None:
            code = one.process.returncode
            raise ValueError(f"the {one.page.name} ended with exit code {code}; it said: {one.last_words()}")


@contextlib.contextmanager
def _ending_signals() -> Iterator[list[int]]:
    """The ending signals received; only noted, as an exception could fall between a start and its end."""
    received: list[int] = []
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in _ENDING}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
