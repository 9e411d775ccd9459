"""Requests in, answers out of worker processes that may hang, crash or use up memory without harm to this process.

Workers are fresh interpreters, never forks: torch's threads would not survive a fork. A worker is killed when it
overruns its time, replaced when it has died, and waited for in any case. It ends by itself when this process is gone.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

import numpy as np

from stan.common.cores import cores, thread_environment

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from stan.data.video.worker import main; main()"
)
_START_SECONDS = 120
_PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031  # Linux only: a pipe that holds a whole clip saves a wake-up for every 64 KiB
_LONGEST_HEADER = 64 << 20


class WorkerDied(Exception):
    """Raised when a worker ended before it answered; the message says how it ended."""


class Worker:
    """One decoding process; used by one thread at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # decord prints bytes of broken files
            env=os.environ | thread_environment(1),
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the process that asked, which ends the worker itself
        )
        assert self._process.stdin is not None and isinstance(self._process.stdout, io.FileIO)
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self.pid = self._process.pid
        self._buffer = bytearray()
        self._widen()
        try:
            self._read_header(time.monotonic() + _START_SECONDS)
        except WorkerDied as died:
            self.kill()
            raise RuntimeError(f"no decoding process could be started ({died}); run `stan doctor`") from died

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], seconds: float) -> tuple[dict[str, Any], np.ndarray | None]:
        """Return the header and its array of bytes, if any. Raises WorkerDied if none came; the worker is gone then."""
        deadline = time.monotonic() + seconds
        try:
            self._requests.write(json.dumps(request).encode() + b"\n")
            header = self._read_header(deadline)
            array = self._read_array(header["shape"], deadline) if "shape" in header else None
        except (OSError, ValueError) as error:
            self.kill()
            raise WorkerDied(self._ending()) from error
        except BaseException:  # a time-out or Ctrl-C: a half-read answer must not meet the next request
            self.kill()
            raise
        return header, array

    def kill(self) -> None:
        """End the process now, wait for it, and close its pipes."""
        self._process.kill()
        self._process.wait()
        self.forget()

    def forget(self) -> None:
        """Close this process's ends of the pipes."""
        for pipe in (self._requests, self._answers):
            with suppress(OSError):
                pipe.close()

    def _widen(self) -> None:
        if sys.platform == "linux":
            import fcntl

            with suppress(OSError):
                fcntl.fcntl(self._answers, _F_SETPIPE_SZ, _PIPE_BYTES)

    def _read_header(self, deadline: float) -> dict[str, Any]:
        while (end := self._buffer.find(b"\n")) < 0:
            part = bytearray(1 << 16)
            self._buffer += part[: self._read_into(memoryview(part), deadline)]
            if len(self._buffer) > _LONGEST_HEADER:
                raise ValueError("no end to the answer's first line")
        line = self._buffer[:end]
        del self._buffer[: end + 1]
        return json.loads(line)

    def _read_array(self, shape: list[int], deadline: float) -> np.ndarray:
        array = np.empty(shape, dtype=np.uint8)
        view, done = array.data.cast("B"), min(len(self._buffer), array.nbytes)
        view[:done] = self._buffer[:done]
        del self._buffer[:done]
        while done < len(view):
            done += self._read_into(view[done:], deadline)
        return array

    def _read_into(self, view: memoryview, deadline: float) -> int:
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            raise WorkerDied("took longer than its limit of time")
        count = self._answers.readinto(view)
        if not count:
            raise WorkerDied(self._ending())
        return count

    def _ending(self) -> str:
        code = self._process.wait(timeout=10)
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"left with exit code {code}"


class Pool:
    """As many workers as there are cores (at least 2), started when first needed and shared by all threads."""

    def __init__(self, size: int | None = None):
        self.size = size or max(2, cores())
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._free = threading.Semaphore(self.size)
        self._all: set[Worker] = set()

    def ask(self, request: dict[str, Any], seconds: float) -> tuple[dict[str, Any], np.ndarray | None]:
        """Return what `Worker.ask` returns, from a free worker or the next one to become free."""
        with self._free:
            worker = self._take()
            try:
                answer = worker.ask(request, seconds)
            except BaseException:
                with self._lock:
                    self._all.discard(worker)
                raise
            with self._lock:
                self._idle.append(worker)
            return answer

    @property
    def pids(self) -> list[int]:
        with self._lock:
            return [worker.pid for worker in self._all]

    def close(self) -> None:
        """End all workers; the next request starts new ones."""
        with self._lock:
            workers, self._all, self._idle = self._all, set(), []
        for worker in workers:
            worker.kill()

    def forget(self) -> None:
        """Let go of the workers' pipes after a fork, and nothing more: the workers belong to the parent."""
        for worker in self._all:
            worker.forget()
        self.__init__(self.size)

    def _take(self) -> Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.alive:
                    return worker
                self._all.discard(worker)
                worker.kill()
        worker = Worker()
        with self._lock:
            self._all.add(worker)
        return worker


POOL = Pool()
atexit.register(POOL.close)
os.register_at_fork(after_in_child=POOL.forget)
