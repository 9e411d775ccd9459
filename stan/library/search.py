"""A direction in the embedding space in; the videos and moments nearest to it, and whether any of them fits, out."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from stan.common.json_values import require
from stan.evaluation.test_time import query_bank_norm
from stan.library import bank
from stan.library.entries import PARTS, Entry, Row, among
from stan.library.filters import Filters
from stan.library.moments import apart, candidates, span
from stan.library.query import LARGEST_GAIN
from stan.library.scoring import Matrix, at_gain, moment, read_matrix
from stan.library.store import EXACT_UP_TO, Store

CANDIDATES = 1000
"""The index of a large library names at least this many videos as candidates for a query."""
CANDIDATES_OF_BANK = 10
"""The same number for each sentence of the bank, for which only the best video matters."""


@dataclass(frozen=True)
class Options:
    """Options of a search. Raises ValueError for a `top` below 1 and a `gain` outside 0 to `LARGEST_GAIN`."""

    top: int = 10
    gain: float = 1.0
    where: Filters = field(default_factory=Filters)
    left_out: str | None = None
    """Id of a video to leave out of the results."""
    correct_hubs: bool = False

    @property
    def condition(self) -> str | None:
        """The condition in the store's SQL that a video must meet to be found; None if every video may be found."""
        terms = [self.where.condition(), self.left_out and f"NOT {among([self.left_out])}"]
        return " AND ".join(filter(None, terms)) or None

    def __post_init__(self):
        require("top", self.top, "int")
        require("gain", self.gain, "float")
        if self.top < 1:
            raise ValueError(f"top is {self.top}: ask for at least one result")
        if not 0 <= self.gain <= LARGEST_GAIN:
            raise ValueError(
                f"the branch gain is {self.gain}: take 0 (CLIP alone), 1 (as trained) or more, up to"
                f" {LARGEST_GAIN:g}"
            )


class Search:
    """Searches a store and compares the scores with those of unrelated sentences.

    unrelated: normalised embeddings of the bank's sentences (Q, E); None for a model that reads no sentences.
    A store of up to `EXACT_UP_TO` windows is scored whole. For a larger store, its index names candidates, which are
    then scored in the same way.
    """

    def __init__(self, store: Store, unrelated: Float[torch.Tensor, "Q E"] | None):
        self._store, self._unrelated = store, unrelated
        self._version, self._whole = -1, None
        self._chance: dict[tuple[int, float], float] = {}

    @torch.inference_mode()
    def __call__(
        self, wanted: Float[torch.Tensor, " E"], options: Options
    ) -> tuple[list[dict[str, Any]], bool]:
        """Return the results for a normalised direction, and True if none fits better than chance."""
        matrix, places = self._admitted(wanted, options)
        if not len(places):
            return [], True
        top = min(options.top, len(places))
        if options.correct_hubs:
            scores = matrix.scores(wanted[None], options.gain)[0]
            order = self._without_hubs(matrix, scores, options.gain)
            best = places[order[places].topk(top).indices]
            best, reached = best.tolist(), scores[best].tolist()
        else:
            best, reached = matrix.best(wanted, options.gain, places, top)
        found = self._found([matrix.entries[i] for i in best], reached, wanted, options.gain)
        return found, not found or self._is_chance(found[0], options.gain)

    @torch.inference_mode()
    def moments(
        self, wanted: Float[torch.Tensor, " E"], options: Options, frames: int, seconds: float
    ) -> list[dict[str, Any]]:
        """Return the windows that fit a normalised direction best, best first; none overlaps another.

        frames, seconds: of the library's windows.
        """
        matrix, admitted = self._admitted(wanted, options)
        if not len(admitted):
            return []
        scores = matrix.by_window(wanted[None], options.gain)[0]
        likely = candidates(matrix, scores, admitted, options.top)
        entries = [matrix.entries[video] for video, _, _ in likely]
        rows = self._store.rows([entry.id for entry in entries], ["id", "times"])
        times = {row["id"]: np.array(row["times"], np.float32) for row in rows}
        found = [
            _moment(entry, score, *span(place, times[entry.id], entry.duration, frames, seconds))
            for entry, (_, place, score) in zip(entries, likely, strict=True)
            if entry.id in times  # otherwise it was dropped after the matrix was read
        ]
        return [
            found[i] for i in apart([(one["id"], one["start"], one["end"]) for one in found], options.top)
        ]

    def _admitted(
        self, wanted: Float[torch.Tensor, " E"], options: Options
    ) -> tuple[Matrix, Int[torch.Tensor, " admitted"]]:
        """Return a matrix and the indices of those of its videos that may be found."""
        where, matrix = options.condition, self._read()
        if matrix is None:
            matrix = self._candidates(wanted[None], max(options.top, CANDIDATES), options.gain, where)
            where = None  # all candidates meet the condition
        if where is None:
            return matrix, torch.arange(len(matrix.entries))
        table = self._store.read(["id"], where)
        ids = [] if table is None else table["id"].to_pylist()
        # a video that was added after the matrix was read is found by the next search
        return matrix, torch.tensor([matrix.places[i] for i in ids if i in matrix.places], dtype=torch.int64)

    def _read(self) -> Matrix | None:
        """Return the matrix of the whole library, read again if the store has changed; None if it is too large."""
        version = self._store.version
        if version != self._version:
            self._whole = None if self._store.windows > EXACT_UP_TO else read_matrix(self._store)
            self._version = version
        return self._whole

    def _candidates(
        self, queries: Float[torch.Tensor, "Q E"], count: int, gain: float, where: str | None = None
    ) -> Matrix:
        """Return the matrix of the videos that the index names as nearest to any of the queries."""
        parts = {0: PARTS[:1], 1: PARTS[1:]}.get(gain, PARTS)
        near = (self._store.nearest(part, query, count, where) for query in queries.numpy() for part in parts)
        return read_matrix(self._store, among(sorted(set().union(*near))))

    def _without_hubs(
        self, matrix: Matrix, scores: Float[torch.Tensor, " V"], gain: float
    ) -> Float[torch.Tensor, " V"]:
        """Return QB-Norm scores, for ranking only: videos that many of the bank's sentences find first count less."""
        assert self._unrelated is not None, "only a search by text corrects hubs"
        unrelated = matrix.scores(self._unrelated, gain).numpy()
        return torch.from_numpy(query_bank_norm(scores[None].numpy(), unrelated).t2v[0])

    def _found(
        self, entries: list[Entry], scores: list[float], wanted: Float[torch.Tensor, " E"], gain: float
    ) -> list[dict[str, Any]]:
        rows = {row["id"]: row for row in self._store.rows([entry.id for entry in entries])}
        return [
            self._result(entry, score, rows[entry.id], wanted, gain)
            for entry, score in zip(entries, scores, strict=True)
            if entry.id in rows  # otherwise it was dropped after the matrix was read
        ]

    def _result(
        self, entry: Entry, score: float, row: Row, wanted: Float[torch.Tensor, " E"], gain: float
    ) -> dict[str, Any]:
        curve, times = (at_gain(*frame_parts(row), gain) @ wanted).numpy(), np.array(row["times"])
        start, end = moment(curve, times, entry.duration)
        return {
            **_moment(entry, score, start, end),
            **self._beside_bank(score, row, gain),
            "curve": {"times": times.tolist(), "scores": curve.tolist()},
        }

    def _beside_bank(self, score: float, row: Row, gain: float) -> dict[str, float | None]:
        if self._unrelated is None:
            return {"percentile": None, "prominence": None}
        unrelated = (self._unrelated @ at_gain(*window_parts(row), gain).T).amax(1)
        prominence = float(bank.prominence(torch.tensor(score), unrelated))
        return {"percentile": bank.percentile(score, unrelated), "prominence": prominence}

    def _is_chance(self, best: dict[str, Any], gain: float) -> bool:
        """Return whether the best result stands out no more than what unrelated sentences find in this library."""
        if self._unrelated is None:
            return False
        matrix = self._read()
        key = self._version, gain
        if key not in self._chance:
            if matrix is None:
                matrix = self._candidates(self._unrelated, CANDIDATES_OF_BANK, gain)
            self._chance[key] = bank.chance(matrix.scores(self._unrelated, gain))
        return best["prominence"] <= self._chance[key]


