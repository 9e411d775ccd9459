"""Dual softmax and QB-Norm: by hand, against slow loops and golden matrices, in both directions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stan.evaluation import metrics
from stan.evaluation.test_time import dual_softmax, query_bank_norm

GOLDEN = Path(__file__).parents[1] / "golden"

HUB = np.array([[0.30, 0.32, 0.1], [0.1, 0.50, 0.1], [0.1, 0.40, 0.38]])
"""The middle video suits every text; each text's own stands on the diagonal."""


def test_it_takes_a_hub_away():
    assert metrics.retrieval(HUB)["t2v"]["R@1"] < 100
    assert metrics.retrieval(dual_softmax(HUB).t2v)["t2v"]["R@1"] == 100


def test_each_direction_has_its_own_prior():
    by_hand = np.exp(100 * HUB)
    both = dual_softmax(HUB)
    np.testing.assert_allclose(both.t2v, HUB * by_hand / by_hand.sum(0))
    np.testing.assert_allclose(both.v2t, HUB * by_hand / by_hand.sum(1, keepdims=True))


def test_the_other_direction_is_the_same_on_the_transpose():
    np.testing.assert_allclose(dual_softmax(HUB).v2t, dual_softmax(HUB.T).t2v.T)


def slow_query_bank_norm(queries: np.ndarray, bank: np.ndarray, beta: float, k: int) -> np.ndarray:
    """The description word by word: loops over queries and candidates."""
    hubs = {j for row in bank for j in sorted(range(len(row)), key=lambda j: -row[j])[:k]}
    scores = queries.astype(float).copy()
    for i, row in enumerate(queries):
        if int(np.argmax(row)) in hubs:
            for j in range(len(row)):
                scores[i, j] = np.exp(beta * row[j]) / sum(np.exp(beta * q[j]) for q in bank)
    return scores


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("levels", [3, 1000], ids=["ties", "hardly any tie"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 4, 7), (4, 9, 2)])
def test_query_bank_norm_is_what_its_description_says(shape, levels, k):
    texts, videos, bank = shape
    rng = np.random.default_rng([*shape, levels, k])
    similarity = rng.integers(levels, size=(texts, videos)) / levels
    text_bank = rng.integers(levels, size=(bank, videos)) / levels
    video_bank = rng.integers(levels, size=(texts, bank)) / levels
    both = query_bank_norm(similarity, text_bank, video_bank, scale=20, neighbours=k)
    np.testing.assert_allclose(both.t2v, slow_query_bank_norm(similarity, text_bank, 20, k))
    np.testing.assert_allclose(both.v2t, slow_query_bank_norm(similarity.T, video_bank.T, 20, k).T)


def test_without_a_bank_of_videos_that_direction_stays():
    both = query_bank_norm(HUB, np.array([[0.1, 0.45, 0.1]]))
    np.testing.assert_array_equal(both.v2t, HUB)
    assert metrics.retrieval(both.t2v)["t2v"]["R@1"] == 100 > metrics.retrieval(HUB)["t2v"]["R@1"]


def test_only_queries_that_find_a_hub_change():
    both = query_bank_norm(HUB, np.array([[0.6, 0.1, 0.1]]))
    np.testing.assert_array_equal(both.t2v, HUB)


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e4])
def test_dual_softmax_of_large_scores_stays_finite(scale):
    assert np.isfinite(dual_softmax(scale * HUB)).all()


@pytest.mark.parametrize(("name", "computed"), [
    ("dsl", lambda a: dual_softmax(a["similarity"])),
    ("qbnorm", lambda a: query_bank_norm(a["similarity"], a["query_bank"])),
])  # fmt: skip
def test_the_public_implementations_give_the_same(name, computed):
    with np.load(GOLDEN / "metrics_a.npz") as arrays:
        np.testing.assert_allclose(computed(arrays).t2v, arrays[name], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("bank", "message"),
    [
        (np.ones((2, 4)), "text bank scores \\(4,\\) candidates, the queries \\(3,\\)"),
        (np.ones(3), "text bank scores"),
        (np.array([[1.0, 1, 1], [1, np.nan, 1]]), "text bank query 1 scores nan against candidate 1"),
    ],
)
def test_a_bank_that_does_not_fit_is_refused(bank, message):
    with pytest.raises(ValueError, match=message):
        query_bank_norm(HUB, bank)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dual_softmax(np.array([[0.1, np.nan]])), "text 0 scores nan against candidate 1"),
        (lambda: dual_softmax(np.array([[0.1], [np.inf]])), "text 1 scores inf against candidate 0"),
        (lambda: dual_softmax(HUB, np.nan), "scale is nan; it must be a finite number"),
        (lambda: query_bank_norm(HUB * np.nan, HUB), "text 0 scores nan against candidate 0"),
        (lambda: query_bank_norm(HUB, HUB, scale=np.inf), "scale is inf; it must be a finite number"),
        (
            lambda: query_bank_norm(HUB, HUB, neighbours=0),
            "neighbours is 0; it must be a whole number of at least 1",
        ),
        (
            lambda: query_bank_norm(HUB, HUB, neighbours=1.5),
            "neighbours is 1.5; it must be a whole number of",
        ),
    ],
)
def test_numbers_that_would_make_every_score_nan_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
