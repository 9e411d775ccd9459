"""A folder of videos in; an indexed library out, which is searched by text, by example and by moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stan.common import lazily

if TYPE_CHECKING:
    from stan.library.encoder import DEFAULT_MODEL
    from stan.library.entries import Entry
    from stan.library.filters import Filters
    from stan.library.library import Library
    from stan.library.results import Results

__getattr__ = lazily.names(
    __name__,
    {
        "DEFAULT_MODEL": "stan.library.encoder",
        "Entry": "stan.library.entries",
        "Filters": "stan.library.filters",
        "Library": "stan.library.library",
        "Results": "stan.library.results",
    },
)
"""Imports these names on first use: a client of the service needs `Results`, but neither torch nor a store."""

__all__ = ["DEFAULT_MODEL", "Entry", "Filters", "Library", "Results"]
