"""Vectors in; the same vectors in 16 bits a number, their exact inner products and quick estimates of these, out.

A number is an integer of 16 bits times the scale of its vector: as much memory as fp16, and a finer step for all but
the smallest numbers. The integers are kept as two planes of bytes, `256 high + low`. Inner products are sums of
integers, so they are exact: neither their order nor the number of threads changes a bit. `high` alone, half of the
memory traffic, gives an estimate whose error has a bound.

Letters: N vectors, E width, R rows, Q queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import simsimd
import torch
from jaxtyping import Float, Int

STEPS = 127
"""The largest number of a vector is so many steps of its high plane, so that rounding stays within a byte."""
ROUNDING = 2e-6
"""Bounds what rounding to fp32 adds to an estimate, per unit of the lengths of query and vector. Estimate, bound, exact
product and their mixture at a gain take fewer than 16 operations, each of which rounds by at most 2^-24 of that."""
ROWS_AT_ONCE = 1 << 16
"""Number of vectors that are gathered or unpacked at a time, so that memory use stays constant."""

MANY = 1 << 19
"""Number of vectors from which on threads share a scan. One needs 10 ms for fewer, and several may wait as long for
each other where other programs run."""


@dataclass(frozen=True)
class Codes:
    """Vectors of width E, of which number e of vector n is `scale[n] * (high[n, e] + low[n, e] / 256)`."""

    high: Int[np.ndarray, "N E"]
    low: Int[np.ndarray, "N E"]
    scale: Float[np.ndarray, " N"]
    rest: float
    """No vector's low plane is longer than `256 * rest`."""
    length: float
    """No vector is longer."""

    @classmethod
    def of(cls, vectors: Float[np.ndarray, "N E"]) -> Codes:
        """Return the codes of vectors in fp32; each number is off by at most the largest of its vector over 64,000."""
        largest = np.abs(vectors).max(1, initial=0)
        scale = np.where(largest > 0, largest / STEPS, 1).astype(np.float32)
        whole = np.rint(vectors / scale[:, None] * 256).astype(np.int16)
        high = (whole + 128) >> 8
        low = whole - (high << 8)
        rest = np.linalg.norm(low.astype(np.float32), axis=1).max(initial=0) / 256
        length = (scale * np.linalg.norm(whole.astype(np.float32), axis=1)).max(initial=0) / 256
        return cls(high.astype(np.int8), low.astype(np.int8), scale, float(rest), float(length))

    @classmethod
    def joined(cls, parts: Sequence[Codes]) -> Codes:
        """Return the codes of all parts' vectors, in order."""
        planes = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("high", "low", "scale")
        )
        return cls(*planes, max(part.rest for part in parts), max(part.length for part in parts))

    def __len__(self) -> int:
        return len(self.scale)

    def estimates(self, query: Codes) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
        """Return estimates of the inner products with one query, and how far each is off at most.

        With q and v for what `high` says of query and vector, and q' and v' for what `low` adds, the product is
        (q + q')(v + v') and the estimate is qv. By Cauchy and Schwarz, the difference qv' + q'(v + v') is no greater
        than |q| |v'| + |q'| |v + v'|. |v'| is at most `scale * rest`, and |v + v'| at most `length`. What fp32 rounds
        comes on top.
        """
        coarse = _products(query.high, self.high)[0].astype(np.float32)
        coarse *= self.scale
        coarse *= query.scale
        high, low = (
            float(query.scale[0]) * np.linalg.norm(plane[0].astype(float)) for plane in query._planes
        )
        error = self.scale * np.float32(high * self.rest)
        error += np.float32((low / 256 + ROUNDING * (high + low / 256)) * self.length)
        return coarse, error

    def products_of(self, rows: Int[np.ndarray, " R"], query: Codes) -> Float[np.ndarray, " R"]:
        """Return the inner products of some vectors with one query, exact but for one rounding to fp32."""
        parts = [rows[i : i + ROWS_AT_ONCE] for i in range(0, len(rows), ROWS_AT_ONCE)]
        return np.concatenate([np.zeros(0, np.float32), *(self._exact(part, query) for part in parts)])

    def products(self, queries: Float[torch.Tensor, "Q E"]) -> Float[torch.Tensor, "Q N"]:
        """Return the inner products with several queries, computed in fp32."""
        found = torch.empty(len(queries), len(self))
        for i in range(0, len(self), ROWS_AT_ONCE):
            part = slice(i, i + ROWS_AT_ONCE)
            high, low, scale = (torch.from_numpy(x[part]) for x in (self.high, self.low, self.scale))
            found[:, part] = queries @ ((high + low.float() / 256) * scale[:, None]).T
        return found

    @property
    def _planes(self) -> tuple[Int[np.ndarray, "N E"], Int[np.ndarray, "N E"]]:
        return self.high, self.low

    def _exact(self, rows: Int[np.ndarray, " R"], query: Codes) -> Float[np.ndarray, " R"]:
        both = np.concatenate(query._planes)
        (high, mixed), (mixed_too, low) = (
            _products(both, plane[rows]).astype(np.int64) for plane in self._planes
        )
        whole = (high << 16) + ((mixed + mixed_too) << 8) + low
        return (whole * (self.scale[rows].astype(float) * float(query.scale[0]) / (1 << 16))).astype(
            np.float32
        )


def _products(a: Int[np.ndarray, "A E"], b: Int[np.ndarray, "B E"]) -> Int[np.ndarray, "A B"]:
    """Return the inner products of bytes as 32-bit integers, which no sum of fewer than 2^17 products exceeds."""
    threads = torch.get_num_threads()
    wanted = threads if len(b) >= MANY else 1
    kind: Any = "int32"  # the package's types leave out whole numbers
    try:
        return np.asarray(simsimd.cdist(a, b, metric="dot", threads=wanted, out_dtype=kind))
    finally:
        torch.set_num_threads(threads)  # cdist sets OpenMP's number of threads, which is torch's, too
