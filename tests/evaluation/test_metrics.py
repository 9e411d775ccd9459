"""Ranks and metrics against slow, obvious ones, hand-made matrices and what public evaluations report."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from stan.evaluation import metrics

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def golden() -> tuple[dict[str, np.ndarray], dict]:
    with np.load(GOLDEN / "metrics_a.npz", allow_pickle=False) as archive:
        return dict(archive), json.loads((GOLDEN / "metrics_a.json").read_text())


def falls(scores: list[float]) -> bool:
    return scores == sorted(scores, reverse=True)


def slow_rank(scores: list[float], target: int) -> float:
    """Average place of the target over every order that sorts the scores."""
    orders = [order for order in permutations(range(len(scores))) if falls([scores[i] for i in order])]
    return sum(order.index(target) + 1 for order in orders) / len(orders)


def slow_video_to_text(similarity: np.ndarray, owner: np.ndarray) -> list[float]:
    videos = similarity.shape[1]
    best = [[max(similarity[owner == g, v]) for g in range(videos)] for v in range(videos)]
    return [slow_rank(best[v], v) for v in range(videos)]


@pytest.mark.parametrize("levels", [2, 3, 1000], ids=["many ties", "ties", "hardly any tie"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (4, 5), (6, 3)])
def test_ranks_are_the_average_over_all_orders(shape, levels):
    rng = np.random.default_rng([*shape, levels])
    similarity = rng.integers(levels, size=shape) / levels
    targets = rng.integers(shape[1], size=shape[0])
    expected = [slow_rank(list(row), target) for row, target in zip(similarity, targets, strict=True)]
    np.testing.assert_allclose(metrics.ranks(similarity, targets), expected)


def test_constant_matrix_gains_nothing():
    assert metrics.retrieval(np.ones((11, 11)))["t2v"] == {
        "R@1": 0.0, "R@5": 0.0, "R@10": 100.0, "MdR": 6.0, "MnR": 6.0, "N": 11,
    }  # fmt: skip


def test_several_captions_per_video():
    rng = np.random.default_rng(3)
    owner = np.array([0, 0, 1, 2, 2, 2, 3])
    similarity = rng.integers(4, size=(7, 4)).astype(float)
    text, video = metrics.retrieval_ranks(similarity, owner)
    np.testing.assert_allclose(
        text, [slow_rank(list(row), o) for row, o in zip(similarity, owner, strict=True)]
    )
    np.testing.assert_allclose(video, slow_video_to_text(similarity, owner))
    result = metrics.retrieval(similarity, owner)
    assert (result["t2v"]["N"], result["v2t"]["N"]) == (7, 4)


def slow_all_captions(similarity: np.ndarray, owner: np.ndarray) -> list[float]:
    """Each own caption's average place among all captions, the best of them."""
    places = []
    for v in range(similarity.shape[1]):
        scores = list(similarity[:, v])
        own = [i for i in range(len(scores)) if owner[i] == v]
        places.append(
            min(1 + sum(s > scores[i] for s in scores) + (scores.count(scores[i]) - 1) / 2 for i in own)
        )
    return places


@pytest.mark.parametrize("levels", [1, 3, 1000], ids=["constant", "ties", "hardly any tie"])
def test_both_conventions_of_several_captions(levels):
    rng = np.random.default_rng(levels)
    owner = np.array([0, 0, 1, 2, 2, 2, 3])
    similarity = rng.integers(levels, size=(7, 4)).astype(float)
    np.testing.assert_allclose(
        metrics.all_caption_ranks(similarity, owner), slow_all_captions(similarity, owner)
    )
    result = metrics.retrieval(similarity, owner, seen=np.array([True, True, False, False]))
    assert result["v2t_all_captions"] == metrics.recall(np.array(slow_all_captions(similarity, owner)))
    assert result["v2t"] == metrics.recall(np.array(slow_video_to_text(similarity, owner)))
    assert result["seen"]["v2t_all_captions"] == metrics.recall(
        np.array(slow_all_captions(similarity, owner)[:2])
    )
    assert set(metrics.CONVENTIONS) == set(result) - {"seen", "unseen"}


