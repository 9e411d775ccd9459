"""Names of things that are made one at a time in; a lock for each out, of a fixed number that many names share."""

from __future__ import annotations

import threading
from zlib import crc32

SHARED = 64


class SharedLocks:
    """Locks by name: one name always has the same lock, and two names seldom have one together."""

    def __init__(self) -> None:
        self._locks = [threading.Lock() for _ in range(SHARED)]

    def __call__(self, name: str) -> threading.Lock:
        return self._locks[crc32(name.encode()) % SHARED]
