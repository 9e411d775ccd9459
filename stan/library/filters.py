"""Folder, durations and dates in, the condition on a library's rows that finds what meets them out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta


@dataclass(frozen=True)
class Filters:
    """What a video must be to be found; None leaves it open."""

    folder: str | None = None
    """It lies below this folder, named by its full path or by its path inside an indexed folder."""
    shortest: float | None = None
    """Seconds."""
    longest: float | None = None
    """Seconds."""
    since: date | None = None
    """Last changed on this day or later, in local time."""
    until: date | None = None
    """Last changed on this day or earlier."""

    def condition(self) -> str | None:
        """In the store's SQL; None where everything may be found."""
        terms = {
            "starts_with(path, {})": self.folder and _below(self.folder),
            "duration >= {}": self.shortest,
            "duration <= {}": self.longest,
            "mtime_ns >= {}": self.since and _midnight(self.since),
            "mtime_ns < {}": self.until and _midnight(self.until + timedelta(days=1)),
        }
        return " AND ".join(form.format(value) for form, value in terms.items() if value is not None) or None


def _below(folder: str) -> str:
    """What the paths of all that lies below a folder start with: an indexed folder's own path, where it is relative."""
    within = os.path.join(os.path.normpath(folder), "")
    quoted = "'" + within.replace("'", "''") + "'"
    return quoted if os.path.isabs(folder) else f"concat(folder, '{os.sep}', {quoted})"


def _midnight(day: date) -> int:
    """Nanoseconds since 1970 at which a day begins, in local time."""
    return int(datetime.combine(day, time.min).timestamp()) * 10**9
