"""A folder of videos in; an indexed library out, which is searched by text, by example and by moment."""

from stan.library.filters import Filters
from stan.library.library import DEFAULT_MODEL, Library
from stan.library.search import Results
from stan.library.store import Entry

__all__ = ["DEFAULT_MODEL", "Entry", "Filters", "Library", "Results"]
