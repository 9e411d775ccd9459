"""Embeddings of windows and a query's direction in; how well each video and moment fits, at any branch gain, out.

Letters: V videos, W windows of all videos, F frames of one video, Q queries, E embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int

from stan.library.store import COLUMNS, PARTS, Entry, Store

HALF_PRECISION_FROM = 200_000
"""From this number of windows on, matrices are kept in fp16: half the memory, with scores right to about 1e-3."""

UPPER_PART = 0.6
"""A moment's scores lie at least this share of the way up from the curve's lowest to its highest point."""


def at_gain(
    clip: Float[torch.Tensor, "... E"], video: Float[torch.Tensor, "... E"], gain: float
) -> Float[torch.Tensor, "... E"]:
    """Return CLIP's part plus `gain` times what the branch adds, normalised.

    A gain of 0 is CLIP alone, 1 the model as trained.
    """
    return F.normalize(clip + gain * (video - clip), dim=-1)


def products(
    queries: Float[torch.Tensor, "Q E"], vectors: Float[torch.Tensor, "N E"]
) -> Float[torch.Tensor, "Q N"]:
    """Return the inner products. A single query takes the path that is fastest for it."""
    if len(queries) > 1:
        return queries @ vectors.T
    if vectors.dtype == torch.float16:  # torch has a faster kernel for two rows than for one vector
        return F.linear(queries.repeat(2, 1), vectors)[:1]
    return (vectors @ queries[0])[None]


@dataclass(frozen=True)
class Matrix:
    """The normalised embeddings of all windows, and the videos that the windows belong to."""

    entries: list[Entry]
    owner: Int[torch.Tensor, " W"]
    """Index of the window's video in `entries`."""
    clip: Float[torch.Tensor, "W E"]
    video: Float[torch.Tensor, "W E"]
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
        """Return the cosine of each query with each window, mixed at `gain` as `at_gain` does.

        It is computed from the cosines of the parts, so that no gain needs its own matrix.
        """
        queries = queries.to(self.video.dtype)
        if gain == 1:
            return products(queries, self.video).float()
        clip = products(queries, self.clip).float()
        if gain == 0:
            return clip
        a, b = (1 - gain) * self.clip_length, gain * self.video_length
        length = (a**2 + b**2 + 2 * a * b * self.cosine).clamp_min(0).sqrt().clamp_min(1e-12)
        return (a * clip + b * products(queries, self.video).float()) / length


def read_matrix(store: Store, where: str | None = None) -> Matrix:
    """Return the matrix of everything that a store holds, or of the rows that meet an SQL condition."""
    table = store.read([*COLUMNS, *PARTS], where)
    if table is None or not len(table):
        none, empty = torch.zeros(0), torch.zeros(0, 0)
        return Matrix([], torch.zeros(0, dtype=torch.int64), empty, empty, none, none, none)
    entries = [Entry(**row) for row in table.select(COLUMNS).to_pylist()]
    lengths = pc.list_value_length(table["clip"])  # ty: ignore[missing-attribute]  # pyarrow makes it on import
    counts = _numbers(lengths.combine_chunks())
    owner = torch.repeat_interleave(torch.arange(len(entries)), counts)
    half = len(owner) >= HALF_PRECISION_FROM
    parts = [_unit(batch, half) for batch in table.select(list(PARTS)).to_batches()]
    return Matrix(entries, owner, *(torch.cat(part) for part in zip(*parts, strict=True)))


def _unit(batch: pa.RecordBatch, half: bool) -> tuple[torch.Tensor, ...]:
    """Return the normalised `clip` and `video` of a batch, the lengths of both and their cosine."""
    clip, video = (_vectors(batch[name]) for name in PARTS)
    lengths = [part.norm(dim=-1) for part in (clip, video)]
    clip, video = F.normalize(clip, dim=-1), F.normalize(video, dim=-1)
    cosine = (clip * video).sum(-1)
    return (clip.half(), video.half(), *lengths, cosine) if half else (clip, video, *lengths, cosine)


def _vectors(column: pa.ListArray) -> Float[torch.Tensor, "W E"]:
    inner = column.flatten()
    return _numbers(inner.flatten()).reshape(len(inner), -1)


def _numbers(column: pa.Array) -> torch.Tensor:
    """Return a tensor made through DLPack, because Arrow's own conversion to numpy would import pandas."""
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
