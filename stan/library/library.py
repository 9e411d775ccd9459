"""A folder of videos in; an indexed library out, which adds videos, searches by text or by example, and recognises."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float

from stan.common.durations import milliseconds
from stan.common.jobs import job
from stan.common.progress import FileProgress
from stan.common.ray import ENGINES
from stan.data.video.facts import VideoFacts
from stan.evaluation import zero_shot
from stan.evaluation.zero_shot import EmbeddedVideo
from stan.library import bank
from stan.library.copies import Copies
from stan.library.encoder import Encoder
from stan.library.entries import COLUMNS, Entry, Maker, Row, is_id
from stan.library.filters import Filters
from stan.library.indexing import columns, update
from stan.library.prefetch import IndexEngine, LocalIndexEngine
from stan.library.query import parse
from stan.library.ray_engine import RayIndexEngine
from stan.library.results import Results
from stan.library.scoring import at_gain
from stan.library.search import Options, Search, frame_parts, moment_of, stretch, window_parts
from stan.library.sources import Addresses, Folder, is_list
from stan.library.store import Store
from stan.library.video_map import Map, VideoMap
from stan.models.dual_encoder import DualEncoder
from stan.models.similarity.cosine import Cosine


class Library:
    """An indexed set of videos at `path`, searched with `model`.

    path: a folder, which the first `add` creates, or an address of object storage.
    model: a name that `stan.load_model` knows, a model that is already loaded, or None. None means the model that made
        the library, and `stan-tiny` for a new library. The model is loaded when it is first needed.
    window: seconds that a window of a long video covers. None means the value with which the library was made, and one
        second per frame of the model for a new library.

    Adding and searching raise ValueError if the library was made by another model or with other windows.
    """

    def __init__(
        self,
        path: str | Path,
        model: str | Path | DualEncoder | None = None,
        window: float | None = None,
    ):
        if window is not None and not 0 < window < math.inf:
            raise ValueError(f"a window of {window} seconds: take a number above 0")
        self._store = Store(path)
        self._encoder = Encoder(self._store, model, window)
        self._searches: Search | None = None
        self._copies = Copies()
        self._map = VideoMap(self._store)

    @property
    def path(self) -> Path | str:
        """The library's folder, or its address on object storage."""
        return self._store.path or self._store.address

    @property
    def made_by(self) -> str | None:
        """Name of the model that made the library; None while it is empty."""
        maker = self._store.maker
        return maker.model if maker else None

    def __len__(self) -> int:
        """Return the number of videos in the library."""
        return self._store.videos

    def __bool__(self) -> bool:
        return True  # even if it is empty

    def entries(self) -> list[Entry]:
        """Return all videos, sorted by folder and name."""
        return self._store.entries()

    def entry(self, id: str) -> Entry:
        """Return the video with this opaque id. Raises ValueError if there is none."""
        return Entry(**self._row(id, COLUMNS))

    def facts(self, id: str) -> VideoFacts | None:
        """Return what a video's file is and how it was read; None if an earlier version of stan embedded it.

        Raises ValueError for an unknown id.
        """
        told = self._store.facts(self.entry(id).id)
        return VideoFacts.of(json.loads(told)) if told else None

    def map(self) -> Map:
        """Return where the videos lie in two dimensions. Raises ValueError for a library that is too large for it."""
        return self._map()

    @contextmanager
    def file(self, id: str) -> Generator[Path]:
        """Yield a local path to a video, valid while the context is open; one at an address is fetched and kept.

        Raises ValueError for an unknown id, and VideoError (a ValueError) for an address whose video cannot be fetched,
        needs too much time or room, or is no longer the one that was indexed.
        """
        with self._copies.file(self.entry(id)) as path:
            yield path

    def add(
        self,
        folder: str | Path,
        progress: FileProgress | None = None,
        *,
        engine: str = "local",
        jobs: int | None = None,
        wait: bool = False,
    ) -> dict[str, Any]:
        """Index what is new or changed below `folder`, and drop what is gone from it or no longer decodes.

        folder: a folder, or a text file that names videos, one path or address (`s3://`, `https://`) per line. For a
            text file, only videos that it names are dropped.
        progress: `progress(done, total, name)` is called before each video.
        engine: `local`, or `ray` for the workers of a cluster, each of which holds the model (see
            `stan.library.ray_engine`).
        jobs: with ray, the number of workers; by default one per GPU of the cluster, or one per core if it has no GPU.
        wait: wait until another process has finished writing to the library; by default, a busy library is an error.

        Returns {"indexed", "unchanged", "removed", "moved": how many of the removed lie somewhere else now, "skipped":
        [{"file", "reason", "remedy"}], "seconds", "seconds_waiting": how many of these seconds a model waited on
        average for the frames that it embedded}.
        A file that was moved, from another folder or within this one, or that was only touched keeps its embeddings,
        its marks and its place in collections. A call that was interrupted, at whatever moment, can be repeated and
        continues from there.
        Raises ValueError if `folder` is neither a folder nor a list, the engine is not available, the library belongs
        to another model, another process is writing to it, or it cannot be written to.
        """
        root = Path(folder).resolve()
        if not root.exists() and (held := len(self._of(Folder(root)))):
            raise ValueError(
                f"{folder} is gone, and {self.path} holds {held} videos of it: index the folder that they lie in now,"
                f" which keeps their embeddings, or take them out with `stan forget`"
            )
        wanted = Folder(root) if root.is_dir() else Addresses(Path(folder))
        embeds = self._engine(engine, jobs, float(self.require_model().window))
        with self._store.writing(wait):
            maker = self.require_model()  # another process may have made the library meanwhile
            self._store.create(self.model.embedding_width, maker)
            with self._told(root.name, progress) as told:
                return update(self._store, wanted, embeds, told)

    def forget(self, folder: str | Path) -> int:
        """Take the videos of `folder` out of the library and return their number; the files stay as they are.

        folder: a folder, which need not be there any more, one video, or a text file that names videos.
        Raises ValueError if the library holds none of them, another process is writing to it, or it cannot be written
        to.
        """
        file = Path(folder)
        named = Addresses(file) if is_list(file) else Folder(file.resolve())
        if not self._of(named):
            folders = ", ".join(sorted({entry.folder for entry in self.entries()})) or "none"
            raise ValueError(f"{self.path} holds no video of {folder}; the folders that it holds: {folders}")
        with self._store.writing():
            ids = self._of(named)  # as they are now: another process may have written meanwhile
            self._store.drop(ids)
            self._store.settle()
        return len(ids)

    def _of(self, named: Folder | Addresses) -> list[str]:
        """Return the ids of the videos that a folder or a list names."""
        return [entry.id for entry in self.entries() if named.names(entry.path)]

    @contextmanager
    def _told(self, folder: str, progress: FileProgress | None) -> Generator[FileProgress | None]:
        """Yield a callback that calls `progress` and, for a library on disk, also informs other processes."""
        if self._store.path is None:
            yield progress
            return
        with job(self._store.path, f"indexing {folder}") as reporter:

            def told(done: int, total: int, name: str) -> None:
                reporter.tell(done, total, detail=name)
                if progress is not None:
                    progress(done, total, name)

            yield told

    # ---- searching

    def search(
        self,
        query: str,
        top: int = 10,
        *,
        gain: float = 1.0,
        where: Filters | None = None,
        correct_hubs: bool = False,
    ) -> Results:
        """Return the `top` videos that fit `query` best, each with the moment that fits best.

        query: a text, or weighted terms such as `2:a red circle + moving up - striped` (see `stan.library.query`).
        gain: weight of the branch. 0 is CLIP alone, 1 the model as trained. Another gain needs no new encoding.
        correct_hubs: rank by QB-Norm with the bank. This is not the default, because fewer videos are right with it on
            the embedded world.

        In the results, score is the cosine of the query and the video's best window. percentile is the percentage of a
        bank of unrelated sentences that fit this video less. prominence is the number of the bank's standard deviations
        by which the score lies above the bank's mean. start, end and the curve's times are in seconds. Results of a
        model that judges pairs one by one, such as SigLIP, also have `match`, the probability that query and video
        belong together. `.ms` holds the milliseconds spent on encoding and on searching. `.no_match` is True if
        unrelated sentences also reach the best result's prominence.
        Raises ValueError for a query that cannot be parsed or whose terms cancel each other out, and for a model for
        which a sentence alone has no vector.
        """
        self._encoder.require_sentences()
        options = Options(top, gain, where or Filters(), correct_hubs=correct_hubs)
        terms, find = parse(query), self._search()
        started = time.perf_counter()
        return self._judged(_timed(query, find, self._encoder.direction(query, terms), options, started))

    def moments(
        self, query: str, top: int = 10, *, gain: float = 1.0, where: Filters | None = None
    ) -> list[dict[str, Any]]:
        """Return the `top` windows that fit `query` best, of any videos, also several of one; none overlaps another.

        query, gain: as in `search`. Each has video (path), id, name, folder, score, start, end and duration (seconds).
        Raises the same errors as `search`.
        """
        self._encoder.require_sentences()
        options, maker = Options(top, gain, where or Filters()), self.require_model()
        wanted = self._encoder.direction(query, parse(query))
        return self._search().moments(wanted, options, int(maker.frames), float(maker.window))

    def _judged(self, results: Results) -> Results:
        """Add `match` to the results if the model judges pairs one by one."""
        matches = self.model.pair_probability(torch.tensor([one["score"] for one in results]))
        if matches is not None:
            for one, match in zip(results, matches.tolist(), strict=True):
                one["match"] = match
        return results

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
        """Return the `top` videos most like another one, which is left out. It works as `search` does with a text.

        to: the id of a video in the library, or a Path to a video or picture file.
        start, end: seconds that limit the example to one moment of the video.

        The bank consists of sentences, so the percentile and prominence of any video are high here. They are None for a
        model that reads no sentences, such as one with a classifier of its own.
        Raises ValueError for an unknown id and for what is no moment of the video, and VideoError (a ValueError) for a
        file that cannot be decoded.
        """
        row = self._row(to) if isinstance(to, str) else None
        options = Options(top, gain, where or Filters(), row["id"] if row else None)
        find = self._search()
        started = time.perf_counter()
        if row is None:
            file = Path(to)
            row = {"name": file.name, **columns(self._encoder.file(file))}
        parts = window_parts(row)
        if start is not None or end is not None:
            span = moment_of(row, start, end)
            parts = stretch(frame_parts(row), torch.tensor(row["times"]), *span)
        wanted = F.normalize(at_gain(*parts, gain).mean(0), dim=-1)
        return _timed(row["name"], find, wanted, options, started)

    def _search(self) -> Search:
        """Return the search of this library. The bank's sentences are encoded once; a model may read no sentences."""
        self.require_model()
        if self._searches is None:
            sentences = bank.sentences() if self.model.vectors_of_sentences else []
            self._searches = Search(self._store, self._encoder.texts(sentences) if sentences else None)
        return self._searches

    # ---- recognising

    def recognise(
        self, video: str | Path, labels: Sequence[str] = (), top: int = 5, **options: Any
    ) -> dict[str, Any]:
        """Return how likely each of `labels` is for `video`.

        video: a path, or the id of a video of this library, which is decoded again only where its embeddings do not
            tell all: for `pieces`, and for scores that read more than embeddings.
        See `stan.evaluation.zero_shot.recognise` for the result, the errors and the `options`.
        """
        if not (isinstance(video, str) and is_id(video)):
            return zero_shot.recognise(self.model, video, labels, top=top, **options)
        self.require_model()
        by_cosine = isinstance(self.model.score, Cosine)
        if by_cosine and options.get("pieces") is None:  # the stored embeddings tell all
            return zero_shot.recognise(self.model, self._embedded(video), labels, top=top, **options)
        with self.file(video) as path:
            seen = self._embedded(video, path) if by_cosine else path
            return zero_shot.recognise(self.model, seen, labels, top=top, **options)

    def _embedded(self, id: str, path: str | Path = "") -> EmbeddedVideo:
        """Return a video's stored embeddings, the mean of its windows for the video. path: the file to read more of."""
        row = self._row(id)
        whole = F.normalize(window_parts(row)[1], dim=-1).mean(0)
        frames = F.normalize(frame_parts(row)[1].float(), dim=-1)
        return EmbeddedVideo(id, str(path), F.normalize(whole, dim=-1), frames, np.asarray(row["times"]))

    # ---- the model

    @property
    def model(self) -> DualEncoder:
        """The loaded model."""
        return self._encoder.model

    def require_model(self) -> Maker:
        """Load the model and return its `Maker`. Raises ValueError if the library's model or windows are others."""
        return self._encoder.require_fitting()

    def _engine(self, name: str, jobs: int | None, window: float) -> IndexEngine:
        if name not in ENGINES:
            raise ValueError(f"no engine {name!r}; there are {', '.join(ENGINES)}")
        return (
            RayIndexEngine(self.model, window, jobs)
            if name == "ray"
            else LocalIndexEngine.of(self.model, window)
        )

    def _row(self, id: str, columns: list[str] | None = None) -> Row:
        rows = self._store.rows([id], columns) if is_id(id) else []
        if not rows:
            raise ValueError(
                f"the library has no video {id!r}: it may have been removed; load the page again"
            )
        return rows[0]


def _timed(
    query: str, find: Search, wanted: Float[torch.Tensor, " E"], options: Options, started: float
) -> Results:
    encoded = time.perf_counter()
    found, no_match = find(wanted, options)
    ended = time.perf_counter()
    return Results(
        query,
        found,
        no_match,
        {"encode": milliseconds(encoded - started), "search": milliseconds(ended - encoded)},
    )
