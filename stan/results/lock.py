"""A run's folder in; the right to write its record out. Only one process has it at a time, and loses it at its end."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

FILE = ".lock"

_TRIES, _PAUSE = 20, 0.01
"""How often a writer asks for the lock, and the seconds in between: it asks again because `held` takes the lock for an
instant."""

_HELD: set[int] = set()


def _drop_in_child() -> None:
    for lock in _HELD:  # otherwise a forked worker that outlives its parent would keep the run locked
        os.close(lock)
    _HELD.clear()


os.register_at_fork(after_in_child=_drop_in_child)


def acquire(folder: Path) -> int:
    """Take the folder's lock and return it, for `release`. Raises ValueError if another process has it."""
    lock = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o644)
    for _ in range(_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_PAUSE)
            continue
        _HELD.add(lock)
        return lock
    os.close(lock)
    raise ValueError(f"{folder} is being written by another run; wait for it or stop it")


def release(lock: int) -> None:
    """Release the lock. Releasing it twice does no harm."""
    if lock in _HELD:
        _HELD.remove(lock)
        os.close(lock)


def held(folder: Path) -> bool:
    """Tell whether a process is writing the run in this folder."""
    try:
        lock = os.open(folder / FILE, os.O_RDONLY | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: readers aren't mistaken for writers
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
