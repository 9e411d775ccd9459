"""A long job in, a small file with its progress out; folders of such files in, the running jobs out.

Pages and terminals follow the work of other processes through these files: `<folder>/.jobs/<name>.json`, replaced at
most twice a second and removed at the end. A killed process leaves its file behind, which then no longer counts.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from stan.common.files import write_json
from stan.common.json_values import from_json, require

FOLDER = ".jobs"
QUICKSTART = "stan run"
"""The job by which `stan run` tells a second one where its pages are; its work is told by jobs of their own."""
_SECONDS_BETWEEN = 0.5
_STALE_SECONDS = 60.0
"""A job on another machine no longer counts after so many seconds without a report. On this machine, its process tells
whether it runs."""


@dataclass(frozen=True)
class Job:
    """A process's work and its progress."""

    name: str
    """The work and its object: "components on retrieval", "rendering motions"."""
    stage: str = ""
    """The current part of the work; empty if there is only one."""
    done: int = 0
    total: int = 0
    """0 while the total is unknown."""
    detail: str = ""
    started: float = 0.0
    """Start in seconds since 1970, as is `said`, the time of the last report."""
    said: float = 0.0
    host: str = ""
    pid: int = 0

    @property
    def share(self) -> float:
        """Share of the work that is done, from 0 to 1; 0 while the total is unknown."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def words(self) -> str:
        """One line with name, stage, progress and detail."""
        counted = f"{self.done:,} of {self.total:,}" if self.total else ""
        return ": ".join(
            filter(None, [self.name, ", ".join(filter(None, [self.stage, counted, self.detail]))])
        )


class Reporter:
    """Writes one job's file; `job` makes it."""

    def __init__(self, file: Path, name: str):
        self._file = file
        self._job = Job(name, started=time.time(), host=platform.node(), pid=os.getpid())
        self._written = -_SECONDS_BETWEEN

    def tell(self, done: int, total: int, stage: str = "", detail: str = "") -> None:
        """Report the progress; write the file unless it was written less than half a second ago.

        A new stage and the end are always written.
        """
        changed = stage != self._job.stage
        self._job = replace(self._job, done=done, total=total, stage=stage, detail=detail)
        if changed or done == total or time.monotonic() - self._written >= _SECONDS_BETWEEN:
            self.write()

    def write(self) -> None:
        """Write the job's file. Raises OSError where the folder cannot be written to."""
        self._written = time.monotonic()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._file, asdict(replace(self._job, said=time.time())))


@contextmanager
def job(folder: str | Path, name: str) -> Generator[Reporter]:
    """Context of a job that others see while it lasts. Raises OSError where the folder cannot be written to."""
    file = Path(folder) / FOLDER / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}-{os.getpid()}.json"
    reporter = Reporter(file, name)
    reporter.write()
    try:
        yield reporter
    finally:
        file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # another job's file may be there
            file.parent.rmdir()


def running(folders: Iterable[str | Path]) -> list[Job]:
    """Return the jobs of living processes that report in these folders, the oldest first."""
    found = [_read(file) for folder in folders for file in (Path(folder) / FOLDER).glob("*.json")]
    return sorted((one for one in found if one is not None and _lives(one)), key=lambda one: one.started)


def _read(file: Path) -> Job | None:
    """Return the job in `file`; None where the file isn't as `job` writes it, or is gone by now."""
    try:
        found = Job(**from_json(file.read_text(encoding="utf-8")))
        for setting in fields(Job):
            require(setting.name, getattr(found, setting.name), str(setting.type))
    except (OSError, ValueError, TypeError):
        return None
    return found


def _lives(one: Job) -> bool:
    if one.host != platform.node():
        return time.time() - one.said < _STALE_SECONDS
    try:
        os.kill(one.pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it belongs to another user
        return True
    return one.pid > 0
