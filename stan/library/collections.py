"""Moments and a name in; the named collections that a library's folder keeps out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stan.library.kept import KeptList, Moment

MOST = 100
"""Number of collections that a library keeps."""
MOST_MOMENTS = 200
"""Number of moments in one of them."""
LONGEST_NAME = 80


@dataclass(frozen=True)
class Collection:
    name: str
    moments: tuple[Moment, ...]

    @classmethod
    def of(cls, told: Any) -> Collection:
        return cls(str(told["name"]), tuple(Moment.of(one) for one in told["moments"]))


class Collections:
    """The collections in a library's folder; no two have the same name."""

    def __init__(self, folder: Path):
        self._kept = KeptList(folder, "collections", Collection.of)

    def all(self) -> list[Collection]:
        """Return all collections, sorted by name. Raises ValueError if their file is damaged."""
        return sorted(self._kept.items(), key=lambda one: one.name)

    def add(self, name: str, moments: Sequence[Moment]) -> Collection:
        """Add moments to the collection `name`, which is made if there is none, and return it.

        A moment that it already holds is not added again. Raises ValueError for a name that is empty, too long or not
        on one line, for too many moments or collections, and if they cannot be kept.
        """
        name = _checked(name)
        with self._kept.changing() as collections:
            known = {one.name: one for one in collections}
            held = known[name].moments if name in known else ()
            made = Collection(name, tuple(dict.fromkeys([*held, *moments])))
            if len(made.moments) > MOST_MOMENTS:
                raise ValueError(
                    f"{name} would hold {len(made.moments)} moments: {MOST_MOMENTS} are the most"
                )
            known[name] = made
            if len(known) > MOST:
                raise ValueError(f"the library keeps {MOST} collections and no more: remove one first")
            collections[:] = known.values()
        return made

    def take_out(self, name: str, moment: Moment) -> None:
        """Take a moment out of a collection; one that isn't there needs nothing. Raises ValueError as `add` does."""
        with self._kept.changing() as collections:
            collections[:] = [
                Collection(name, tuple(kept for kept in one.moments if kept != moment))
                if one.name == name
                else one
                for one in collections
            ]

    def remove(self, name: str) -> None:
        """Remove a collection; its videos are left alone. Raises ValueError if they cannot be kept."""
        with self._kept.changing() as collections:
            collections[:] = [one for one in collections if one.name != name]

    def change(self, changed: Callable[[Moment], Moment]) -> None:
        """Replace every moment by what `changed` makes of it. Raises ValueError if they cannot be kept."""
        with self._kept.changing() as collections:
            collections[:] = [Collection(one.name, tuple(map(changed, one.moments))) for one in collections]


def _checked(name: str) -> str:
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(f"a collection needs a name of 1 to {LONGEST_NAME} characters on one line")
    return name
