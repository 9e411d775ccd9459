"""Functions that open libraries in, the callables that the page needs out.

The first library opens in the background, so the page is up at once; the first call that needs the library waits.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.languages import translated
from demo.service.calls import Calls, LibraryState
from demo.service.keeping import Keeping
from demo.service.search_request import SearchRequest
from demo.service.uploads import Uploads
from stan.common import jobs
from stan.common.errors import reason
from stan.common.progress import FileProgress
from stan.data.label_sets import LABEL_SETS
from stan.data.prompts import TEMPLATES
from stan.data.video.facts import VideoFacts
from stan.library.places import places
from stan.library.proxies import Proxies
from stan.library.roots import Roots

if TYPE_CHECKING:
    from stan.explain import Attention, Explanation
    from stan.library import Library, Results
    from stan.library.video_map import Map

LABELS = 10
"""Maximum number of recognised labels shown."""
PIECES = 6
"""Number of parts of a video that are recognised separately."""


class Backend:
    """Libraries by name, each opened when first needed, and the folders that the operator lets visitors index.

    cache: folder that keeps the small videos and strips of the libraries. Those of uploads are deleted when the process
    ends; if `cache` is None, so are all others. addresses: folders of libraries, in which indexing by other processes
    is noticed.
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
        self._roots = Roots({str(folder): folder for folder in folders})
        self._visits = tempfile.TemporaryDirectory(prefix="stan-demo-", ignore_cleanup_errors=True)
        visiting = Proxies(Path(self._visits.name))
        self._proxies = Proxies(cache) if cache else visiting
        self._uploads = Uploads(visiting)
        self._keeping = Keeping(self._library, Path(self._visits.name))
        self._start(next(iter(self._openers)))

    def calls(self) -> Calls:
        return Calls(
            libraries=list(self._openers),
            folders=self._roots.names,
            **recognisable(),
            state=self.state,
            videos=self.videos,
            places=self.places,
            facts=self.facts,
            map=self.map,
            search=self.search,
            recognise=self.recognise,
            explain=self.explain,
            attention=self.attention,
            time=self.time,
            index=self.index,
            media=self.media,
            admit=self._uploads.admit,
            end=self._visits.cleanup,
            kept=self._keeping.calls(),
        )

    def state(self, library: str) -> LibraryState:
        """Return how many videos it holds and what is being indexed into it. Never waits for it to open."""
        address = self._addresses.get(library)
        indexing = tuple(jobs.running([address])) if address else ()
        opened = self._opened.get(library)
        if opened is None or not opened.done() or opened.exception() is not None:
            return LibraryState(None, indexing)
        return LibraryState(len(opened.result()), indexing)

    def videos(self, library: str) -> list[tuple[str, str]]:
        """Return (name, id) of all videos."""
        return [(entry.name, entry.id) for entry in self._library(library).entries()]

    def places(self, library: str) -> list[str]:
        """Return names of the folders that hold videos; the names do not reveal where on this machine they are."""
        return list(places(self._library(library).entries()))

    def facts(self, library: str, id: str) -> VideoFacts | None:
        """Return what a video's file is and how it was read; None if that is unknown."""
        return self._library(library).facts(id)

    def map(self, library: str) -> Map:
        """Return where the videos lie on the library's map. Raises ValueError for a library that is too large."""
        return self._library(library).map()

    def search(self, request: SearchRequest) -> Results:
        """Return the results of a search. Raises ValueError for a query that cannot be read and for an unknown id."""
        from stan.library import Filters

        library = self._library(request.library)
        where = Filters(
            self._place(library, request.folder),
            request.shortest,
            request.longest,
            request.first_day,
            request.last_day,
            library.map().within(*request.sides) if request.sides else None,
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
        """Return the labels recognised in `video`, the id of one of the library's videos or an upload."""
        opened = self._library(library)
        known = video if isinstance(video, Path) else opened.entry(video).id
        sentences = templates or TEMPLATES["plain"]
        return opened.recognise(known, labels, LABELS, templates=sentences, pieces=PIECES)

    def explain(
        self, library: str, id: str, query: str, frames: int, progress: Callable[[int, int], None]
    ) -> Explanation:
        from stan.explain import explain

        opened = self._library(library)
        with opened.file(id) as path:
            return explain(opened.model, path, query, frames, progress=progress)

    def attention(self, library: str, id: str, frames: int) -> Attention:
        from stan.explain import attention

        opened = self._library(library)
        with opened.file(id) as path:
            return attention(opened.model, path, frames)

    def time(self, library: str, id: str, query: str) -> dict[str, Any]:
        from stan.explain.frame_order import probe

        opened = self._library(library)
        with opened.file(id) as path:
            return probe(opened.model, path, query)

    def index(self, library: str, folder: str | None, below: str, progress: FileProgress) -> dict[str, Any]:
        """Index `folder`, one of the allowed ones, or only the folder `below` in it; return the report.

        None as `folder` indexes all folders that the library holds again. Raises ValueError for a folder that is not
        allowed, and for a `below` that leads out of it.
        """
        opened = self._library(library)
        roots = [self._roots.path(folder, below)] if folder else self._held(opened)
        if not roots:
            raise ValueError(
                translated(
                    "the library holds no folder of this machine that could be looked through again; "
                    "index a folder, or a list of addresses, with stan index"
                )
            )
        return summed([opened.add(root, progress) for root in roots])

    def media(self, id: str, kind: str, part: int | None = None) -> Path:
        """Return the small video (mp4), or one part of it, or the strip (webp) of a library's video or of an upload.

        As `zip`, return the archive of clips with this id.

        Raises ValueError for an unknown id, VideoError for a video that cannot be decoded, OSError for a missing file.
        """
        if kind == "zip":
            return self._keeping.archive(id)
        if id in self._uploads:
            return self._uploads.media(id, kind, part)
        return self._proxies.of(self._holder(id), id, kind, part)

    def _holder(self, id: str) -> Library:
        """Return whichever opened library has the video. Raises ValueError, or OSError, if none has."""
        failure: Exception = ValueError(translated("there is no video {id}", id=repr(id)))
        for opened in list(self._opened.values()):
            try:
                opened.result().entry(id)
            except (ValueError, OSError) as error:
                failure = error
            else:
                return opened.result()
        raise failure

    def _place(self, library: Library, name: str) -> str | None:
        """Return the path of a folder named as in `places`; None for no name. Raises ValueError for an unknown name."""
        if not name:
            return None
        known = places(library.entries())
        if name not in known:
            raise ValueError(
                translated(
                    "no video of the library lies in a folder {name}: choose one of the list", name=repr(name)
                )
            )
        return known[name]

    def _held(self, library: Library) -> list[str]:
        return sorted({entry.folder for entry in library.entries() if os.path.isdir(entry.folder)})

    def _library(self, name: str) -> Library:
        """Return the library once it is open. Raises ValueError if its name is unknown or it cannot be opened."""
        name = existing(name, self._openers)
        try:
            return self._start(name).result()
        except OSError as error:
            raise ValueError(
                translated("the library {name} cannot be opened: {why}", name=repr(name), why=reason(error))
            ) from error

    def _start(self, name: str) -> Future[Library]:
        """Return the library as it opens. If it could not be opened before, try again: what it lacked may be there."""
        with self._opening:
            opened = self._opened.get(name)
            if opened is None or (opened.done() and opened.exception() is not None):
                opener = ThreadPoolExecutor(1, thread_name_prefix="open-library")
                opened = self._opened[name] = opener.submit(self._openers[name])
                opener.shutdown(wait=False)
            return opened


def recognisable() -> dict[str, dict[str, list[str]]]:
    """Return the label sets and the sets of templates that the page offers, by the names that `Calls` has for them."""
    return {
        "labels": {name: list(labels()) for name, labels in LABEL_SETS.items()},
        "templates": {name: list(sentences) for name, sentences in TEMPLATES.items()},
    }


def existing(name: str, libraries: Mapping[str, Any]) -> str:
    """Return `name`, or the first library's if it is empty. Raises ValueError if there is no library of this name."""
    name = name or next(iter(libraries))
    if name not in libraries:
        raise ValueError(
            translated("there is no library {name}: choose one in the tab Library", name=repr(name))
        )
    return name


def summed(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the reports of several folders as one."""
    counts = ("indexed", "unchanged", "removed", "seconds")
    skipped = [one for report in reports for one in report["skipped"]]
    return {name: sum(one[name] for one in reports) for name in counts} | {"skipped": skipped}


def open_library(
    address: str, model: str | None, may_be_new: bool = False, first: Path | None = None
) -> Library:
    """Return the library with its model loaded. If it is new, the videos of the folder `first` are indexed.

    Raises ValueError if there is no library and `may_be_new` is False, or if there is no such model.
    """
    from stan.library import Library
    from stan.library.store import Busy

    library = Library(address, model)
    if library.made_by is None and first is not None:
        with contextlib.suppress(Busy):  # another process is filling it
            library.add(first)
    if library.made_by is None and not may_be_new:
        raise ValueError(
            f"there is no library at {address}: make one with stan index FOLDER --library {address}"
        )
    library.require_model()
    if library.made_by:
        library.search("anything", top=1)  # loads and caches now what the first search would wait for
    return library
