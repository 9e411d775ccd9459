"""How to open libraries in, the callables that the page needs out.

The first library opens in the background, so that the page stands at once; whoever needs it first waits for it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.service.calls import Calls, LibraryState
from demo.service.media import Proxies
from demo.service.search_request import SearchRequest
from stan.common import jobs
from stan.common.progress import FileProgress
from stan.data.label_sets import LABEL_SETS
from stan.data.prompts import TEMPLATES

if TYPE_CHECKING:
    from stan.explain import Attention, Explanation
    from stan.library import Entry, Library, Results

LABELS = 10
"""Recognised labels shown at most."""
PIECES = 6
"""Parts of a video that are recognised by themselves."""
REMEMBERED = 256
"""Uploads that can still be played; older ones are forgotten."""


class Backend:
    """Libraries by name, each opened when first needed, and what the operator lets visitors index.

    cache: where the libraries' small videos and strips are kept; those of uploads go when the process ends, and so do
    all where it is None. addresses: the folders of libraries, where indexing by other processes is seen.
    """

    def __init__(
        self,
        libraries: Mapping[str, Callable[[], Library]],
        cache: Path | None = None,
        folders: Sequence[Path] = (),
        addresses: Mapping[str, Path] | None = None,
    ):
        self._openers = dict(libraries)
        self._addresses = dict(addresses or {})
        self._opened: dict[str, Future[Library]] = {}
        self._opening = threading.Lock()
        self._folders = {str(folder): folder.resolve() for folder in folders}
        self._visits = tempfile.TemporaryDirectory(prefix="stan-demo-")
        self._uploaded = Proxies(Path(self._visits.name))
        self._proxies = Proxies(cache) if cache else self._uploaded
        self._uploads: dict[str, Path] = {}
        self._start(next(iter(self._openers)))

    def calls(self) -> Calls:
        return Calls(
            libraries=list(self._openers),
            folders=list(self._folders),
            labels={name: list(labels()) for name, labels in LABEL_SETS.items()},
            templates={name: list(sentences) for name, sentences in TEMPLATES.items()},
            state=self.state,
            videos=self.videos,
            places=self.places,
            search=self.search,
            recognise=self.recognise,
            explain=self.explain,
            attention=self.attention,
            time=self.time,
            index=self.index,
            media=self.media,
            admit=self.admit,
        )

    def state(self, library: str) -> LibraryState:
        """How many videos it holds, and what is being indexed into it; at once, opened or not."""
        address = self._addresses.get(library)
        indexing = tuple(jobs.running([address])) if address else ()
        opened = self._opened.get(library)
        if opened is None or not opened.done() or opened.exception() is not None:
            return LibraryState(None, indexing)
        return LibraryState(len(opened.result()), indexing)

    def videos(self, library: str) -> list[tuple[str, str]]:
        """(name, id) of all videos."""
        return [(entry.name, entry.id) for entry in self._library(library).entries()]

    def places(self, library: str) -> list[str]:
        """Names of the folders that videos lie in; they do not tell where on this machine those are."""
        return list(_places(self._library(library).entries()))

    def search(self, request: SearchRequest) -> Results:
        """Raises ValueError for a query that cannot be read and an id that is not known."""
        from stan.library import Filters

        library = self._library(request.library)
        where = Filters(
            self._place(library, request.folder),
            request.shortest,
            request.longest,
            _day(request.since),
            _day(request.until),
        )
        if request.like:
            id = library.entry(request.like).id
            return library.similar(
                id, request.top, start=request.start, end=request.end, gain=request.gain, where=where
            )
        return library.search(request.q, request.top, gain=request.gain, where=where)

    def recognise(
        self, library: str, video: str | Path, labels: list[str], templates: list[str]
    ) -> dict[str, Any]:
        """`video`: the id of one of the library's, or an upload."""
        opened = self._library(library)
        known = video if isinstance(video, Path) else opened.entry(video).id
        sentences = templates or TEMPLATES["plain"]
        return opened.recognise(known, labels, LABELS, templates=sentences, pieces=PIECES)

    def explain(
        self, library: str, id: str, query: str, frames: int, progress: Callable[[int, int], None]
    ) -> Explanation:
        from stan.explain import explain

        opened = self._library(library)
        return explain(opened.model, opened.entry(id).path, query, frames, progress=progress)

    def attention(self, library: str, id: str, frames: int) -> Attention:
        from stan.explain import attention

        opened = self._library(library)
        return attention(opened.model, opened.entry(id).path, frames)

    def time(self, library: str, id: str, query: str) -> dict[str, Any]:
        from stan.explain.frame_order import time_meter

        opened = self._library(library)
        return time_meter(opened.model, opened.entry(id).path, query)

    def index(self, library: str, folder: str | None, below: str, progress: FileProgress) -> dict[str, Any]:
        """Indexes an allowed folder, or one below it; None: again all folders that the library holds.

        Raises ValueError for a folder that is not among the allowed, and for what leads out of it.
        """
        opened = self._library(library)
        roots = [self._allowed(folder, below)] if folder else self._held(opened)
        if not roots:
            raise ValueError("the library holds nothing yet, so there is nothing to look through again")
        reports = [opened.add(root, progress) for root in roots]
        total = {
            name: sum(r[name] for r in reports) for name in ("indexed", "unchanged", "removed", "seconds")
        }
        return {**total, "skipped": [one for report in reports for one in report["skipped"]]}

    def media(self, id: str, kind: str) -> Path:
        """The small video (mp4) or the strip (webp) of a library's video or of an upload.

        Raises ValueError for an unknown id, VideoError for what cannot be decoded, OSError for a file that is gone.
        """
        if id in self._uploads:
            return self._uploaded(self._uploads[id], kind)
        return self._proxies(self._entry(id).path, kind)

    def admit(self, upload: Path) -> str:
        """An id by which `media` knows the upload from now on; it tells nothing of where it lies."""
        while len(self._uploads) >= REMEMBERED:
            self._uploads.pop(next(iter(self._uploads)))
        id = secrets.token_hex(16)
        self._uploads[id] = upload
        return id

    def _entry(self, id: str) -> Entry:
        """Of whichever opened library has it. Raises ValueError where none has."""
        failure = ValueError(f"there is no video {id!r}")
        for opened in list(self._opened.values()):
            try:
                return opened.result().entry(id)
            except ValueError as error:
                failure = error
        raise failure

    def _allowed(self, folder: str, below: str) -> Path:
        """A folder that the operator named, or one below it, links followed."""
        if folder not in self._folders:
            raise ValueError(f"{folder} is none of the folders that may be indexed: choose one of the list")
        root = self._folders[folder]
        try:
            wanted = (root / below).resolve()
        except (OSError, ValueError, RuntimeError):
            wanted = root.parent
        if not wanted.is_relative_to(root):
            raise ValueError(f"{below} leads out of {folder}: name a folder in it")
        if not wanted.is_dir():
            raise ValueError(f"{folder} has no folder {below}: name one that is there, or leave it empty")
        return wanted

    def _place(self, library: Library, name: str) -> str | None:
        """The path of a folder that is named as in `places`."""
        if not name:
            return None
        places = _places(library.entries())
        if name not in places:
            raise ValueError(f"no video of the library lies in a folder {name!r}: choose one of the list")
        return places[name]

    def _held(self, library: Library) -> list[str]:
        return sorted({entry.folder for entry in library.entries() if os.path.isdir(entry.folder)})

    def _library(self, name: str) -> Library:
        """Opened by now. Raises ValueError for an unknown name, and where it cannot be opened."""
        name = name or next(iter(self._openers))
        if name not in self._openers:
            raise ValueError(f"there is no library {name!r}: choose one in the tab Library")
        return self._start(name).result()

    def _start(self, name: str) -> Future[Library]:
        with self._opening:
            if name not in self._opened:
                opener = ThreadPoolExecutor(1, thread_name_prefix="open-library")
                self._opened[name] = opener.submit(self._openers[name])
                opener.shutdown(wait=False)
            return self._opened[name]


