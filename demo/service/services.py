"""Clients of `stan api` in, the callables that the page needs out: the models run in the services, not in the demo."""

from __future__ import annotations

import http.client
import re
import tempfile
import time
from collections.abc import Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from demo.languages import translated
from demo.service.backend import LABELS, PIECES, existing, recognisable, summed
from demo.service.calls import Calls, KeptCalls, LibraryState, Part
from demo.service.search_request import SearchRequest
from demo.service.uploads import Uploads
from stan.common.jobs import Job
from stan.common.locks import NamedLocks
from stan.common.progress import FileProgress
from stan.data.prompts import TEMPLATES
from stan.library import Filters, Results
from stan.library.proxies import Proxies
from stan.service.client import Client, ServiceError
from stan.service.questions import MOST_RESULTS

WITHOUT: frozenset[Part] = frozenset({"map", "keeping", "inside", "facts"})
"""Parts for which a service has no call."""
FRESH = 600.0
"""Seconds until a picture or a small video is asked for again."""


class Services:
    """Services by name. A service that cannot be reached raises ValueError, and works again as soon as it is back.

    read_only: nothing can be indexed. Raises ValueError for a service that cannot be reached now.
    """

    def __init__(self, clients: Mapping[str, Client], read_only: bool = False):
        self._clients = dict(clients)
        about = [self._about(name) for name in clients]
        allowed = [] if read_only else [folder for one in about for folder in one["may_be_indexed"]]
        self._folders = list(dict.fromkeys(allowed))
        self._states = dict.fromkeys(clients, LibraryState(None))
        self._asked: dict[str, Future[LibraryState]] = {}
        self._asking = ThreadPoolExecutor(len(clients), thread_name_prefix="ask-service")
        self._visits = tempfile.TemporaryDirectory(prefix="stan-demo-", ignore_cleanup_errors=True)
        self._fetching = NamedLocks()
        self._uploads = Uploads(Proxies(Path(self._visits.name)))

    def calls(self) -> Calls:
        return Calls(
            libraries=list(self._clients),
            folders=self._folders,
            **recognisable(),
            state=self.state,
            videos=self.videos,
            places=lambda library: self._about(library)["folders"],
            facts=lambda library, id: None,
            map=_not_offered,
            search=self.search,
            recognise=self.recognise,
            explain=_not_offered,
            attention=_not_offered,
            time=_not_offered,
            index=self.index,
            media=self.media,
            admit=self._uploads.admit,
            end=self._visits.cleanup,
            kept=KeptCalls(**{one.name: _not_offered for one in fields(KeptCalls)}),
            without=WITHOUT if self._folders else WITHOUT | {"indexing"},
        )

    def state(self, library: str) -> LibraryState:
        """Return the state that the service told last, and ask it anew in the background."""
        asked = self._asked.get(library)
        if asked is None or asked.done():
            if asked is not None:
                self._states[library] = asked.result()
            self._asked[library] = self._asking.submit(self._state, library)
        return self._states[library]

    def videos(self, library: str) -> list[tuple[str, str]]:
        """Return (name, id) of all videos."""
        with self._service(library) as client:
            return [(one["name"], one["id"]) for one in client.entries()]

    def search(self, request: SearchRequest) -> Results:
        """Return the results of a search; at most as many as a service gives.

        Raises ValueError for a region of the map, which an address may ask for.
        """
        if request.region:
            _not_offered()
        top = min(request.top, MOST_RESULTS)
        days = request.first_day, request.last_day
        where = Filters(request.folder or None, request.shortest, request.longest, *days)
        with self._service(request.library) as client:
            if request.like:
                moment = {"start": request.start, "end": request.end}
                return client.similar(request.like, top, **moment, gain=request.gain, where=where)
            return client.search(request.q, top, gain=request.gain, where=where)

    def recognise(
        self, library: str, video: str | Path, labels: list[str], templates: list[str]
    ) -> dict[str, Any]:
        """Return the labels recognised in `video`, the id of one of the library's videos or an upload."""
        sentences = templates or TEMPLATES["plain"]
        with self._service(library) as client:
            return client.recognise(video, labels, LABELS, templates=sentences, pieces=PIECES)

    def index(self, library: str, folder: str | None, below: str, progress: FileProgress) -> dict[str, Any]:
        """Index `folder`, one of those that the service may index; None indexes all of them. Return the report."""
        with self._service(library) as client:
            folders = [folder] if folder else client.about()["may_be_indexed"]
            return summed([client.add(one, progress, below=below) for one in folders])

    def media(self, id: str, kind: str, part: int | None = None) -> Path:
        """Return the small video (mp4), or one part of it, or the strip (webp) of a service's video or of an upload.

        Raises ValueError for an unknown id, and for a service that was not started with --pictures.
        """
        if id in self._uploads:
            return self._uploads.media(id, kind, part)
        if not re.fullmatch("[0-9a-f]{16}", id) or kind == "zip":
            raise ValueError(translated("there is no video {id}", id=repr(id)))
        file = Path(self._visits.name, f"{id}-{part}.{kind}")
        with self._fetching(file.name):
            if not file.exists() or time.time() - file.stat().st_mtime > FRESH:
                self._fetch(id, kind, part, file)
        return file

    def _fetch(self, id: str, kind: str, part: int | None, file: Path) -> None:
        """Write what the first service that has the video shows of it."""
        failure = ValueError(translated("there is no video {id}", id=repr(id)))
        for name in self._clients:
            try:
                with self._service(name) as client:
                    return client.playback(id, file, part) if kind == "mp4" else client.strip(id, file)
            except ServiceError as error:
                failure = error
                if error.status == 404 and not self._about(name)["pictures"]:
                    failure = ValueError(
                        translated("{name} shows no pictures: it needs stan api --pictures", name=name)
                    )
        raise failure

    def _about(self, library: str) -> dict[str, Any]:
        with self._service(library) as client:
            return client.about()

    def _state(self, library: str) -> LibraryState:
        try:
            with self._service(library) as client:
                running = [one for one in client.jobs() if one["status"] == "running"]
                jobs = tuple(
                    Job(f"indexing {one['folder']}", "", one["done"], one["total"], one["detail"])
                    for one in running
                )
                return LibraryState(len(client), jobs)
        except ValueError:
            return LibraryState(None)

    @contextmanager
    def _service(self, name: str) -> Generator[Client]:
        """Yield a client. Raises ValueError for an unknown name, and if the service cannot be reached."""
        name = existing(name, self._clients)
        try:
            yield self._clients[name]
        except (OSError, http.client.HTTPException) as error:
            raise ValueError(
                translated(
                    "the service at {name} does not answer ({why}): is stan api running there?",
                    name=name,
                    why=_why(error),
                )
            ) from error


def _not_offered(*_: Any) -> Any:
    raise ValueError(translated("a service has no such call: run stan demo over the library itself"))


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
