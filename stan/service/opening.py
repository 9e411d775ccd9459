"""An address of a library and folders in; the library, ready to be searched, and the folders by name out."""

from __future__ import annotations

from pathlib import Path

from stan.library import Library
from stan.library.places import distinct
from stan.library.proxies import Proxies
from stan.library.roots import Roots


def roots_of(folders: list[Path]) -> Roots:
    """Return the folders that may be indexed, named as `distinct` does. Raises ValueError for what is no folder."""
    return Roots(dict(zip(distinct([folder.resolve().name for folder in folders]), folders, strict=True)))


def pictures_of(library: Library, elsewhere: Path) -> Proxies:
    """Return the maker of small copies of the videos.

    They are kept in the library's folder or, if it is not on this machine, in the folder `elsewhere`.
    """
    return Proxies((library.path if isinstance(library.path, Path) else elsewhere) / "proxies")


def found(address: str, model: str | None, may_be_new: bool) -> Library:
    """Return the library, with nothing loaded yet. Raises ValueError if there is none, unless it `may_be_new`."""
    library = Library(address, model)
    if library.made_by is None and not may_be_new:
        raise ValueError(
            f"there is no library at {address}: make one with stan index FOLDER --library {address}"
        )
    return library


def loaded(library: Library) -> Library:
    """Return the library with its model and embeddings loaded, so that the first call need not wait for them.

    Raises ValueError if the model cannot be loaded, or is another than made the library.
    """
    library.require_model()
    if library.made_by and library.model.vectors_of_sentences:
        library.search("anything", top=1)
    return library
