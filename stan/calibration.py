"""A test set's similarities in, scores that take all its queries into account out: a test-time trick."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

DUAL_SOFTMAX_SCALE = 100.0


class Calibrated(NamedTuple):
    """One matrix for each direction: they differ, because each has its prior over its own queries."""

    t2v: Float[np.ndarray, "texts videos"]
    v2t: Float[np.ndarray, "texts videos"]


def dual_softmax(
    similarity: Float[np.ndarray, "texts videos"], scale: float = DUAL_SOFTMAX_SCALE
) -> Calibrated:
    """Dual softmax (CAMoE): S * softmax(scale * S) over all queries.

    similarity: cosines. A video that suits every text is worth less to each (t2v: softmax over the texts), a text
    that suits every video likewise (v2t: softmax over the videos). The prior runs over **all test queries**.
    """
    similarity = np.asarray(similarity, np.float64)
    return Calibrated(*(similarity * _softmax(scale * similarity, axis) for axis in (0, 1)))


def _softmax(values: np.ndarray, axis: int) -> np.ndarray:
    weights = np.exp(values - values.max(axis, keepdims=True))
    return weights / weights.sum(axis, keepdims=True)
