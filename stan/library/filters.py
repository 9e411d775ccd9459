"""Folder, durations, dates and ids in, the SQL condition that selects the matching rows of a library out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from stan.library.entries import among, local_path


@dataclass(frozen=True)
class Filters:
    """Conditions that a video must meet to be found. None sets no condition, nor does an empty text."""

    folder: str | None = None
    """The video lies below this folder, given by its full path or address, or by its path inside an indexed folder."""
    shortest: float | None = None
    """The video lasts at least this many seconds."""
    longest: float | None = None
    """The video lasts at most this many seconds."""
    since: date | None = None
    """The file was last changed on this day or later, in local time."""
    until: date | None = None
    """The file was last changed on this day or earlier, in local time."""
    ids: Sequence[str] | None = None
    """The video is one of these."""

    def condition(self) -> str | None:
        """Return the condition in the store's SQL, or None if every video may be found."""
        terms = {
            "{}": None if self.ids is None else among(list(self.ids)),
            "starts_with(path, {})": _below(self.folder) if self.folder else None,
            "duration >= {}": self.shortest,
            "duration <= {}": self.longest,
            "mtime_ns >= {}": _midnight(self.since) if self.since else None,
            "mtime_ns < {}": _midnight(self.until + timedelta(days=1)) if self.until else None,
        }
        return " AND ".join(form.format(value) for form, value in terms.items() if value is not None) or None


def _below(folder: str) -> str:
    """Return the SQL expression of the prefix that all paths below `folder` share.

    A relative `folder` is taken to lie inside the indexed folder of each row.
    """
    is_address = local_path(folder) is None  # whose two slashes are no mistake
    within = os.path.join(folder if is_address else os.path.normpath(folder), "")
    quoted = "'" + within.replace("'", "''") + "'"
    return quoted if is_address or os.path.isabs(folder) else f"concat(folder, '{os.sep}', {quoted})"


def _midnight(day: date) -> int:
    """Return the nanoseconds since 1970 at which a day begins in local time."""
    return int(datetime.combine(day, time.min).timestamp()) * 10**9
