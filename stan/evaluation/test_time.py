"""A test set's similarities in, scores that take other queries into account out; lists the tricks of testing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from stan.common.json_values import require_count
from stan.evaluation import metrics

DUAL_SOFTMAX_SCALE = 100.0
QUERY_BANK_SCALE = 20.0
"""Beta of QB-Norm."""

QUERY_BANK_NEIGHBOURS = 1
"""k of QB-Norm: how many candidates of each bank query count as hubs."""


class Rescored(NamedTuple):
    """One matrix for each direction. They differ, because each direction has its prior over its own queries."""

    t2v: Float[np.ndarray, "texts videos"]
    v2t: Float[np.ndarray, "texts videos"]


def dual_softmax(
    similarity: Float[np.ndarray, "texts videos"], scale: float = DUAL_SOFTMAX_SCALE
) -> Rescored:
    """Return dual softmax scores (CAMoE): S * softmax(scale * S) over all queries.

    similarity: cosines. A video that suits every text is worth less to each of them (t2v: softmax over the texts), and
    so is a text that suits every video (v2t: softmax over the videos). The prior runs over **all test queries**.
    Raises ValueError for NaN or infinity, naming the text, and for a scale that isn't a finite number.
    """
    _require_finite(scale)
    similarity = metrics.finite(similarity, what="text").astype(np.float64)
    return Rescored(*(similarity * _softmax(scale * similarity, axis) for axis in (0, 1)))


def query_bank_norm(
    similarity: Float[np.ndarray, "texts videos"],
    text_bank: Float[np.ndarray, "bank_texts videos"],
    video_bank: Float[np.ndarray, "texts bank_videos"] | None = None,
    scale: float = QUERY_BANK_SCALE,
    neighbours: int = QUERY_BANK_NEIGHBOURS,
) -> Rescored:
    """Return scores of QB-Norm with the dynamic inverted softmax (ioanacroi/qb-norm).

    The queries of a bank show which candidates are hubs. similarity: cosines. text_bank: texts are the queries of t2v,
    so its bank holds other texts. video_bank: videos are the queries of v2t, so its bank holds other videos; without
    it, v2t stays as it is. No test query influences another's score.
    Raises ValueError for a bank of other candidates, for NaN or infinity, naming the query, for a scale that isn't a
    finite number, and for less than one neighbour.
    """
    _require_finite(scale)
    require_count("neighbours", neighbours)
    similarity = metrics.finite(similarity, what="text").astype(np.float64)
    t2v = _inverted_softmax(similarity, np.asarray(text_bank), scale, neighbours, "text")
    if video_bank is None:
        return Rescored(t2v, similarity)
    return Rescored(
        t2v, _inverted_softmax(similarity.T, np.asarray(video_bank).T, scale, neighbours, "video").T
    )


def _inverted_softmax(
    similarity: Float[np.ndarray, "queries candidates"],
    bank: Float[np.ndarray, "bank candidates"],
    scale: float,
    neighbours: int,
    kind: str,
) -> Float[np.ndarray, "queries candidates"]:
    """Score queries whose best candidate is a hub by exp(scale * S) over the bank's sum; keep the others' scores."""
    if bank.ndim != 2 or bank.shape[1] != similarity.shape[1]:
        raise ValueError(
            f"the {kind} bank scores {bank.shape[1:]} candidates, the queries {similarity.shape[1:]}: both must be"
            " scored against the same ones"
        )
    bank = metrics.finite(bank, what=f"{kind} bank query").astype(np.float64)
    hubs = np.unique(np.argsort(-bank, axis=1, kind="stable")[:, :neighbours])
    inverted = np.exp(scale * similarity - np.logaddexp.reduce(scale * bank, axis=0))
    found_a_hub = np.isin(similarity.argmax(axis=1), hubs)
    return np.where(found_a_hub[:, None], inverted, similarity)


def _require_finite(scale: float) -> None:
    if not np.isfinite(scale):
        raise ValueError(f"scale is {scale}; it must be a finite number")


def _softmax(values: np.ndarray, axis: int) -> np.ndarray:
    weights = np.exp(values - values.max(axis, keepdims=True))
    return weights / weights.sum(axis, keepdims=True)


@dataclass(frozen=True)
class Trick:
    """A trick used only in testing, and the words that name it beside a number."""

    words: str
    views: int = 1
    """Number of views of every clip; scores are averaged over them."""
    task: str | None = None
    """The task that the trick suits; None for both tasks."""
    warning: str | None = None
    """What a reader must know before comparing."""


TRICKS = {
    "dsl": Trick(
        f"dual softmax, temperature {DUAL_SOFTMAX_SCALE:g}, prior over all N test queries",
        task="retrieval",
        warning="dsl uses all test queries at once: a query's score depends on the others, as it can't in search",
    ),
    "qbnorm": Trick(
        f"query-bank normalisation, beta {QUERY_BANK_SCALE:g}, k {QUERY_BANK_NEIGHBOURS}; banks: all training captions"
        " for text-to-video, all training videos for video-to-text",
        task="retrieval",
    ),
    "views-1x3": Trick("scores averaged over three crops along the long side", views=3),
    "views-4x3": Trick(
        "scores averaged over four clips of three crops along the long side", views=12, task="recognition"
    ),
    "views-10x3": Trick(
        "scores averaged over ten clips of three crops along the long side", views=30, task="recognition"
    ),
}
"""Tricks used only in testing; none is on by default."""


def check_tricks(test_time: Iterable[str], task: str) -> None:
    """Raise ValueError for a trick that isn't known or doesn't suit the task, and for two tricks of one kind."""
    test_time = list(test_time)
    for trick in test_time:
        if trick not in TRICKS:
            raise ValueError(f"test_time {trick!r} is not known; there are {', '.join(TRICKS)}")
        if TRICKS[trick].task not in (None, task):
            raise ValueError(f"test_time {trick!r} is for {TRICKS[trick].task}, and this is {task}")
    for kind in (["dsl", "qbnorm"], [name for name, trick in TRICKS.items() if trick.views > 1]):
        chosen = [trick for trick in test_time if trick in kind]
        if len(chosen) > 1:
            raise ValueError(f"test_time {' and '.join(chosen)} exclude each other: choose one")


def views_of(test_time: Iterable[str]) -> int:
    """Return the number of views of every clip that the tricks ask for."""
    return max((TRICKS[trick].views for trick in test_time), default=1)


def description(task: str, test_time: Iterable[str]) -> dict[str, Any]:
    """Return what a number must be shown with: task, headline, test-time tricks by name and in words, warnings."""
    test_time = list(test_time)
    tricks = [TRICKS[trick] for trick in test_time]
    return {
        "task": task,
        "headline": metrics.HEADLINE[task],
        "test_time": test_time,
        "tricks": [trick.words for trick in tricks],
        "warnings": [trick.warning for trick in tricks if trick.warning],
    }
