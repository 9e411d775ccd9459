"""A folder of videos in, an indexed library out: add, search by words or by example, recognise."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float

from stan import recognition
from stan.library import bank, embedding
from stan.library.filters import Filters
from stan.library.indexing import Progress, update
from stan.library.query import parse
from stan.library.scoring import Matrix, at_gain, moment, read_matrix
from stan.library.store import COLUMNS, Entry, Maker, Row, Store, is_id
from stan.models.dual_encoder import DualEncoder
from stan.models.presets import digest, load_model
from stan.recognition import EmbeddedVideo
from stan.similarity.cosine import Cosine

DEFAULT_MODEL = "stan-tiny"
TEXTS_KEPT = 1024
"""Encoded texts that are kept for the next query."""


class Results(list[dict[str, Any]]):
    """Results, best first: one dict per video.

    video (path), id, name, folder, score, percentile, start, end, duration, curve: {"times", "scores"}.
    """

    def __init__(
        self, query: str, found: list[dict[str, Any]], no_match: bool, milliseconds: dict[str, float]
    ):
        super().__init__(found)
        self.query = query
        self.no_match = no_match
        self.ms = milliseconds

    def document(self) -> dict[str, Any]:
        """The same as one JSON document."""
        return {"query": self.query, "results": list(self), "no_match": self.no_match, "ms": self.ms}


class Library:
    """An indexed set of videos at `path`, searched with `model`.

    path: a folder, made by the first `add`; or an address of object storage (`s3://BUCKET/NAME`).
    model: a name that `stan.load_model` knows, a model already loaded, or None: the one that made the library,
        `stan-tiny` for a new one. It is loaded when first needed.
    window: seconds that a window of a long video covers; None: as the library was made, one second per frame of
        the model for a new one.

    Adding and searching raise ValueError when the library was made by another model or with other windows.
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
        self._wanted = model
        self._window = window
        self._model: DualEncoder | None = None
        self._maker: Maker | None = None
        self._matrix: Matrix | None = None
        self._encoded_bank: torch.Tensor | None = None
        self._encoded = lru_cache(TEXTS_KEPT)(self._encode_one)

    @property
    def path(self) -> Path | str:
        """The library's folder, or its address on object storage."""
        return self._store.path or self._store.address

    @property
    def made_by(self) -> str | None:
        """Name of the model that made the library; None while it is empty."""
        maker = self._store.maker
        return maker.model if maker else None

    def entries(self) -> list[Entry]:
        """All videos, by folder and name."""
        return self._store.entries()

    def entry(self, id: str) -> Entry:
        """The video with this opaque id. Raises ValueError when there is none."""
        return Entry(**self._row(id, COLUMNS))

    def add(self, folder: str | Path, progress: Progress | None = None) -> dict[str, Any]:
        """Indexes what is new or changed below `folder` and drops what is gone from it or no longer decodes.

        Returns {"indexed", "unchanged", "removed", "skipped": [{"file", "reason", "remedy"}], "seconds"}.
        A file that was moved or only touched keeps its embeddings. `progress(done, total, name)` is called before
        each file. Interrupted at any moment, it goes on from there when called again.
        Raises ValueError when `folder` is no folder, the library belongs to another model, another process is
        writing to it, or it cannot be written to.
        """
        root = Path(folder).resolve()
        if not root.is_dir():
            raise ValueError(f"{folder} is not a folder: give a folder that holds videos")
        maker = self.require_model()
        with self._store.writing():
            self._store.create(self.model.clip.embed_dim, maker)
            return update(self._store, root, self._embed, progress)

    # ---- searching

    def search(
        self, query: str, top: int = 10, *, gain: float = 1.0, where: Filters | None = None
    ) -> Results:
        """The `top` videos that fit `query` best, each with the moment that fits best.

        query: words; or weighted terms, `2:a red circle + moving up - striped` (see `stan.library.query`).
        gain: of the branch; 0 is CLIP alone, 1 the model as trained. Another gain costs no encoding.
        score: cosine of the query and the video's best window; percentile: how many percent of a bank of unrelated
        sentences fit this video less; start, end and the curve's times: seconds; `.ms`: milliseconds spent on
        encoding and on searching. `.no_match` is True when nothing found fits better than chance.
        Raises ValueError for a query that cannot be read.
        """
        _require(top, gain)
        terms = parse(query)
        self.require_model()
        started = time.perf_counter()
        wanted = sum(term.weight * self._encoded(term.text) for term in terms)
        if wanted.norm() < 1e-4:
            raise ValueError(f"the terms of {query!r} cancel each other out: nothing is left to look for")
        return self._results(query, F.normalize(wanted, dim=-1), top, gain, where, None, started)

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
        """The `top` videos most like another, which is left out: as `search`, with a video in the query's place.

        to: the id of a video of the library, or a Path to a video or picture file. start, end: seconds, for one
        moment of it.
        Raises ValueError for an unknown id, VideoError (a ValueError) for a file that cannot be decoded.
        """
        _require(top, gain)
        self.require_model()
        started = time.perf_counter()
        if isinstance(to, Path):
            shown, name, own = self._embed(to), to.name, None
            clip, video = shown.clip, shown.video
            frames = shown.frame_clip, shown.frame_video, shown.times
        else:
            row = self._row(to)
            name, own = row["name"], to
            clip, video = (np.array(row[part], np.float32) for part in ("clip", "video"))
            frames = *_frames(row), np.array(row["times"])
        if start is not None or end is not None:
            clip, video = _stretch(*frames, start or 0.0, math.inf if end is None else end)
        wanted = at_gain(torch.as_tensor(clip), torch.as_tensor(video), gain).mean(0)
        return self._results(name, F.normalize(wanted, dim=-1), top, gain, where, own, started)

    @torch.inference_mode()
    def _results(
        self,
        query: str,
        wanted: Float[torch.Tensor, " E"],
        top: int,
        gain: float,
        where: Filters | None,
        left_out: str | None,
        started: float,
    ) -> Results:
        encoded = time.perf_counter()
        matrix = self._read()
        if not matrix.entries:
            found, no_match = [], True
        else:
            scores = matrix.scores(wanted[None], gain)[0]
            admitted = [
                i
                for i, entry in enumerate(matrix.entries)
                if entry.id != left_out and (where is None or where.admit(entry))
            ]
            places = torch.tensor(admitted, dtype=torch.int64)
            best = places[scores[places].topk(min(top, len(places))).indices].tolist()
            found = self._found([matrix.entries[i] for i in best], scores[best].tolist(), wanted, gain)
            no_match = not found
        ended = time.perf_counter()
        return Results(
            query, found, no_match, {"encode": _ms(encoded - started), "search": _ms(ended - encoded)}
        )

    def _found(
        self, entries: list[Entry], scores: list[float], wanted: Float[torch.Tensor, " E"], gain: float
    ) -> list[dict[str, Any]]:
        rows = {row["id"]: row for row in self._store.rows([entry.id for entry in entries])}
        return [
            self._result(entry, score, rows[entry.id], wanted, gain)
            for entry, score in zip(entries, scores, strict=True)
            if entry.id in rows  # gone since the matrix was read
        ]

    def _result(
        self, entry: Entry, score: float, row: Row, wanted: Float[torch.Tensor, " E"], gain: float
    ) -> dict[str, Any]:
        frames = at_gain(*(torch.as_tensor(part) for part in _frames(row)), gain)
        curve, times = (frames @ wanted).numpy(), np.array(row["times"])
        clip, video = (torch.tensor(row[part]) for part in ("clip", "video"))
        unrelated = (self._bank() @ at_gain(clip, video, gain).T).amax(1)
        start, end = moment(curve, times, entry.duration)
        return {
            **{"video": entry.path, "id": entry.id, "name": entry.name, "folder": entry.folder},
            **{"score": score, "percentile": bank.percentile(score, unrelated)},
            **{"start": start, "end": end, "duration": entry.duration},
            "curve": {"times": times.tolist(), "scores": curve.tolist()},
        }

    def _read(self) -> Matrix:
        """The scoring matrix, read again when the library has changed on disk."""
        if self._matrix is None or self._matrix.version != self._store.version:
            self._matrix = read_matrix(self._store)
        return self._matrix

    # ---- recognising

    def recognise(self, video: str | Path, labels: list[str], top: int = 5, **options: Any) -> dict[str, Any]:
        """How likely each of `labels` is for `video`: a path, or the id of a video of this library, not decoded again.

        What it returns, raises and what `options` there are: see `stan.recognition.recognise`.
        """
        return recognition.recognise(self.model, self._embedded_video(video), labels, top=top, **options)

    def _embedded_video(self, video: str | Path) -> str | Path | EmbeddedVideo:
        """What is stored of the library's own videos, a long one's windows averaged; any other as it is."""
        if not (isinstance(video, str) and is_id(video)):
            return video
        self.require_model()
        rows = self._store.rows([video])
        if not rows:
            return video
        whole = F.normalize(torch.tensor(rows[0]["video"]), dim=-1).mean(0)
        frames = F.normalize(torch.as_tensor(_frames(rows[0])[1]), dim=-1)
        return EmbeddedVideo(
            video, rows[0]["path"], F.normalize(whole, dim=-1), frames, np.array(rows[0]["times"])
        )

    # ---- the model

    @property
    def model(self) -> DualEncoder:
        """The loaded model."""
        if self._model is None:
            self._model = self._load_model()
        return self._model

    def require_model(self) -> Maker:
        """Loads the model: who we are to the store. Raises ValueError when the library is another's."""
        made = self._store.maker
        if self._maker is None:
            self._maker = self._who_we_are(made)
        ours = self._maker
        if made and (made.signature, made.frames, made.window) != (ours.signature, ours.frames, ours.window):
            raise ValueError(
                f"the library {self.path} was made by {made.model}, {made.frames} frames to windows of"
                f" {made.window} s, not by {ours.model} with these weights, {ours.frames} frames to windows of"
                f" {ours.window} s; embeddings of two models or samplings cannot be compared. Use what made it, or"
                " index into a new library"
            )
        return ours

    def _who_we_are(self, made: Maker | None) -> Maker:
        frames = self.model.frames
        window = self._window or (float(made.window) if made else embedding.SECONDS_PER_FRAME * frames)
        return Maker(self._name(), str(frames), f"{window:g}", digest(self.model.state_dict()))

    def _load_model(self) -> DualEncoder:
        model = self._wanted.eval() if isinstance(self._wanted, DualEncoder) else load_model(self._name())
        if not isinstance(model.score, Cosine):
            raise ValueError(
                f"{self._name()} scores by {type(model.score).__name__}, but a library keeps one embedding per window"
                " and searches by cosine: take a model that was trained with similarity cosine"
            )
        return model

    def _name(self) -> str:
        """What `load_model` calls the model; a folder or file by its full path, found from anywhere."""
        if isinstance(self._wanted, DualEncoder):
            return type(self._wanted).__name__
        name = str(self._wanted or self.made_by or DEFAULT_MODEL)
        return str(Path(name).resolve()) if Path(name).exists() else name

    def _embed(self, file: Path) -> embedding.Embedded:
        return embedding.embed(self.model, file, float(self.require_model().window))

    def _encode(self, texts: list[str]) -> Float[torch.Tensor, "N E"]:
        return F.normalize(self.model.encode_text(texts).text, dim=-1).float().cpu()

    def _encode_one(self, text: str) -> Float[torch.Tensor, " E"]:
        return self._encode([text])[0]

    def _bank(self) -> Float[torch.Tensor, "Q E"]:
        """The bank's sentences, encoded once."""
        if self._encoded_bank is None:
            self._encoded_bank = self._encode(bank.sentences())
        return self._encoded_bank

    def _row(self, id: str, columns: list[str] | None = None) -> Row:
        rows = self._store.rows([id], columns) if is_id(id) else []
        if not rows:
            raise ValueError(
                f"the library has no video {id!r}: it may have been removed; load the page again"
            )
        return rows[0]


def _frames(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """CLIP's and the model's embeddings (F, E) of the frames of a stored video."""
    count = len(row["times"])
    clip, video = (
        np.array(row[part], np.float32).reshape(count, -1) for part in ("frame_clip", "frame_video")
    )
    return clip, video


def _stretch(
    clip: Float[np.ndarray, "F E"],
    video: Float[np.ndarray, "F E"],
    times: Float[np.ndarray, " F"],
    start: float,
    end: float,
) -> tuple[Float[np.ndarray, "1 E"], Float[np.ndarray, "1 E"]]:
    """Both embeddings of the frames from `start` to `end`, of the nearest one where there is none."""
    inside = (times >= start) & (times <= end)
    if not inside.any():
        inside[np.abs(times - start).argmin()] = True
    return clip[inside].mean(0, keepdims=True), video[inside].mean(0, keepdims=True)


def _require(top: int, gain: float) -> None:
    if top < 1:
        raise ValueError(f"top is {top}: ask for at least one result")
    if not 0 <= gain < math.inf:
        raise ValueError(f"the branch gain is {gain}: take 0 (CLIP alone), 1 (as trained) or more")


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 2)
