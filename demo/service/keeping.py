"""Libraries in; the callables by which visitors mark moments, keep them in collections and have them cut, out.

What they keep lies in the library's folder, where all visitors share it, and has limits on number and length.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from demo.languages import translated
from demo.service.calls import Cut, KeptCalls
from stan.common.errors import reason, told
from stan.common.progress import FileProgress
from stan.library.collections import Collection, Collections
from stan.library.kept import Moment
from stan.library.marks import Mark, Marks

if TYPE_CHECKING:
    from stan.library import Library
    from stan.library.own_recall import OwnRecall

ARCHIVES = 8
"""Number of archives that can still be downloaded; the oldest goes when another one is made."""


class Keeping:
    """library: opens a library by its name. archives: an empty folder for the archives of clips."""

    def __init__(self, library: Callable[[str], Library], archives: Path):
        self._library, self._archives = library, archives
        self._made: dict[str, Path] = {}

    def calls(self) -> KeptCalls:
        return KeptCalls(
            moment=self.moment,
            marks=self.marks,
            mark=self.mark,
            recall=self.recall,
            collections=self.collections,
            add=self.add,
            take_out=self.take_out,
            remove=self.remove,
            cut=self.cut,
        )

    def moment(self, library: str, id: str, start: float, end: float) -> Moment:
        """Return a moment of one of the library's videos. Raises ValueError for an unknown id and for other seconds."""
        entry = self._library(library).entry(id)
        if not (0 <= start <= end < math.inf and start <= entry.duration):
            raise ValueError(
                translated(
                    "{name} has no moment from {start} to {end} seconds",
                    name=entry.name,
                    start=start,
                    end=end,
                )
            )
        return Moment(entry.id, entry.name, start, end)

    def marks(self, library: str, query: str) -> list[Mark]:
        return self._marks(library).of(query)

    def mark(self, library: str, query: str, moment: Moment, right: bool | None) -> None:
        marks = self._marks(library)
        self._library(library).search(query, top=1)  # what cannot be searched for cannot be measured either
        marks.set(query, moment, right)

    def recall(self, library: str) -> OwnRecall:
        from stan.library.own_recall import own_recall

        opened = self._library(library)
        return own_recall(self._marks(library).all(), opened.search, {entry.id for entry in opened.entries()})

    def collections(self, library: str) -> list[Collection]:
        return self._collections(library).all()

    def add(self, library: str, name: str, moments: Sequence[Moment]) -> Collection:
        return self._collections(library).add(name, moments)

    def take_out(self, library: str, name: str, moment: Moment) -> None:
        self._collections(library).take_out(name, moment)

    def remove(self, library: str, name: str) -> None:
        self._collections(library).remove(name)

    def cut(self, library: str, moments: Sequence[Moment], progress: FileProgress) -> Cut:
        from stan.library.clips import archive

        opened, id = self._library(library), secrets.token_hex(16)
        file = self._archives / f"{id}.zip"
        try:
            failed = archive(moments, opened.file, file, progress)
        except OSError as error:
            raise ValueError(
                translated(
                    "no clip can be written here ({why}): have fewer cut at a time",
                    why=_without_folder(error),
                )
            ) from error
        self._made[id] = file
        while len(self._made) > ARCHIVES:
            self._made.pop(next(iter(self._made))).unlink()
        return Cut(id, [(moment.name, _without_folder(error)) for moment, error in failed])

    def archive(self, id: str) -> Path:
        """Return the archive with this id. Raises ValueError for an unknown one and for one that is gone already."""
        if id not in self._made:
            raise ValueError(translated("these clips are no longer here: have them cut again"))
        return self._made[id]

    def _marks(self, library: str) -> Marks:
        return Marks(self._folder(library))

    def _collections(self, library: str) -> Collections:
        return Collections(self._folder(library))

    def _folder(self, library: str) -> Path:
        path = self._library(library).path
        if not isinstance(path, Path):
            raise ValueError(
                translated(
                    "marks and collections are kept beside a library on this machine, and this one is not"
                )
            )
        return path


def _without_folder(error: Exception) -> str:
    """Return the reason without the folder, which the message of an OSError would tell."""
    return reason(error) if isinstance(error, OSError) else told(error)
