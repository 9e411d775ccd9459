"""A study and a suite in; dashboard and demo at once, then the study's runs and a search index, out, until Ctrl-C."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stan.cli.output import RUNS, WORLDS, Runs, Worlds, say
from stan.cli.overrides import Size
from stan.common import jobs
from stan.common.cores import thread_environment

if TYPE_CHECKING:
    from rich.live import Live

    from stan.common.servers import Page, Program

_LIBRARY = Path("libraries/world")
_SEARCHED = "retrieval"
"""The suite whose test videos are indexed, because each of them has a sentence of its own."""

_PATIENCE = 30.0
"""Seconds that a study may take to end, because its runs close their records first."""
_SECONDS_BETWEEN_LINES = 30.0
_SECONDS_BETWEEN_LOOKS = 0.5


def run(
    study: Annotated[str, typer.Argument(help="Which study is run.")] = "components",
    suite: Annotated[str, typer.Option(help="The study's suite of the embedded world.")] = "retrieval",
    size: Size = "quick",
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0",
    library: Annotated[Path, typer.Option(help="Folder of the library that the demo searches.")] = _LIBRARY,
    runs: Runs = RUNS,
    worlds: Worlds = WORLDS,
) -> None:
    """Open dashboard and demo at once, then run a study and index videos while both show progress. Ctrl-C ends all.

    The dashboard starts with the runs that come with the package, the demo with a few videos that are rendered in
    seconds. Finished work is kept: a second call continues where the first one stopped.
    """
    from stan.common import servers
    from stan.data.world import writer

    for folder in (runs, worlds, library):
        folder.mkdir(parents=True, exist_ok=True)
    with _alone(runs) as announce:
        few = worlds / writer.name(_SEARCHED, "tiny") / "videos" / "test"
        demo = servers.demo_command([library], first=few)
        dashboard = servers.dashboard_command([runs], demo=demo.address, worlds=worlds, libraries=[library])
        announce(dashboard, demo)

        def pages() -> Iterator[Page]:
            yield dashboard
            writer.write(_SEARCHED, "tiny", worlds)  # while the dashboard starts
            yield demo

        places = ("--runs", str(runs), "--worlds", str(worlds))
        ablate = ("ablate", study, "--suite", suite, "--size", size, "--seeds", seeds, *places)
        videos = worlds / writer.name(_SEARCHED, size) / "videos" / "test"
        world = ("world", _SEARCHED, "--size", size, "--out", str(worlds))
        index = ("index", str(videos), "--library", str(library), "--wait")
        tasks = [Task(f"{study} on {suite}", [ablate]), Task("search index", [world, index], beside=True)]
        servers.serve(pages(), say, Work(tasks, (runs, worlds, library)))


@contextmanager
def _alone(runs: Path) -> Generator[Callable[..., None]]:
    """Hold the right to fill these runs, and yield a function that announces the pages.

    Raises ValueError if another `stan run` has the right.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(runs / ".run.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        other = next((one for one in jobs.running([runs]) if one.name == jobs.QUICKSTART), None)
        where = f" ({other.detail}; process {other.pid})" if other else ""
        raise ValueError(
            f"another `stan run` is filling {runs}{where}: end it by Ctrl-C, or name other --runs"
        ) from None
    with lock, jobs.job(runs, jobs.QUICKSTART) as told:
        yield lambda *pages: told.tell(0, 0, detail=", ".join(f"{p.name} {p.address}" for p in pages))


@dataclass
class Task:
    """Commands of stan that run one after the other."""

    name: str
    commands: list[tuple[str, ...]]
    beside: bool = False
    """True for a task that gives way to others: it has one thread, and the processor only when that is free."""
    program: Program | None = None
    failed: bool = False

    @property
    def over(self) -> bool:
        return self.failed or (self.program is None and not self.commands)


class Work:
    """Runs tasks side by side and shows how far they are (see `servers.Work`)."""

    def __init__(self, tasks: Sequence[Task], folders: Sequence[Path]):
        self._tasks, self._folders = tasks, folders
        self._looked = self._said = time.monotonic()
        self._display: Live | None = None
        self._running = contextlib.ExitStack()

    def start(self) -> None:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
            self._display = self._running.enter_context(live)

    def look(self) -> None:
        """Start the tasks that may start, tell which have ended, and show the progress of the others."""
        if time.monotonic() - self._looked < _SECONDS_BETWEEN_LOOKS:
            return
        self._looked = time.monotonic()
        before = [task.over for task in self._tasks]
        for task in self._tasks:
            self._carry_on(task)
        if all(task.over for task in self._tasks) and not all(before):
            say("All is done; the pages stay until Ctrl-C.")
        self._show([one for one in jobs.running(self._folders) if one.name != jobs.QUICKSTART])

    def stop(self) -> None:
        """Ask all programs to end, then wait for them, so that their finished work is kept."""
        for task in self._tasks:
            if task.program is not None:
                task.program.ask_to_end()
        self._running.close()

    def _carry_on(self, task: Task) -> None:
        if task.program is not None and task.program.process.poll() is not None:
            code, words = task.program.process.returncode, task.program.last_words()
            task.program, task.failed = None, code != 0
            if task.failed:
                say(f"{task.name} failed: {words}")
            elif not task.commands:
                say(f"{task.name}: done")
        if task.program is None and task.commands and not task.failed:
            task.program = self._started(task.commands.pop(0), task.beside)

    def _started(self, command: tuple[str, ...], beside: bool) -> Program:
        from stan.common.servers import Program

        # the pages, which someone is waiting for, go before all work
        polite = ("nice", "-n", "10" if beside else "5") if shutil.which("nice") else ()
        program = Program(
            (*polite, sys.executable, "-m", "stan", *command),
            thread_environment(1) if beside else {},
            patience=_PATIENCE,
        )
        return self._running.enter_context(program)

    def _show(self, running: Sequence[jobs.Job]) -> None:
        if self._display is not None:
            self._display.update("\n".join(one.words for one in running), refresh=True)
        elif running and time.monotonic() - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            for one in running:
                say(one.words)
