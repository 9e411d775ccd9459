"""A video's folder, duration and date in, whether a search may find it out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date

from stan.library.store import Entry


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

    def admit(self, entry: Entry) -> bool:
        """Whether `entry` meets them all."""
        return (
            (self.folder is None or _lies_in(entry, self.folder))
            and (self.shortest is None or entry.duration >= self.shortest)
            and (self.longest is None or entry.duration <= self.longest)
            and (self.since is None or entry.date >= self.since)
            and (self.until is None or entry.date <= self.until)
        )


def _lies_in(entry: Entry, folder: str) -> bool:
    above = os.path.join(os.path.normpath(os.path.join(entry.folder, folder)), "")
    return entry.path.startswith(above)
