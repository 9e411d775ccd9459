"""A long piece of work in, a small file that says how far it is out; folders of such files in, what is running out.

Pages and terminals follow work of other processes by these files: `<folder>/.jobs/<name>.json`, replaced at most twice
a second, removed at the end. Where the process was killed its file stays, and is no longer counted.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from stan.common.files import write_json

FOLDER = ".jobs"
_SECONDS_BETWEEN = 0.5
_STALE_SECONDS = 60.0
"""Another machine's job that has said nothing for so long isn't counted; here the process tells."""


@dataclass(frozen=True)
class Job:
    """What a process is doing, and how far it is."""

    name: str
    """What is done to what: "components on retrieval", "rendering motions"."""
    stage: str = ""
    """Its current part; empty where it has only one."""
    done: int = 0
    total: int = 0
    """0 while nobody knows."""
    detail: str = ""
    started: float = 0.0
    """Seconds since 1970, as `said`."""
    said: float = 0.0
    host: str = ""
    pid: int = 0

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def words(self) -> str:
        """One line: name, stage, how far, detail."""
        counted = f"{self.done:,} of {self.total:,}" if self.total else ""
        return ": ".join(
            filter(None, [self.name, ", ".join(filter(None, [self.stage, counted, self.detail]))])
        )


class Reporter:
    """Writes one job's file; use `job`."""

    def __init__(self, file: Path, name: str):
        self._file = file
        self._job = Job(name, started=time.time(), host=platform.node(), pid=os.getpid())
        self._written = -_SECONDS_BETWEEN

    def tell(self, done: int, total: int, stage: str = "", detail: str = "") -> None:
        """How far the work is; writes it down unless that was done a moment ago."""
        changed = stage != self._job.stage
        self._job = replace(self._job, done=done, total=total, stage=stage, detail=detail)
        if changed or done == total or time.monotonic() - self._written >= _SECONDS_BETWEEN:
            self.write()

    def write(self) -> None:
        """Raises OSError where the folder cannot be written to."""
        self._written = time.monotonic()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._file, asdict(replace(self._job, said=time.time())))


@contextmanager
def job(folder: str | Path, name: str) -> Iterator[Reporter]:
    """A job that others see as long as the context lasts. Raises OSError where the folder cannot be written to."""
    file = Path(folder) / FOLDER / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}-{os.getpid()}.json"
    reporter = Reporter(file, name)
    reporter.write()
    try:
        yield reporter
    finally:
        file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another job's file may lie there
            file.parent.rmdir()


def running(folders: Iterable[str | Path]) -> list[Job]:
    """The jobs of living processes that report in these folders, the oldest first."""
    found = [_read(file) for folder in folders for file in (Path(folder) / FOLDER).glob("*.json")]
    return sorted((one for one in found if one is not None and _lives(one)), key=lambda one: one.started)


def _read(file: Path) -> Job | None:
    """None for what isn't as `job` writes it, or is gone meanwhile."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        found = Job(**values)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    kinds = ((found.name, str), (found.stage, str), (found.detail, str), (found.host, str))
    numbers = (found.done, found.total, found.started, found.said, found.pid)
    fits = all(isinstance(value, kind) for value, kind in kinds)
    return found if fits and all(isinstance(value, int | float) for value in numbers) else None


def _lives(one: Job) -> bool:
    if one.host != platform.node():
        return time.time() - one.said < _STALE_SECONDS
    try:
        os.kill(int(one.pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return one.pid > 0
