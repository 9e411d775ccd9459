"""Videos of a library in, local files of the bytes that were embedded out: videos at addresses are fetched and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from stan.common.errors import reason
from stan.common.files import new_file
from stan.common.locks import NamedLocks
from stan.data.video.decoding import VideoError
from stan.library.entries import Entry
from stan.library.sources import FetchLimits, OverLimit, fetch

LIMITS = FetchLimits()
ROOM = 8 << 30
"""Bytes of copies that are kept; beyond that, those that were used longest ago go."""
AT_ONCE = 4
"""Videos that are fetched at the same time."""


class Copies:
    """Copies of videos at addresses, in a folder that lasts as long as they do."""

    def __init__(self):
        self._fetching = threading.Semaphore(AT_ONCE)
        self._tidying = threading.Lock()
        self._opening = threading.Lock()
        self._lock = NamedLocks()
        self._opened: Path | None = None

    @contextmanager
    def file(self, entry: Entry) -> Generator[Path]:
        """Yield a local path to the video, which is valid while the context is open.

        Raises VideoError for a video that cannot be fetched within `LIMITS`, or is not the one that was embedded.
        """
        if not entry.is_remote:
            yield Path(entry.path)
            return
        name = hashlib.sha256(f"{entry.path}\0{entry.hash}".encode()).hexdigest()[:24]
        copy = self._folder / (name + Path(entry.name).suffix.lower())
        with self._lock(copy.stem):
            if not copy.exists():
                with self._fetching:
                    _fetch(entry, copy)
            os.utime(copy)
            self._make_room()
            yield copy

    @property
    def _folder(self) -> Path:
        """Made when it is first needed, once, whichever thread asks first: `cached_property` has no lock."""
        with self._opening:
            if self._opened is None:
                self._opened = Path(tempfile.mkdtemp(prefix="stan-copies-"))
                # also as the process ends
                weakref.finalize(self, shutil.rmtree, self._opened, ignore_errors=True)
            return self._opened

    def _make_room(self) -> None:
        """Remove the copies that were used longest ago, but none that is in use."""
        with self._tidying:
            room, copies = ROOM, self._folder.glob("[!.]*")
            for copy in sorted(copies, key=lambda copy: -copy.stat().st_mtime_ns):
                room -= copy.stat().st_size
                lock = self._lock(copy.stem)
                if room < 0 and lock.acquire(blocking=False):
                    copy.unlink()
                    lock.release()


def _fetch(entry: Entry, copy: Path) -> None:
    try:
        with new_file(copy) as part:
            if fetch(entry, part, LIMITS) != entry.hash:
                raise VideoError(entry.name, "is no longer what was indexed", "index it again")
    except OverLimit as error:
        raise VideoError(entry.name, str(error), "keep a smaller copy, or one on this machine") from error
    except OSError as error:  # its message may hold the address, and with it words that give access
        raise VideoError(
            entry.name, f"cannot be fetched ({reason(error)})", "try again once its server answers"
        ) from error
