"""The names of trackers in; a run's record sent to them from threads of their own, which training never waits for."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stan.tracking.base import module
from stan.tracking.sending import sender, tracked

PAUSE, AFTER_FAILURE = 2.0, 60.0
"""Seconds between two looks at the log, and until a tracker that failed is tried again."""
CLOSING = 30.0
"""The most seconds that a finished run waits for its trackers together."""


@contextmanager
def following(names: Sequence[str]) -> Generator[Callable[[Path], None]]:
    """Yield a function that is told a run's folder: its record then goes to these trackers, and to those it went to.

    Leave the context after the record is closed: what is not sent yet is sent then. A tracker that fails costs a
    warning, and `stan track` sends the rest later. Raises ValueError for a tracker whose client isn't installed.
    """
    for name in names:
        module(name)
    followers: list[_Follower] = []

    def follow(folder: Path) -> None:
        for name in dict.fromkeys([*names, *tracked(folder)]):
            followers.append(_Follower(folder, name))

    try:
        yield follow
    finally:
        for one in followers:
            one.over.set()
        for one in followers:
            one.join(CLOSING / len(followers))


class _Follower:
    """A thread that sends one run's record to one tracker as it is written."""

    def __init__(self, folder: Path, name: str):
        self.over = threading.Event()
        self._folder, self._name = folder, name
        self._warned = False
        self._thread = threading.Thread(target=self._run, name=f"to {name}", daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        """Wait for the rest to be sent; a tracker that hangs is left behind."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._warn("it does not answer")

    def _run(self) -> None:
        try:
            with sender(self._folder, self._name) as sending:
                pause = 0.0
                while not self.over.wait(pause):
                    if self._tried(sending.send):
                        pause = PAUSE
                    else:
                        pause = AFTER_FAILURE
                        sending.drop()
                self._tried(sending.close)
        except ValueError as error:  # another process sends the same, or the record's note is damaged
            self._warn(str(error))

    def _tried(self, act: Callable[[], int]) -> bool:
        try:
            act()
        except Exception as error:  # each client has errors of its own, and none may end the training
            self._warn(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
            return False
        return True

    def _warn(self, reason: str) -> None:
        """Warn once: a tracker that is away stays away for a while."""
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"{self._name} does not get what is logged ({reason}); the record in {self._folder} is whole, and"
                f" `stan track {self._folder} --logger {self._name}` sends the rest later",
                stacklevel=2,
            )
