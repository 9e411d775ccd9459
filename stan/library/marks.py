"""What somebody judged right or wrong for a query in; the marks that a library's folder keeps out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stan.library.kept import KeptList, Moment

MOST = 2000
"""Number of marks that a library keeps: whoever may mark must not be able to fill its disk."""
LONGEST_QUERY = 500


@dataclass(frozen=True)
class Mark(Moment):
    """A moment that is right or wrong for a query."""

    query: str
    right: bool

    @classmethod
    def of(cls, told: Any) -> Mark:
        if not isinstance(told["right"], bool):
            raise TypeError(f"a mark is right or wrong, not {told['right']!r}")
        return cls(**vars(Moment.of(told)), query=str(told["query"]), right=told["right"])


class Marks:
    """The marks in a library's folder; for each query, no two of them share any time of a video."""

    def __init__(self, folder: Path):
        self._kept = KeptList(folder, "marks", Mark.of)

    def all(self) -> list[Mark]:
        """Return all marks, in the order in which they were made. Raises ValueError if their file is damaged."""
        return self._kept.items()

    def of(self, query: str) -> list[Mark]:
        """Return the marks of a query."""
        return [mark for mark in self.all() if mark.query == as_asked(query)]

    def set(self, query: str, moment: Moment, right: bool | None) -> None:
        """Mark a moment as right or wrong for a query, in place of the marks that it meets; None only removes those.

        Raises ValueError for a query that is too long, for more than `MOST` marks, and if they cannot be kept.
        """
        query = as_asked(query)
        if len(query) > LONGEST_QUERY:
            raise ValueError(
                f"the query has {len(query)} characters: one of at most {LONGEST_QUERY} can be marked"
            )
        with self._kept.changing() as marks:
            marks[:] = [
                mark
                for mark in marks
                if mark.query != query or not mark.meets(moment.id, moment.start, moment.end)
            ]
            if right is not None and len(marks) >= MOST:
                raise ValueError(
                    f"the library keeps {MOST} marks and no more: remove some that are no longer needed"
                )
            if right is not None:
                marks.append(Mark(moment.id, moment.name, moment.start, moment.end, query, right))

    def change(self, changed: Callable[[Mark], Mark]) -> None:
        """Replace every mark by what `changed` makes of it. Raises ValueError if they cannot be kept."""
        with self._kept.changing() as marks:
            marks[:] = map(changed, marks)


def as_asked(query: str) -> str:
    """Return the query without the spaces that make no difference to what is searched for."""
    return " ".join(query.split())
