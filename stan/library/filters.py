"""Folder, durations, dates and ids in, the SQL condition that selects the matching rows of a library out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from stan.common.json_values import require
from stan.library.entries import among, is_id, local_path

FIRST, LAST = 1970, 2261
"""Years whose nanoseconds since 1970 a file's time can be compared with."""


@dataclass(frozen=True)
class Filters:
    """Conditions that a video must meet to be found. None sets no condition, nor does an empty text.

    Raises ValueError for a value of another kind, and for days that no file's time can be compared with.
    """

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

    def __post_init__(self) -> None:
        require("folder", self.folder, "str | None")
        require("shortest", self.shortest, "float | None")
        require("longest", self.longest, "float | None")
        for name, day in (("since", self.since), ("until", self.until)):
            if day is not None and not (isinstance(day, date) and FIRST <= day.year <= LAST):
                raise ValueError(f"{name} is {day}; it must be a day of the years {FIRST} to {LAST}")
        if self.ids is not None and (isinstance(self.ids, str) or not all(map(is_id, self.ids))):
            raise ValueError(f"ids are {self.ids!r:.80}; they must be a list of videos' ids")

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
