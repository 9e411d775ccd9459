"""How to open a library in, the callables that the tabs need out.

They open in the background, so that the page stands at once; whoever needs the library first waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.media import Proxies, require_video_name
from stan.data.world import suites

if TYPE_CHECKING:
    from stan.explain import Attention
    from stan.library import Library, Results

LABELS = 10
"""Recognised labels shown at most."""


class Engine:
    """One library and its model. A visitor names videos by id; a `Path` is an upload."""

    def __init__(self, open_library: Callable[[], Library], cache: Path):
        self._proxies = Proxies(cache)
        opener = ThreadPoolExecutor(1, thread_name_prefix="open-library")
        self._opened = opener.submit(open_library)
        opener.shutdown(wait=False)

    def videos(self) -> list[tuple[str, str]]:
        """(name, id) of all videos."""
        return [(entry.name, entry.id) for entry in self._library().entries()]

    def search(self, query: str, top: int) -> Results:
        return self._library().search(query, top)

    def recognise(self, video: str | Path, labels: list[str]) -> dict[str, Any]:
        if isinstance(video, Path):
            require_video_name(video)
        else:
            video = self._library().entry(video).id
        return self._library().recognise(video, labels, top=LABELS)

    def attention(self, video: str, frames: int) -> Attention:
        from stan.explain import attention

        library = self._library()
        return attention(library.model, library.entry(video).path, frames)

    @property
    def labels(self) -> list[str]:
        """Labels to begin with: the motions of the embedded world."""
        return list(suites.labels("motions"))

    def proxy(self, video: str | Path) -> Path:
        """A file to play. Raises ValueError for an unknown id, VideoError for what cannot be decoded."""
        return self._proxies(video if isinstance(video, Path) else self._entry_path(video))

    def _entry_path(self, id: str) -> str:
        return self._library().entry(id).path

    def _library(self) -> Library:
        return self._opened.result()


def open_library(path: Path, model: str | None) -> Library:
    """The library with its model loaded. Raises ValueError where there is none, or no such model."""
    if not path.is_dir():
        raise ValueError(f"there is no library at {path}: make one with stan index FOLDER --library {path}")
    from stan.library import Library

    library = Library(path, model)
    library.require_model()
    return library
