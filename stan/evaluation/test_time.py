"""A test set's similarities in, scores that take other queries into account out: tricks used only when testing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from stan.evaluation.metrics import finite

DUAL_SOFTMAX_SCALE = 100.0
QUERY_BANK_SCALE = 20.0
"""Beta of QB-Norm."""

QUERY_BANK_NEIGHBOURS = 1
"""k of QB-Norm: how many candidates of each bank query are held to be hubs."""


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


def query_bank_norm(
    similarity: Float[np.ndarray, "texts videos"],
    text_bank: Float[np.ndarray, "bank_texts videos"],
    video_bank: Float[np.ndarray, "texts bank_videos"] | None = None,
    scale: float = QUERY_BANK_SCALE,
    neighbours: int = QUERY_BANK_NEIGHBOURS,
) -> Calibrated:
    """QB-Norm with the dynamic inverted softmax (ioanacroi/qb-norm): queries of a bank tell which candidates are hubs.

    similarity: cosines. Texts are the queries of t2v, so its bank holds other texts; videos are those of v2t, whose
    bank holds other videos; without one v2t stays as it is. No test query has a part in another's score.
    Raises ValueError for a bank of other candidates, and where it holds NaN or infinity, naming its query.
    """
    similarity = np.asarray(similarity, np.float64)
    t2v = _inverted_softmax(similarity, np.asarray(text_bank), scale, neighbours, "text")
    if video_bank is None:
        return Calibrated(t2v, similarity)
    return Calibrated(
        t2v, _inverted_softmax(similarity.T, np.asarray(video_bank).T, scale, neighbours, "video").T
    )


def _inverted_softmax(
    similarity: Float[np.ndarray, "queries candidates"],
    bank: Float[np.ndarray, "bank candidates"],
    scale: float,
    neighbours: int,
    kind: str,
) -> Float[np.ndarray, "queries candidates"]:
    """Queries whose best candidate is a hub are scored by exp(scale * S) over the bank's sum; others stay."""
    if bank.ndim != 2 or bank.shape[1] != similarity.shape[1]:
        raise ValueError(
            f"the {kind} bank scores {bank.shape[1:]} candidates, the queries {similarity.shape[1:]}: both must be"
            " scored against the same ones"
        )
    bank = finite(bank, what=f"{kind} bank query").astype(np.float64)
    hubs = np.unique(np.argsort(-bank, axis=1, kind="stable")[:, :neighbours])
    inverted = np.exp(scale * similarity - np.logaddexp.reduce(scale * bank, axis=0))
    found_a_hub = np.isin(similarity.argmax(axis=1), hubs)
    return np.where(found_a_hub[:, None], inverted, similarity)


def _softmax(values: np.ndarray, axis: int) -> np.ndarray:
    weights = np.exp(values - values.max(axis, keepdims=True))
    return weights / weights.sum(axis, keepdims=True)
