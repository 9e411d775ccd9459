"""Names of things that are made one at a time in; a lock for each out, which is there as long as anybody needs it."""

from __future__ import annotations

import threading
from weakref import WeakValueDictionary


class NamedLocks:
    """Locks by name: whoever asks for a name while its lock is held or waited for gets the same one.

    No two names share a lock: a thread that holds one and asks for another would wait for itself.
    """

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._giving = threading.Lock()

    def __call__(self, name: str) -> threading.Lock:
        with self._giving:
            lock = self._locks.get(name)
            if lock is None:
                lock = self._locks[name] = threading.Lock()
            return lock