def test_conventions_agree_where_each_video_has_one_caption():
    similarity = np.random.default_rng(1).normal(size=(5, 5))
    own = np.arange(5)
    np.testing.assert_array_equal(
        metrics.all_caption_ranks(similarity, own), metrics.retrieval_ranks(similarity)[1]
    )
    assert "v2t_all_captions" not in metrics.retrieval(similarity)


def test_each_direction_may_have_scores_of_its_own():
    flipped = metrics.retrieval(np.eye(3), v2t_similarity=-np.eye(3))
    assert (flipped["t2v"]["R@1"], flipped["v2t"]["R@1"]) == (100.0, 0.0)


@pytest.mark.parametrize(
    ("matrix", "reported", "direction"),
    [
        ("similarity", "clip4clip_t2v", "t2v"),
        ("similarity", "clip4clip_v2t", "v2t"),
        ("qbnorm", "qbnorm_t2v", "t2v"),
        ("dsl", "dsl_t2v_temperature100", "t2v"),
        ("similarity_tied", "tied_t2v_averaged", "t2v"),
    ],
)
def test_public_evaluations_report_the_same(golden, matrix, reported, direction):
    arrays, reports = golden
    ours, theirs = metrics.retrieval(arrays[matrix])[direction], reports[reported]
    assert ours["N"] == 200
    assert {k: ours[f"R@{k}"] for k in (1, 5, 10)} == pytest.approx({k: theirs[f"R{k}"] for k in (1, 5, 10)})
    rounded = "MedR" in theirs  # such reports are rounded to one decimal
    assert ours["MdR"] == theirs["MedR" if rounded else "MedianR"]
    assert ours["MnR"] == pytest.approx(theirs["MeanR"], abs=0.051 if rounded else 1e-9)


def test_found_without_ties_is_rank_at_most_k():
    places = np.arange(1.0, 13.0)
    for k in (1, 5, 10):
        np.testing.assert_array_equal(metrics.found(places, k), places <= k)
    assert metrics.found(np.array([1.5, 5.5]), 1).tolist() == [False, False]
    assert metrics.found(np.array([5.5, 6.0]), 5).tolist() == [True, False]


def test_groups_restrict_queries_and_keep_all_candidates():
    similarity = np.array([[1, 0, 2.0], [0, 1, 0], [0, 0, 1]])
    result = metrics.retrieval(similarity, seen=np.array([True, True, False]))
    assert result["seen"]["t2v"]["N"] == 2
    assert result["seen"]["t2v"]["R@1"] == 50.0  # the unseen video still beats caption 0
    assert result["unseen"]["t2v"] == metrics.recall(np.array([1.0]))
    assert "unseen" not in metrics.retrieval(similarity, seen=np.ones(3, bool))


def test_groups_follow_the_captions_owner():
    similarity = np.array([[1, 0.0], [0, 1], [1, 0]])  # the last caption is of video 1 and found wrongly
    result = metrics.retrieval(similarity, np.array([0, 1, 1]), seen=np.array([True, False]))
    assert (result["seen"]["t2v"]["R@1"], result["unseen"]["t2v"]["R@1"]) == (100.0, 50.0)
    assert (result["unseen"]["t2v"]["N"], result["unseen"]["v2t"]["N"]) == (2, 1)


def test_recognition_against_sorting():
    rng = np.random.default_rng(5)
    logits, labels = rng.normal(size=(40, 9)), rng.integers(9, size=40)
    order = np.argsort(-logits, axis=1)
    expected = {
        f"top-{k}": 100 * np.mean([y in o[:k] for y, o in zip(labels, order, strict=True)]) for k in (1, 5)
    }
    assert metrics.recognition(logits, labels) == pytest.approx(expected | {"N": 40})


