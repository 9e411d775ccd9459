"""Folders to index in; jobs that index them one after the other, and their progress, out."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

from stan.common.progress import FileProgress
from stan.service.calls import Unknown
from stan.service.lanes import TooMany

KEPT = 100
"""Jobs that are remembered after their end."""
LOOK_SECONDS = 0.2
"""Seconds between two looks at a job that is watched."""
RETRY_SECONDS = 30


@dataclass(frozen=True)
class Job:
    """One folder to index, and how far it is."""

    id: str
    folder: str
    below: str
    status: str = "waiting"
    """waiting, running, done or failed."""
    done: int = 0
    total: int = 0
    detail: str = ""
    report: dict[str, Any] | None = None
    error: str | None = None

    @property
    def ended(self) -> bool:
        return self.status in ("done", "failed")

    def document(self) -> dict[str, Any]:
        return asdict(self)


class _Closing(Exception):
    """Raised within a job to end it before its next video."""


class Jobs:
    """Jobs of one library. One runs at a time, because a library has one writer.

    index: `index(folder, below, progress)` returns the report. told: gives an error's message for others. most: jobs
    that may wait.
    """

    def __init__(
        self,
        index: Callable[[str, str, FileProgress], dict[str, Any]],
        told: Callable[[Exception], str],
        most: int,
    ):
        self._index, self._told, self._most = index, told, most
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="index")

    def start(self, folder: str, below: str) -> Job:
        """Return a new job, which waits for the others. Raises TooMany if too many wait already."""
        with self._lock:
            if sum(one.status == "waiting" for one in self._jobs.values()) >= self._most:
                raise TooMany(f"{self._most} folders wait to be indexed: ask again later", RETRY_SECONDS)
            job = Job(secrets.token_hex(8), folder, below)
            self._jobs[job.id] = job
            ended = [one.id for one in self._jobs.values() if one.ended]
            for id in ended[: max(0, len(ended) - KEPT)]:
                del self._jobs[id]
            self._worker.submit(self._run, job)
        return job

    def all(self) -> list[Job]:
        """Return all jobs, the latest first."""
        return list(self._jobs.values())[::-1]

    def job(self, id: str) -> Job:
        """Return how far a job is. Raises Unknown."""
        try:
            return self._jobs[id]
        except KeyError:
            raise Unknown(f"there is no job {id!r}") from None

    async def watch(self, id: str) -> AsyncIterator[Job]:
        """Yield a job at once and whenever it is further, up to its end."""
        seen = None
        while seen is None or not seen.ended:
            now = self.job(id)
            if now != seen:
                yield now
            else:
                await asyncio.sleep(LOOK_SECONDS)
            seen = now

    def close(self) -> None:
        """End the running job before its next video, and forget those that wait; what was indexed stays."""
        self._closing.set()
        self._worker.shutdown(wait=True, cancel_futures=True)

    def _run(self, job: Job) -> None:
        def progress(done: int, total: int, name: str) -> None:
            if self._closing.is_set():
                raise _Closing("the service ended; start the job again, and it goes on from there")
            self._change(job, done=done, total=total, detail=name)

        self._change(job, status="running")
        try:
            report = self._index(job.folder, job.below, progress)
        except Exception as error:  # whatever it is, the job ends, and the next one begins
            self._change(job, status="failed", error=self._told(error))
            if not isinstance(error, ValueError | OSError | _Closing):
                raise
        else:
            indexed = report["indexed"] + report["unchanged"] + len(report["skipped"])
            self._change(job, status="done", done=indexed, total=indexed, detail="", report=report)

    def _change(self, job: Job, **changes: Any) -> None:
        with self._lock:
            self._jobs[job.id] = replace(self._jobs[job.id], **changes)
