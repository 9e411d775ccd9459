"""A library's store in; a map of its videos, on which those that the model sees alike lie together, out.

Letters: V videos, E embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
import torch.nn.functional as F
from jaxtyping import Float

from stan.library.scoring import numbers_of, vectors_of
from stan.library.store import Store

MOST = 20_000
"""Number of videos up to which a library has a map."""


@dataclass(frozen=True)
class Place:
    """Where a video lies; `x` and `y` go from 0 to 1."""

    id: str
    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Map:
    places: list[Place]
    share: float
    """Share of the embeddings' variance that two dimensions show, from 0 to 1."""

    def within(self, x: tuple[float, float], y: tuple[float, float]) -> list[str]:
        """Return the ids of the videos that lie from x[0] to x[1] and from y[0] to y[1]."""
        return [one.id for one in self.places if x[0] <= one.x <= x[1] and y[0] <= one.y <= y[1]]


class VideoMap:
    """The map of a store, drawn again when the store has changed."""

    def __init__(self, store: Store):
        self._store = store
        self._drawn: tuple[int, Map] | None = None

    def __call__(self) -> Map:
        """Return the map. Raises ValueError for a store of more than `MOST` videos."""
        count, version = self._store.videos, self._store.version
        if count > MOST:
            raise ValueError(f"the library holds {count:,} videos: a map is drawn of up to {MOST:,}")
        if self._drawn is None or self._drawn[0] != version:
            self._drawn = version, self._draw()
        return self._drawn[1]

    def _draw(self) -> Map:
        table = self._store.read(["id", "name", "video"])
        if table is None or not len(table):
            return Map([], 1.0)
        points = torch.cat([_points(batch["video"]) for batch in table.to_batches()])
        laid, share = two_dimensions(points.numpy())
        names = zip(table["id"].to_pylist(), table["name"].to_pylist(), strict=True)
        return Map([Place(*name, *at) for name, at in zip(names, laid.tolist(), strict=True)], share)


def _points(windows: pa.ListArray) -> Float[torch.Tensor, "V E"]:
    """Return the normalised mean of each video's normalised windows."""
    counts = numbers_of(pc.list_value_length(windows))  # ty: ignore[missing-attribute]  # pyarrow makes it on import
    owner = torch.repeat_interleave(torch.arange(len(counts)), counts)
    vectors = F.normalize(vectors_of(windows), dim=-1)
    return F.normalize(torch.zeros(len(counts), vectors.shape[1]).index_add_(0, owner, vectors), dim=-1)


def two_dimensions(points: Float[np.ndarray, "V E"]) -> tuple[Float[np.ndarray, "V 2"], float]:
    """Return the points on their first two principal axes, in a square from 0 to 1, and their share of the variance.

    Both axes have one scale. An axis points to where its largest loading is positive, so that the same points always
    give the same map.
    """
    centred = points.astype(np.float64) - points.mean(0, dtype=np.float64)
    variances, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, [-1, -2]]
    axes *= np.sign(axes[np.abs(axes).argmax(0), [0, 1]])
    laid = centred @ axes
    low, high = laid.min(0), laid.max(0)
    span = float((high - low).max()) or 1.0
    share = float(variances[-2:].sum() / (variances.sum() or 1.0))
    return np.round(0.5 + (laid - (low + high) / 2) / span, 4), share