def open_library(
    address: str, model: str | None, may_be_new: bool = False, first: Path | None = None
) -> Library:
    """The library with its model loaded; where it is new, the videos of the folder `first` are indexed.

    Raises ValueError where there is none, or no such model.
    """
    from stan.library import Library
    from stan.library.store import Busy

    library = Library(address, model)
    if library.made_by is None and first is not None:
        with contextlib.suppress(Busy):  # then another process is filling it
            library.add(first)
    if library.made_by is None and not may_be_new:
        raise ValueError(
            f"there is no library at {address}: make one with stan index FOLDER --library {address}"
        )
    library.require_model()
    if library.made_by:
        library.search(
            "anything", top=1
        )  # what is encoded and read once, is so before the first visitor searches
    return library


def _places(entries: Iterable[Entry]) -> dict[str, str]:
    """Every folder that videos lie in, from each indexed folder downwards: its path by a name to show."""
    entries = list(entries)
    roots = sorted({entry.folder for entry in entries})
    named = dict(zip(roots, distinct([Path(root).name for root in roots]), strict=True))
    places = {}
    for entry in entries:
        for above in Path(entry.name).parents:
            places[str(Path(named[entry.folder], above))] = os.path.join(entry.folder, above)
    return dict(sorted(places.items()))


def distinct(names: list[str]) -> list[str]:
    """The names, numbered where the same comes again."""
    return [
        name if names.index(name) == place else f"{name} ({names[: place + 1].count(name)})"
        for place, name in enumerate(names)
    ]


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
