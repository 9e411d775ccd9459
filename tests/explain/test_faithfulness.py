"""Areas are those of a plain loop, and only maps that follow the score pass for better than random ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stan.explain.faithfulness import areas, faithfulness, masked, ranks

GRID = (2, 2, 2)
PIXELS = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
WEIGHTS = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))


def score(videos: torch.Tensor) -> np.ndarray:
    return ((videos * WEIGHTS).sum((1, 2, 3, 4)) ** 2).double().numpy()


def contribution() -> np.ndarray:
    """What each patch adds to the sum over pixels, against the mean colour."""
    added = (PIXELS - PIXELS.mean((0, 2, 3), keepdim=True)) * WEIGHTS
    return added.reshape(2, 3, 2, 2, 2, 2).sum((1, 3, 5)).numpy()


def test_what_is_not_shown_has_the_mean_colour():
    shown = np.zeros((1, *GRID), bool)
    shown[0, 1, 0, 1] = True
    (video,) = masked(PIXELS, shown)
    mean = PIXELS.mean((0, 2, 3))
    for t, y, x in np.ndindex(2, 4, 4):
        expected = PIXELS[t, :, y, x] if (t, y // 2, x // 2) == (1, 0, 1) else mean
        assert torch.equal(video[t, :, y, x], expected)


@pytest.mark.parametrize("steps", [3, 8, 50])
def test_areas_against_a_loop(steps):
    rank = np.random.default_rng(3).permutation(8).reshape(GRID)
    ends = score(masked(PIXELS, np.array([np.ones(GRID, bool), np.zeros(GRID, bool)])))
    cuts = sorted({round(8 * i / steps) for i in range(steps + 1)})
    expected = []
    for keeps_first in (False, True):
        points = []
        for cut in cuts:
            shown = np.zeros(GRID, bool)
            for place in np.ndindex(*GRID):
                shown[place] = (rank[place] < cut) == keeps_first
            points.append((cut / 8, score(masked(PIXELS, shown[None]))[0]))
        pairs = zip(points, points[1:], strict=False)
        expected.append(sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairs))
    assert areas(score, PIXELS, rank, tuple(ends), steps) == pytest.approx(tuple(expected))


def test_ranks_fall_with_values_and_ties_are_drawn():
    rng = np.random.default_rng(0)
    assert ranks(np.array([[[0.1, 3.0], [2.0, -1.0]]]), rng).ravel().tolist() == [2, 0, 1, 3]
    tied = {tuple(ranks(np.array([[[1.0, 0.0, 0.0]]]), rng).ravel()) for _ in range(30)}
    assert tied == {(0, 1, 2), (0, 2, 1)}


def test_only_what_follows_the_score_is_better():
    tested = faithfulness(score, PIXELS, {"true": contribution(), "reversed": -contribution()}, draws=20)
    true, turned = tested["true"], tested["reversed"]
    assert true["better"] and not turned["better"]
    assert true["deletion"] < true["random_deletion"] < turned["deletion"]
    assert true["insertion"] > true["random_insertion"] > turned["insertion"]
    # deleting an order is inserting its reverse
    assert true["deletion"] == pytest.approx(turned["insertion"])


def test_chance_alone_hardly_passes():
    """With 10 draws a random map comes first of 21 in both kinds at most once in 21."""
    passed = []
    for seed in range(20):
        drawn = np.random.default_rng(100 + seed).random((20, *GRID))
        tested = faithfulness(score, PIXELS, {str(i): v for i, v in enumerate(drawn)}, draws=10, seed=seed)
        passed += [one["better"] for one in tested.values()]
    assert np.mean(passed) < 0.08


def test_a_map_must_pass_all_draws():
    """The range is that of a loop over the draws, deletion and insertion together."""
    rng = np.random.default_rng(0)
    drawn = rng.random((3, *GRID))
    rng.random(8)  # the ties of the one map
    drawn = [ranks(values, rng) for values in drawn]
    ends = score(masked(PIXELS, np.array([np.ones(GRID, bool), np.zeros(GRID, bool)])))
    of_draws = np.array([areas(score, PIXELS, rank, tuple(ends)) for rank in drawn])
    found = faithfulness(score, PIXELS, {"true": contribution()}, draws=3)["true"]
    assert found["random_range"] == pytest.approx((of_draws.min(), of_draws.max()))
    assert (found["random_deletion"], found["random_insertion"]) == pytest.approx(tuple(of_draws.mean(0)))


def test_equal_seeds_give_equal_areas_and_draws_are_shared():
    maps = {"a": contribution(), "b": -contribution()}
    first, again = (faithfulness(score, PIXELS, maps, seed=4) for _ in range(2))
    assert first == again
    shared = ("random_deletion", "random_insertion", "random_range")
    assert all(first["a"][key] == first["b"][key] for key in shared)
    assert faithfulness(score, PIXELS, maps, seed=5)["a"]["random_deletion"] != first["a"]["random_deletion"]
