"""Videos in; the same videos, checked and, if their bytes are new, decoded slightly ahead of the model, out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Container, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from stan.library import scan
from stan.library.embedding import FileEmbeddings, embed_groups, read
from stan.library.entries import Entry
from stan.library.sources import FileState, Source
from stan.models.dual_encoder import DualEncoder

READERS = 2
"""Number of threads that check and decode videos, and number of videos by which they are ahead of the model."""


@dataclass(frozen=True)
class Task:
    """A video to check, and what the library holds at its path."""

    source: Source
    before: Entry | None


class FileIdentity(NamedTuple):
    state: FileState
    hash: str | None
    """Hash of the bytes; None if the state is the same as in the library's own row."""


class Video(Protocol):
    """A video that is being checked. Its methods raise VideoError or OSError if it cannot be read."""

    source: Source
    waited: float
    """Seconds that the model has waited for it."""

    def look(self) -> FileIdentity: ...

    def embed(self) -> FileEmbeddings: ...


class IndexEngine(Protocol):
    """Checks videos and embeds them."""

    models: int
    """Number of models that embed at the same time."""

    def videos(self, tasks: list[Task], known: Collection[str]) -> Generator[Video]:
        """Yield one video per task, in any order. Videos whose hash is in `known` need not be embedded."""
        ...


class LocalIndexEngine:
    """Embeds with one model in this process, while threads read ahead of it.

    reads: yields a file's groups of frames and decodes each when it is asked for.
    embeds: embeds a file, given all its groups in order.
    """

    models = 1

    def __init__(
        self, reads: Callable[[Path], Iterator[Any]], embeds: Callable[[Iterator[Any]], FileEmbeddings]
    ):
        self._reads, self._embeds = reads, embeds

    @classmethod
    def of(cls, model: DualEncoder, window: float) -> LocalIndexEngine:
        """Return an engine that embeds in windows of `window` seconds."""
        return cls(lambda file: read(model, file, window), partial(embed_groups, model))

    def videos(self, tasks: list[Task], known: Collection[str]) -> Generator[Video]:
        """Yield the videos in the order of the tasks. A video is closed when the next one is asked for."""
        ahead: deque[_Ahead] = deque()
        with ThreadPoolExecutor(READERS, thread_name_prefix="read-ahead") as threads:
            try:
                for task in tasks:
                    ahead.append(
                        _Ahead(task.source, _pieces(task, known, self._reads), self._embeds, threads)
                    )
                    if len(ahead) > READERS:
                        yield ahead[0]
                        ahead.popleft().close()
                while ahead:
                    yield ahead[0]
                    ahead.popleft().close()
            finally:
                threads.shutdown(cancel_futures=True)
                for video in ahead:
                    video.close()


def _pieces(
    task: Task, known: Container[str], reads: Callable[[Path], Iterator[Any]]
) -> Generator[tuple[FileIdentity, Any]]:
    """Yield what was found of a video, with its first group of frames if it is new; then yield its other groups."""
    state = task.source.state()
    if task.before and state.is_that_of(task.before):
        yield FileIdentity(state, None), None
        return
    with task.source.fetched() as file:
        digest = state.tag or scan.digest(file)
        look = FileIdentity(state, digest)
        groups = reads(file)
        yield look, None if digest in known else next(groups)
        for group in groups:
            yield look, group


class _Ahead:
    """A video whose next piece a thread is always preparing."""

    def __init__(
        self,
        source: Source,
        pieces: Generator[tuple[FileIdentity, Any]],
        embeds: Callable[[Iterator[Any]], FileEmbeddings],
        threads: ThreadPoolExecutor,
    ):
        self.source, self.waited = source, 0.0
        self._pieces, self._embeds, self._threads = pieces, embeds, threads
        self._next = self._upcoming()

    def look(self) -> FileIdentity:
        piece = self._wait(self._next)
        assert piece is not None, "every video has a first piece"
        return piece[0]

    def embed(self) -> FileEmbeddings:
        return self._embeds(self._groups())

    def close(self) -> None:
        """Stop reading, and delete the copy of a file that was fetched."""
        if not self._next.cancel():
            self._next.exception()  # this waits, because a generator cannot be closed while it runs
        self._pieces.close()

    def _groups(self) -> Iterator[Any]:
        while (piece := self._wait(self._next)) is not None:
            self._next = self._upcoming()
            if piece[1] is not None:
                yield piece[1]

    def _upcoming(self) -> Future:
        return self._threads.submit(next, self._pieces, None)

    def _wait(self, piece: Future) -> tuple[FileIdentity, Any] | None:
        started = time.perf_counter()
        try:
            return piece.result()
        finally:
            self.waited += time.perf_counter() - started
