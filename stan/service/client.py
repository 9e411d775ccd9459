"""A service's address in; its answers out, by the names that `stan.Library` has for the same calls.

It needs nothing but the standard library.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from stan.common.files import write_bytes
from stan.common.progress import FileProgress
from stan.library.results import Results

if TYPE_CHECKING:
    from stan.library import Filters

PAGE = 1000
"""Videos that are asked for at a time."""
TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
}
"""Content types of pictures; any other file is sent as a video."""


class ServiceError(ValueError):
    """Raised for a call that the service refuses; `.status` is the HTTP status, `.seconds` the time to wait, if any."""

    def __init__(self, status: int, message: str, seconds: int | None = None):
        super().__init__(message)
        self.status, self.seconds = status, seconds


class Client:
    """The service at `url`, such as http://127.0.0.1:8600. Threads may share it.

    token: a line of the service's token file, if it has one. timeout: seconds that a call may take.
    All calls raise ServiceError (a ValueError) for what the service refuses, and OSError if it cannot be reached.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 150.0):
        kind, host, port, path = _address(url)
        self._connect = lambda: kind(host, port, timeout=timeout)
        self._base = path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def about(self) -> dict[str, Any]:
        """Return {"model", "videos", "folders", "may_be_indexed", "pictures"}."""
        return self._get("/v1/library")

    def health(self) -> dict[str, Any]:
        """Return {"status", "version", "running", "waiting"}; this needs no token."""
        return self._get("/health")

    def __len__(self) -> int:
        """Return the number of videos in the library."""
        return self.about()["videos"]

    def __bool__(self) -> bool:
        return True  # even if the library is empty

    def entries(self) -> list[dict[str, Any]]:
        """Return all videos, sorted by folder and name: {"id", "name", "folder", "size", "changed", "duration"}."""
        found: list[dict[str, Any]] = []
        while True:
            page = self._get(f"/v1/videos?{urlencode({'first': len(found), 'count': PAGE})}")
            found += page["videos"]
            if not page["videos"] or len(found) >= page["total"]:
                return found

    def entry(self, id: str) -> dict[str, Any]:
        """Return the video with this id."""
        return self._get(f"/v1/videos/{id}")

    def search(
        self,
        query: str,
        top: int = 10,
        *,
        gain: float = 1.0,
        where: Filters | None = None,
        correct_hubs: bool = False,
    ) -> Results:
        """Return what `Library.search` finds; folders by name, without paths."""
        asked = {"query": query, "top": top, "gain": gain, "correct_hubs": correct_hubs}
        return _results(self._post("/v1/search", asked | _where(where)))

    def moments(
        self, query: str, top: int = 10, *, gain: float = 1.0, where: Filters | None = None
    ) -> list[dict[str, Any]]:
        """Return what `Library.moments` finds."""
        return self._post("/v1/moments", {"query": query, "top": top, "gain": gain} | _where(where))[
            "moments"
        ]

    def similar(
        self,
        to: str | Path,
        top: int = 10,
        *,
        start: float | None = None,
        end: float | None = None,
        gain: float = 1.0,
        where: Filters | None = None,
    ) -> Results:
        """Return what `Library.similar` finds. to: a video's id, or a Path to a file, which is uploaded."""
        asked = {"top": top, "start": start, "end": end, "gain": gain}
        if isinstance(to, Path):
            return _results(self._upload("/v1/similar/upload", to, asked | _where(where).get("where", {})))
        return _results(self._post("/v1/similar", {"to": to} | asked | _where(where)))

    def recognise(
        self,
        video: str | Path,
        labels: Sequence[str],
        top: int = 5,
        *,
        templates: Sequence[str] = ("{}",),
        pieces: int | None = None,
    ) -> dict[str, Any]:
        """Return what `Library.recognise` finds. video: an id, or a Path to a file, which is uploaded."""
        asked: dict[str, Any] = {"top": top, "pieces": pieces}
        if isinstance(video, Path):
            asked |= {"label": list(labels), "template": list(templates)}
            return self._upload("/v1/recognise/upload", video, asked)
        asked |= {"video": video, "labels": list(labels), "templates": list(templates)}
        return self._post("/v1/recognise", asked)

    def explain(self, video: str, query: str, frames: int | None = None) -> dict[str, Any]:
        """Return the document of `stan.explain.explain` for a video's id."""
        return self._post("/v1/explain", {"video": video, "query": query, "frames": frames})

    def strip(self, id: str, to: Path) -> None:
        """Write a video's strip of eight pictures to a file (WebP). Only services with --pictures have it."""
        self._download(f"/v1/videos/{id}/strip", to)

    def playback(self, id: str, to: Path, part: int | None = None) -> None:
        """Write a video's small copy to a file (MP4).

        part: of a video of more than six minutes, only the minute from 30 `part` seconds on.
        """
        asked = "" if part is None else f"?{urlencode({'part': part})}"
        self._download(f"/v1/videos/{id}/playback{asked}", to)

    def jobs(self) -> list[dict[str, Any]]:
        """Return the indexing jobs, the latest first: {"id", "folder", "below", "status", "done", "total", ...}."""
        return self._get("/v1/jobs")["jobs"]

    def add(self, folder: str, progress: FileProgress | None = None, *, below: str = "") -> dict[str, Any]:
        """Index one of the folders in `about()["may_be_indexed"]`, or the folder `below` in it; return the report.

        progress: as for `Library.add`. Raises ServiceError, too, if the indexing fails.
        """
        job = self._post("/v1/jobs", {"folder": folder, "below": below})
        for now in self._events(f"/v1/jobs/{job['id']}/events"):
            job = now
            if progress and job["status"] == "running" and job["total"]:
                progress(job["done"], job["total"], job["detail"])
        if job["status"] != "done":
            raise ServiceError(422, job["error"] or "the service ended before the folder was indexed")
        return job["report"]

    # ---- over HTTP

    def _get(self, path: str) -> Any:
        with self._answer("GET", path) as reply:
            return json.load(reply)

    def _post(self, path: str, asked: Mapping[str, Any]) -> Any:
        body = json.dumps(asked).encode()
        with self._answer("POST", path, body, {"Content-Type": "application/json"}) as reply:
            return json.load(reply)

    def _download(self, path: str, to: Path) -> None:
        with self._answer("GET", path) as reply:
            write_bytes(to, reply.read())  # all at once: only then is an answer that breaks off an error

    def _upload(self, path: str, file: Path, asked: Mapping[str, Any]) -> Any:
        given = {name: value for name, value in asked.items() if value is not None}
        kind = TYPES.get(file.suffix.lower(), "application/octet-stream")
        headers = {"Content-Type": kind, "Content-Length": str(file.stat().st_size)}
        with (
            file.open("rb") as body,
            self._answer("POST", f"{path}?{urlencode(given, doseq=True)}", body, headers) as reply,
        ):
            return json.load(reply)

    def _events(self, path: str) -> Iterator[dict[str, Any]]:
        with self._answer("GET", path) as reply:
            for line in reply:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))

    @contextmanager
    def _answer(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Generator[http.client.HTTPResponse]:
        connection = self._connect()
        try:
            with suppress(
                BrokenPipeError, ConnectionResetError
            ):  # it may be refused before all of it is sent
                connection.request(method, self._base + path, body, self._headers | dict(headers or {}))
            reply = connection.getresponse()
            if reply.status >= 400:
                raise _refused(reply)
            yield reply
        finally:
            connection.close()


def _address(url: str) -> tuple[type[http.client.HTTPConnection], str, int | None, str]:
    """Return the kind of connection, the host, the port, if any, and the path. Raises ValueError for no address."""
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    try:
        parts = urlsplit(url)
        if parts.scheme in kinds and parts.hostname:
            return kinds[parts.scheme], parts.hostname, parts.port, parts.path
    except ValueError:  # a port out of range, half of a bracket
        pass
    raise ValueError(f"{url} is no address of a service: give one such as http://127.0.0.1:8600")


def _refused(reply: http.client.HTTPResponse) -> ServiceError:
    told = reply.read()
    try:
        message = json.loads(told)["error"]
    except (ValueError, KeyError, TypeError):  # another server stands in between
        message = f"the service answers {reply.status} {reply.reason}"
    seconds = reply.headers.get("Retry-After", "")
    return ServiceError(reply.status, message, int(seconds) if seconds.isdigit() else None)


def _results(found: dict[str, Any]) -> Results:
    return Results(found["query"], found["results"], found["no_match"], found["ms"])


def _where(where: Filters | None) -> dict[str, Any]:
    if where is None:
        return {}
    values = {name: value for name, value in asdict(where).items() if value is not None}
    return {
        "where": {name: str(value) if isinstance(value, date) else value for name, value in values.items()}
    }
