"""Embeddings of windows and a direction to look for in; how well each video and moment fits, at any branch gain, out.

Letters: V videos, W windows of all of them, F frames of one, Q queries, E embedding width.
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
"""From so many windows on the matrices are kept in fp16: half the memory, scores right to about 1e-3."""

UPPER_PART = 0.6
"""From which share of the way from a curve's lowest to its highest point on a moment counts as found."""


def at_gain(
    clip: Float[torch.Tensor, "... E"], video: Float[torch.Tensor, "... E"], gain: float
) -> Float[torch.Tensor, "... E"]:
    """CLIP's part and `gain` times what the branch adds to it, normalised: 0 CLIP alone, 1 the model as trained."""
    return F.normalize(clip + gain * (video - clip), dim=-1)


def products(
    queries: Float[torch.Tensor, "Q E"], vectors: Float[torch.Tensor, "N E"]
) -> Float[torch.Tensor, "Q N"]:
    """Inner products; of a single query by what is fastest for it."""
    if len(queries) > 1:
        return queries @ vectors.T
    if vectors.dtype == torch.float16:  # for two rows torch has a faster kernel than for a vector
        return F.linear(queries.repeat(2, 1), vectors)[:1]
    return (vectors @ queries[0])[None]


@dataclass(frozen=True)
class Matrix:
    """All windows' embeddings, normalised, beside the videos that they belong to."""

    entries: list[Entry]
    owner: Int[torch.Tensor, " W"]
    """Index of the window's video in `entries`."""
    clip: Float[torch.Tensor, "W E"]
    video: Float[torch.Tensor, "W E"]
    clip_length: Float[torch.Tensor, " W"]
    """Before it was normalised."""
    video_length: Float[torch.Tensor, " W"]
    cosine: Float[torch.Tensor, " W"]
    """Of the two."""

    @cached_property
    def places(self) -> dict[str, int]:
        """A video's index in `entries` by its id."""
        return {entry.id: i for i, entry in enumerate(self.entries)}

    def scores(self, queries: Float[torch.Tensor, "Q E"], gain: float) -> Float[torch.Tensor, "Q V"]:
        """Cosine of each query and each video's best window at `gain`, as `at_gain` mixes it."""
        by_window = self._by_window(queries.to(self.video.dtype), gain)
        if len(self.entries) == len(self.owner):  # one window each
            return by_window
        best = by_window.new_full((len(queries), len(self.entries)), -torch.inf)
        return best.scatter_reduce(1, self.owner.expand(len(queries), -1), by_window, "amax")

    def _by_window(self, queries: torch.Tensor, gain: float) -> Float[torch.Tensor, "Q W"]:
        """The mixture's cosine from those of its parts, so that no gain needs a matrix of its own."""
        if gain == 1:
            return products(queries, self.video).float()
        clip = products(queries, self.clip).float()
        if gain == 0:
            return clip
        a, b = (1 - gain) * self.clip_length, gain * self.video_length
        length = (a**2 + b**2 + 2 * a * b * self.cosine).clamp_min(0).sqrt().clamp_min(1e-12)
        return (a * clip + b * products(queries, self.video).float()) / length


def read_matrix(store: Store, where: str | None = None) -> Matrix:
    """The matrix of all that a store holds, or of what meets a condition in SQL."""
    table = store.read([*COLUMNS, *PARTS], where)
    if table is None or not len(table):
        none, empty = torch.zeros(0), torch.zeros(0, 0)
        return Matrix([], torch.zeros(0, dtype=torch.int64), empty, empty, none, none, none)
    entries = [Entry(**row) for row in table.select(COLUMNS).to_pylist()]
    counts = _numbers(pc.list_value_length(table["clip"]).combine_chunks())
    owner = torch.repeat_interleave(torch.arange(len(entries)), counts)
    half = len(owner) >= HALF_PRECISION_FROM
    parts = [_unit(batch, half) for batch in table.select(list(PARTS)).to_batches()]
    return Matrix(entries, owner, *(torch.cat(part) for part in zip(*parts, strict=True)))


def _unit(batch: pa.RecordBatch, half: bool) -> tuple[torch.Tensor, ...]:
    """A batch's `clip` and `video`, normalised, their lengths and cosine."""
    clip, video = (_vectors(batch[name]) for name in PARTS)
    lengths = [part.norm(dim=-1) for part in (clip, video)]
    clip, video = F.normalize(clip, dim=-1), F.normalize(video, dim=-1)
    cosine = (clip * video).sum(-1)
    return (clip.half(), video.half(), *lengths, cosine) if half else (clip, video, *lengths, cosine)


def _vectors(column: pa.ListArray) -> Float[torch.Tensor, "W E"]:
    inner = column.flatten()
    return _numbers(inner.flatten()).reshape(len(inner), -1)


def _numbers(column: pa.Array) -> torch.Tensor:
    """Arrow's own way to numpy would import pandas."""
    return torch.from_dlpack(column).clone()


def moment(
    curve: Float[np.ndarray, " F"], times: Float[np.ndarray, " F"], duration: float
) -> tuple[float, float]:
    """Start and end, in seconds, of the stretch around the curve's peak that stays in its upper part.

    A frame stands for the time up to halfway to its neighbours; a flat curve gives the whole video.
    """
    edges = np.concatenate([[0.0], (times[1:] + times[:-1]) / 2, [max(duration, times[-1])]])
    high = curve >= curve.min() + UPPER_PART * (curve.max() - curve.min())
    first = last = int(curve.argmax())
    while first > 0 and high[first - 1]:
        first -= 1
    while last < len(curve) - 1 and high[last + 1]:
        last += 1
    return round(float(edges[first]), 3), round(float(edges[last + 1]), 3)
