"""Videos of a library in; names of the folders that hold them, which do not reveal where these are, out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stan.library.entries import Entry


def places(entries: Iterable[Entry]) -> dict[str, str]:
    """Return the paths of all folders that hold videos, from each indexed folder downwards, by a name to show."""
    entries = list(entries)
    named = names_of(entry.folder for entry in entries)
    found = {}
    for entry in entries:
        for above in Path(entry.name).parents:
            place = entry.folder if above == Path() else os.path.join(entry.folder, above)
            found[str(Path(named[entry.folder], above))] = place
    return dict(sorted(found.items()))


def names_of(folders: Iterable[str]) -> dict[str, str]:
    """Return a name for each folder: its own, with a number where several have the same."""
    roots = sorted(set(folders))
    return dict(zip(roots, distinct([Path(root).name for root in roots]), strict=True))


def distinct(names: list[str]) -> list[str]:
    """Return the names, with a number after repeated ones."""
    return [
        name if names.index(name) == place else f"{name} ({names[: place + 1].count(name)})"
        for place, name in enumerate(names)
    ]
