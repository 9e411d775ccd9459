"""Calls in; their results out, from a bounded number of threads, or at once the news that there is no room or time."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


class TooMany(Exception):
    """Raised where there is no room for another call; `seconds` until it is worth asking again."""

    def __init__(self, message: str, seconds: int):
        super().__init__(message)
        self.seconds = seconds


class TooSlow(Exception):
    """Raised for a call that was not done in time."""


class Lane:
    """Threads for one kind of call. A call holds a place from before its body is read until its thread has ended.

    workers: calls that run at the same time; waiting: calls that may wait for them. seconds: from taking a place until
    the answer. A call that took longer cannot be stopped: it is answered, but keeps its place until it ends.
    """

    def __init__(self, name: str, workers: int, waiting: int, seconds: float):
        self.name, self._room, self._seconds = name, workers + waiting, seconds
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._held = self._running = 0

    @property
    def running(self) -> int:
        return self._running

    @property
    def waiting(self) -> int:
        return self._held - self._running

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[Place]:
        """Hold a place. Raises TooMany if all are taken, and TooSlow once the time is over."""
        with self._lock:
            if self._held >= self._room:
                raise TooMany(
                    f"{self._held} calls are running or waiting, which is all that may: ask again later",
                    max(1, math.ceil(self._seconds / 10)),
                )
            self._held += 1
        place = Place(self)
        try:
            async with asyncio.timeout(self._seconds):
                yield place
        except TimeoutError:
            raise TooSlow(f"it took longer than {self._seconds:g} s: ask for less, or later") from None
        finally:
            place.leave()

    async def run(self, call: Callable[[], T]) -> T:
        """Return what `call` returns, from a place of its own. Raises the errors of `place` and of `call`."""
        async with self.place() as place:
            return await place.run(call)

    def start(self, call: Callable[[], T]) -> Future[T]:
        return self._pool.submit(lambda: self._counted(call))

    def free(self) -> None:
        with self._lock:
            self._held -= 1

    def close(self) -> None:
        """Forget the calls that wait."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _counted(self, call: Callable[[], T]) -> T:
        with self._lock:
            self._running += 1
        try:
            return call()
        finally:
            with self._lock:
                self._running -= 1


class Place:
    """One call's place in a lane."""

    def __init__(self, lane: Lane):
        self._lane = lane
        self._future: Future | None = None

    async def run(self, call: Callable[[], T]) -> T:
        """Return what `call` returns, once a worker has run it."""
        self._future = future = self._lane.start(call)
        return await asyncio.wrap_future(future)

    def leave(self) -> None:
        """Free the place as soon as no thread works for it any more."""
        if self._future is None:
            self._lane.free()
        else:
            self._future.add_done_callback(lambda _: self._lane.free())
