"""Embeddings of windows and a query's direction in; how well each video and moment fits, at any branch gain, out.

Letters: V videos, W windows of all videos, F frames of one video, Q queries, E embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int

from stan.library.codes import Codes
from stan.library.entries import COLUMNS, PARTS, Entry
from stan.library.nearest import nearest
from stan.library.store import Store

CODED_FROM = 200_000
"""From this number of windows on, matrices are kept as codes of 16 bits: half the memory of fp32, scores right to about
1e-5, and a query that reads half of the codes."""

UPPER_PART = 0.6
"""A moment's scores lie at least this share of the way up from the curve's lowest to its highest point."""


def at_gain(
    clip: Float[torch.Tensor, "... E"], video: Float[torch.Tensor, "... E"], gain: float
) -> Float[torch.Tensor, "... E"]:
    """Return CLIP's part plus `gain` times what the branch adds, normalised.

    A gain of 0 is CLIP alone, 1 the model as trained.
    """
    return F.normalize(clip + gain * (video - clip), dim=-1)


Vectors = Float[torch.Tensor, "W E"] | Codes


def _products(queries: Float[torch.Tensor, "Q E"], vectors: Vectors) -> Float[torch.Tensor, "Q W"]:
    if isinstance(vectors, Codes):
        return vectors.products(queries)
    return queries @ vectors.T if len(queries) > 1 else (vectors @ queries[0])[None]


@dataclass(frozen=True)
class Matrix:
    """The normalised embeddings of all windows, and the videos that the windows belong to."""

    entries: list[Entry]
    owner: Int[torch.Tensor, " W"]
    """Index of the window's video in `entries`."""
    clip: Vectors
    video: Vectors
    clip_length: Float[torch.Tensor, " W"]
    """Length of each window's `clip` before normalisation. `video_length` is the same for `video`."""
    video_length: Float[torch.Tensor, " W"]
    cosine: Float[torch.Tensor, " W"]
    """Cosine of each window's `clip` and `video`."""

    @cached_property
    def places(self) -> dict[str, int]:
        """Maps a video's id to its index in `entries`."""
        return {entry.id: i for i, entry in enumerate(self.entries)}

    def scores(self, queries: Float[torch.Tensor, "Q E"], gain: float) -> Float[torch.Tensor, "Q V"]:
        """Return the cosine of each query with each video's best window, mixed at `gain` as `at_gain` does."""
        by_window = self.by_window(queries, gain)
        if len(self.entries) == len(self.owner):  # every video has one window
            return by_window
        best = by_window.new_full((len(queries), len(self.entries)), -torch.inf)
        return best.scatter_reduce(1, self.owner.expand(len(queries), -1), by_window, "amax")

    def by_window(self, queries: Float[torch.Tensor, "Q E"], gain: float) -> Float[torch.Tensor, "Q W"]:
        """Return the cosine of each query with each window, mixed at `gain` as `at_gain` does."""
        found = sum(weight * _products(queries, part) for part, weight in self._weighted(gain))
        assert isinstance(found, torch.Tensor), "a mixture has parts"
        return found

    def best(
        self, wanted: Float[torch.Tensor, " E"], gain: float, admitted: Int[torch.Tensor, " N"], top: int
    ) -> tuple[list[int], list[float]]:
        """Return the `top` (at most N) of the admitted videos with the highest scores, and these, best first."""
        if isinstance(self.video, Codes):
            return self._best_of_codes(wanted, gain, admitted.numpy(), top)
        scores, order = self.scores(wanted[None], gain)[0][admitted].topk(top)
        return admitted[order].tolist(), scores.tolist()

    def _best_of_codes(
        self, wanted: Float[torch.Tensor, " E"], gain: float, admitted: Int[np.ndarray, " N"], top: int
    ) -> tuple[list[int], list[float]]:
        query = Codes.of(wanted[None].numpy())
        parts = [(part, weight.numpy()) for part, weight in self._weighted(gain) if isinstance(part, Codes)]

        def exact(rows: Int[np.ndarray, " R"]) -> Float[np.ndarray, " R"]:
            return np.sum([weight[rows] * part.products_of(rows, query) for part, weight in parts], axis=0)

        estimate, error = np.zeros(len(self.owner), np.float32), np.zeros(len(self.owner), np.float32)
        for part, weight in parts:
            product, off = part.estimates(query)
            estimate += weight * product
            error += np.abs(weight) * off
        if len(admitted) < len(self.entries):
            refused = np.ones(len(self.entries), bool)
            refused[admitted] = False
            estimate[refused[self.owner.numpy()]] = -np.inf
        videos, scores = nearest(estimate, error, exact, self._starts, top)
        return videos.tolist(), scores.tolist()

    @cached_property
    def _starts(self) -> Int[np.ndarray, " V"]:
        """The first window of each video; its other windows follow."""
        return np.searchsorted(self.owner.numpy(), np.arange(len(self.entries)))

    def _weighted(self, gain: float) -> list[tuple[Vectors, Float[torch.Tensor, " W"]]]:
        """Return the parts of the mixture and their weights, so that no gain needs its own matrix.

        The mixture's cosine is the weighted sum of those of its parts.
        """
        one = torch.ones(1).expand(len(self.owner))
        if gain == 1:
            return [(self.video, one)]
        if gain == 0:
            return [(self.clip, one)]
        a, b = (1 - gain) * self.clip_length, gain * self.video_length
        length = (a**2 + b**2 + 2 * a * b * self.cosine).clamp_min(0).sqrt().clamp_min(1e-12)
        return [(self.clip, a / length), (self.video, b / length)]