def test_recognition_with_few_classes_and_groups():
    logits, labels = np.array([[2.0, 1, 0], [2, 1, 0]]), np.array([0, 2])
    result = metrics.recognition(logits, labels, seen=np.array([True, False]))
    assert (result["top-1"], result["top-5"], result["N"]) == (50.0, 100.0, 2)
    assert (result["seen"]["top-1"], result["unseen"]["top-1"]) == (100.0, 0.0)


def test_order_accuracy_of_a_blind_model_is_half():
    frames = np.array([[0.9, 0.1, 0.4], [0.9, 0.1, 0.4], [0.2, 0.2, 0.8]])  # twins 0 and 1 look the same
    own, twins = np.array([0, 1, 2]), np.array([1, 0, -1])
    assert metrics.order_accuracy(frames, own, twins) == {"accuracy": 50.0, "N": 2}
    index, hits = metrics.order_hits(frames, own, twins)
    assert (index.tolist(), hits.tolist()) == ([0, 1], [1.0, 0.0])


def test_equal_scores_of_twins_count_half():
    assert metrics.order_accuracy(np.ones((2, 2)), np.array([0, 1]), np.array([1, 0]))["accuracy"] == 50.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_name_the_query(value):
    similarity = np.eye(3)
    similarity[1, 2] = value
    with pytest.raises(ValueError, match=r"query 1 \(a red square\).*candidate 2"):
        metrics.ranks(similarity, names=["a", "a red square", "c"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.ranks(np.zeros((3, 0))), "at least one"),
        (lambda: metrics.ranks(np.zeros((3, 2))), "query 2: right candidate 2 is not one of 2"),
        (lambda: metrics.ranks(np.eye(3), np.array([0, 1])), "for 3 queries"),
        (lambda: metrics.ranks(np.eye(3), np.array([0.0, 1.5, 2.0])), "integers, not by float64"),
        (lambda: metrics.retrieval(np.eye(2), np.array([True, False])), "integers, not by bool"),
        (lambda: metrics.ranks(np.eye(3), names=["a"]), "1 names for 3"),
        (lambda: metrics.retrieval(np.zeros((2, 3)), np.array([0, 2])), "1 of 3 videos have no caption"),
        (lambda: metrics.retrieval(np.eye(2), seen=np.array([1, 0])), "booleans"),
        (lambda: metrics.recognition(np.eye(2), np.array([0, -1])), "query 1"),
        (lambda: metrics.order_accuracy(np.eye(2), np.arange(2), np.full(2, -1)), "no video has"),
        (lambda: metrics.order_accuracy(np.eye(2), np.arange(2), np.arange(2)), "share caption"),
        (lambda: metrics.order_accuracy(np.eye(2), np.arange(2), np.arange(3)), "twins for 3"),
        (lambda: metrics.recall(np.array([])), "no queries"),
        (lambda: metrics.top(np.array([])), "no videos"),
        (lambda: metrics.retrieval(np.eye(3), v2t_similarity=np.eye(4)), r"\(4, 4\): expected \(3, 3\)"),
    ],
)
def test_sizes_that_do_not_match_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("averaged", [metrics.recall, metrics.top])
@pytest.mark.parametrize(
    ("ranks", "message"),
    [
        ([1.0, np.nan], "rank 1 is nan; it must be finite and at least 1"),
        ([np.inf], "rank 0 is inf"),
        ([2, 0], "rank 1 is 0"),
        ([-1.0], "rank 0 is -1.0"),
        ([[1.0]], r"they are float64 of shape \(1, 1\)"),
        (["1"], "they are <U1"),
        (1.0, r"of shape \(\)"),
    ],
)
def test_what_is_no_rank_is_refused(averaged, ranks, message):
    with pytest.raises(ValueError, match=message):
        averaged(ranks)