def _moment(entry: Entry, score: float, start: float, end: float) -> dict[str, Any]:
    return {
        "video": entry.path,
        "id": entry.id,
        "name": entry.name,
        "folder": entry.folder,
        "score": score,
        "start": start,
        "end": end,
        "duration": entry.duration,
    }


def window_parts(row: Row) -> tuple[Float[torch.Tensor, "W E"], Float[torch.Tensor, "W E"]]:
    """Return CLIP's and the model's embeddings of a stored video's windows."""
    clip, video = (torch.from_numpy(np.asarray(row[part], np.float32)) for part in ("clip", "video"))
    return clip, video


def frame_parts(row: Row) -> tuple[Float[torch.Tensor, "F E"], Float[torch.Tensor, "F E"]]:
    """Return CLIP's and the model's embeddings of a stored video's frames."""
    clip, video = (
        torch.from_numpy(np.asarray(row[part], np.float32)) for part in ("frame_clip", "frame_video")
    )
    return clip.reshape(len(row["times"]), -1), video.reshape(len(row["times"]), -1)


def moment_of(row: Row, start: float | None, end: float | None) -> tuple[float, float]:
    """Return the ends of a moment of a stored video; None stands for its start or end.

    Raises ValueError for what is no moment of it.
    """
    require("start", start, "float | None")
    require("end", end, "float | None")
    first, last = start or 0.0, math.inf if end is None else end
    if not 0 <= first <= last or first > row["duration"]:
        raise ValueError(
            f"{row['name']} has no moment with start {start} and end {end}: it lasts {row['duration']:g} seconds"
        )
    return first, last


def stretch(
    parts: tuple[Float[torch.Tensor, "F E"], Float[torch.Tensor, "F E"]],
    times: Float[torch.Tensor, " F"],
    start: float,
    end: float,
) -> tuple[Float[torch.Tensor, "1 E"], Float[torch.Tensor, "1 E"]]:
    """Return the means of both parts over the frames from `start` to `end` seconds.

    If no frame lies there, the frame nearest to `start` is taken.
    """
    inside = (times >= start) & (times <= end)
    if not inside.any():
        inside[(times - start).abs().argmin()] = True
    clip, video = parts
    return clip[inside].mean(0, keepdim=True), video[inside].mean(0, keepdim=True)
