"""The runs of a sweep in; their progress on stderr out: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Generator, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from stan.common.json_values import from_json
from stan.results.progress import remaining
from stan.results.record_files import LOG

if TYPE_CHECKING:
    from rich.table import Table

    from stan.training.sweep.run import Run

_PLAIN_SECONDS = 30.0
_TAIL_BYTES = 8192
_STYLES = {
    "done": "green",
    "done before": "green",
    "failed": "red",
    "interrupted": "yellow",
    "running": "bold",
}


class Display(Protocol):
    """Shows how far the runs have come; `show` may be called at any rate."""

    def show(self) -> None: ...


@contextlib.contextmanager
def open_display(runs: Sequence[Run]) -> Generator[Display]:
    """Open a display on stderr: a live table on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines(runs)
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), auto_refresh=False) as live:
        yield _Live(runs, live)


def where(run: Run) -> dict[str, Any]:
    """Return a running run's epoch (from 0), epochs, step, loss, rate (clips per second), elapsed and eta (seconds).

    A value that isn't known yet is None.
    """
    log = run.folder / LOG
    line = last_step(log)
    epochs, epoch = run.experiment.train.epochs, line.get("epoch")
    eta = remaining(line["time"], line["step"], _first_epoch(log), epochs) if epoch else None
    known = {"epoch": epoch, "epochs": epochs, "step": line.get("step"), "loss": line.get("loss")}
    known |= {"rate": line.get("clips_per_second")}
    return known | {"elapsed": run.seconds, "eta": eta}


@lru_cache(maxsize=1024)
def _first_epoch(metrics: Path) -> int:
    """Return the number of steps in the first epoch, which must be over. The run's config fixes it: count only once."""
    with metrics.open(encoding="utf-8") as file:
        lines = takewhile(lambda line: line["epoch"] == 0, map(json.loads, file))
        return sum("step" in line for line in lines)


def last_step(metrics: Path) -> dict[str, Any]:
    """Return the last complete line with a step in `metrics.jsonl`, read from its end; {} if there is none."""
    if not metrics.is_file():
        return {}
    with metrics.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        lines = file.read().splitlines()
    for text in reversed(lines):
        with contextlib.suppress(ValueError):
            line = from_json(text)
            if isinstance(line, dict) and "step" in line:
                return line
    return {}


def words(run: Run) -> str:
    """Return a run's progress in a few words: of a run that isn't running, the first line of its reason."""
    if run.status != "running":
        return run.reason.partition("\n")[0]
    at = where(run)
    if at["epoch"] is None:
        return "starting"
    eta = f", {_clock(at['eta'])} to go" if at["eta"] is not None else ""
    speed = f"loss {at['loss']:.3f}, {at['rate']:.0f} clips/s"
    return f"epoch {at['epoch'] + 1}/{at['epochs']}, step {at['step']}, {speed}{eta}"


class _Live:
    def __init__(self, runs: Sequence[Run], live: Any):
        self.runs, self.live = runs, live

    def show(self) -> None:
        self.live.update(_table(self.runs), refresh=True)


class _Lines:
    """Prints a line whenever a run's status changes, and twice a minute for each running run."""

    def __init__(self, runs: Sequence[Run]):
        self.runs = runs
        self.said = {run.name: ("waiting", 0.0) for run in runs}

    def show(self) -> None:
        now = time.monotonic()
        for run in self.runs:
            status, when = self.said[run.name]
            if status != run.status or (run.status == "running" and now - when > _PLAIN_SECONDS):
                self.said[run.name] = (run.status, now)
                print(_line(run), file=sys.stderr, flush=True)


def _line(run: Run) -> str:
    elapsed = _clock(run.seconds) if run.seconds else ""
    return "  ".join(part for part in (run.name, run.status, elapsed, words(run)) if part)


def _table(runs: Sequence[Run]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("run", "status", "time", "", box=None, pad_edge=False)
    for run in runs:
        elapsed = _clock(run.seconds) if run.seconds else ""
        table.add_row(
            Text(run.name), Text(run.status, _STYLES.get(run.status, "dim")), elapsed, Text(words(run))
        )
    return table


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