def read_matrix(store: Store, where: str | None = None) -> Matrix:
    """Return the matrix of everything that a store holds, or of the rows that meet an SQL condition."""
    table = store.read([*COLUMNS, *PARTS], where)
    if table is None or not len(table):
        none, empty = torch.zeros(0), torch.zeros(0, 0)
        return Matrix([], torch.zeros(0, dtype=torch.int64), empty, empty, none, none, none)
    entries = [Entry(**row) for row in table.select(COLUMNS).to_pylist()]
    lengths = pc.list_value_length(table["clip"])  # ty: ignore[missing-attribute]  # pyarrow makes it on import
    counts = numbers_of(lengths.combine_chunks())
    owner = torch.repeat_interleave(torch.arange(len(entries)), counts)
    read, joined = (_unit, torch.cat) if len(owner) < CODED_FROM else (_coded, Codes.joined)
    parts = [read(batch) for batch in table.select(list(PARTS)).to_batches()]
    clip, video, *numbers = zip(*parts, strict=True)
    return Matrix(entries, owner, joined(clip), joined(video), *map(torch.cat, numbers))


def _coded(batch: pa.RecordBatch) -> tuple[Any, ...]:
    """Return what `_unit` does, `clip` and `video` as codes."""
    clip, video, *numbers = _unit(batch)
    return Codes.of(clip.numpy()), Codes.of(video.numpy()), *numbers


def _unit(batch: pa.RecordBatch) -> tuple[torch.Tensor, ...]:
    """Return the normalised `clip` and `video` of a batch, the lengths of both and their cosine."""
    clip, video = (vectors_of(batch[name]) for name in PARTS)
    lengths = [part.norm(dim=-1) for part in (clip, video)]
    clip, video = F.normalize(clip, dim=-1), F.normalize(video, dim=-1)
    return clip, video, *lengths, (clip * video).sum(-1)


def vectors_of(column: pa.ListArray) -> Float[torch.Tensor, "W E"]:
    """Return the vectors of all windows of a column of `PARTS`."""
    inner = column.flatten()
    return numbers_of(inner.flatten()).reshape(len(inner), -1)


def numbers_of(column: pa.Array) -> torch.Tensor:
    """Return a column of numbers as a tensor, through DLPack: Arrow's own conversion to numpy would import pandas."""
    return torch.from_dlpack(column).clone()


def moment(
    curve: Float[np.ndarray, " F"], times: Float[np.ndarray, " F"], duration: float
) -> tuple[float, float]:
    """Return the start and end, in seconds, of the stretch around the curve's peak that stays in its upper part.

    A frame stands for the time up to halfway to its neighbours. A flat curve gives the whole video.
    """
    edges = edges_of(times, duration)
    high = curve >= curve.min() + UPPER_PART * (curve.max() - curve.min())
    first = last = int(curve.argmax())
    while first > 0 and high[first - 1]:
        first -= 1
    while last < len(curve) - 1 and high[last + 1]:
        last += 1
    return round(float(edges[first]), 3), round(float(edges[last + 1]), 3)


def edges_of(times: Float[np.ndarray, " F"], duration: float) -> Float[np.ndarray, " F+1"]:
    """Return the seconds at which the time of one frame ends and that of the next one begins."""
    return np.concatenate([[0.0], (times[1:] + times[:-1]) / 2, [max(duration, times[-1])]])
