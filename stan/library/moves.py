"""A library's videos and where their bytes lie now in; what moved where, and marks and collections that follow, out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from stan.library.collections import Collections
from stan.library.entries import Entry
from stan.library.kept import Moment
from stan.library.marks import Marks

Kept = TypeVar("Kept", bound=Moment)
Moves = Mapping[str, Entry]
"""From the id that a video had to where it is now."""


def moves(known: Iterable[Entry], now: Iterable[Entry]) -> Moves:
    """Return where the bytes of `known` videos lie `now`, of those that lie no longer where they lay.

    Where several files have the same bytes, the first of them counts.
    """
    places: dict[str, Entry] = {}
    for entry in now:
        places.setdefault(entry.hash, entry)
    held = {(entry.path, entry.hash) for entry in now}
    lost = [entry for entry in known if (entry.path, entry.hash) not in held]
    return {entry.id: places[entry.hash] for entry in lost if entry.hash in places}


def follow(library: Path, moved: Moves) -> None:
    """Let the marks and collections in a library's folder follow their videos. Raises ValueError for a damaged file."""
    marks, collections = Marks(library), Collections(library)
    if any(one.id in moved for one in marks.all()):
        marks.change(lambda mark: _there(mark, moved))
    if any(one.id in moved for collection in collections.all() for one in collection.moments):
        collections.change(lambda moment: _there(moment, moved))


def _there(moment: Kept, moved: Moves) -> Kept:
    place = moved.get(moment.id)
    return replace(moment, id=place.id, name=place.name) if place else moment
