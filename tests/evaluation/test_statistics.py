"""Intervals and tests against exact answers and simulated coverage."""

from __future__ import annotations

from math import comb, erfc

import numpy as np
import pytest

from stan.evaluation import statistics


def test_interval_of_constant_values_is_the_value():
    assert statistics.bootstrap(np.full(7, 3.0), repeats=50) == (3.0, 3.0, 3.0)


def test_interval_of_a_share_matches_the_binomial():
    values = np.r_[np.ones(120), np.zeros(80)]
    mean, low, high = statistics.bootstrap(values)
    spread = 1.96 * np.sqrt(0.6 * 0.4 / 200)
    assert (mean, low, high) == pytest.approx((0.6, 0.6 - spread, 0.6 + spread), abs=0.01)


def test_interval_repeats_with_its_seed_and_pieces_do_not_matter(monkeypatch):
    values = np.random.default_rng(0).normal(size=(3, 50))
    expected = statistics.bootstrap(values, repeats=400, seed=4)
    assert expected != statistics.bootstrap(values, repeats=400, seed=5)
    monkeypatch.setattr(statistics, "_DRAWN_AT_ONCE", 1000)
    statistics._draws.cache_clear()
    assert statistics.bootstrap(values, repeats=400, seed=4) == pytest.approx(expected)


@pytest.mark.parametrize("statistic", [np.mean, np.median])
def test_interval_is_that_of_the_values_drawn_one_by_one(statistic):
    values = np.random.default_rng(0).normal(size=(2, 21))
    draws = np.random.default_rng(7).integers(21, size=(300, 21))
    drawn = [np.mean([statistic(seed[draw]) for seed in values]) for draw in draws]
    _, *interval = statistics.bootstrap(values, repeats=300, seed=7, statistic=statistic)
    assert interval == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=1e-12)


def test_seeds_are_averaged_per_query():
    values = np.array([[0.0, 4.0, 8.0], [2.0, 6.0, 10.0]])
    assert statistics.bootstrap(values, repeats=300) == statistics.bootstrap(values.mean(0), repeats=300)


def test_median_as_statistic():
    value, low, high = statistics.bootstrap(np.array([1.0, 1, 2, 9, 50]), statistic=np.median)
    assert (value, low, high) == (2.0, 1.0, 50.0)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    rng, covered = np.random.default_rng(1), 0
    for _ in range(200):
        _, low, high = statistics.bootstrap(rng.random(120) < 0.4, repeats=300)
        covered += low <= 0.4 <= high
    assert 178 <= covered <= 200  # 95 % of 200, three standard errors and the percentile interval's shortfall


def test_paired_interval_is_narrower_than_unpaired_ones():
    difficulty = np.random.default_rng(2).normal(scale=10, size=300)
    change = statistics.paired(difficulty, difficulty + 1 + 0.1 * np.sin(np.arange(300)), repeats=500)
    assert 0.9 < change.low < change.change < change.high < 1.1
    assert (change.won, change.lost) == (300, 0)


def test_paired_without_a_difference():
    values = np.random.default_rng(3).random((3, 20))
    change = statistics.paired(values[:1], values[:1], repeats=100)
    assert change == statistics.Change(0.0, 0.0, 0.0, 0, 0, 1.0)
    assert statistics.paired(values, values[::-1], repeats=100).won == 0  # the same seeds in another order


def test_unequal_seeds_widen_the_interval():
    rng = np.random.default_rng(4)
    queries = rng.normal(size=200)
    a, b = np.stack([queries] * 3), np.stack([queries + shift for shift in (0.5, 2.0, 3.5)])
    several = statistics.paired(a, b, repeats=2000)
    averaged = statistics.paired(a.mean(0), b.mean(0), repeats=2000)
    assert several.change == pytest.approx(2.0)
    assert averaged.high - averaged.low < 1e-6
    assert several.high - several.low > 2


def test_p_of_several_seeds_agrees_with_the_interval():
    """Three seeds of which one turns the change round, on queries that all agree: a sign test over them is certain."""
    queries = np.random.default_rng(6).normal(size=200)
    a, b = np.stack([queries] * 3), np.stack([queries + shift for shift in (-1.0, 0.5, 3.0)])
    change = statistics.paired(a, b, repeats=2000)
    assert change.won == 200 and statistics.sign_test(200, 0) < 1e-50
    assert change.low < 0 < change.high and 0.05 < change.p < 1
    sure = statistics.paired(a, b + 5, repeats=2000)
    assert sure.low > 0 and sure.p == 2 / 2001
    alone = statistics.paired(a[0], b[2], repeats=100)
    assert alone.p == statistics.sign_test(200, 0)


def test_p_is_the_share_of_draws_on_the_wrong_side_and_never_zero():
    assert statistics.one_sided(np.array([1.0, 2.0, -1.0])) == (2 / 4, 3 / 4)
    assert statistics.one_sided(np.ones(99)) == (1 / 100, 1.0)


def test_hierarchical_interval_covers_a_known_change():
    rng, covered = np.random.default_rng(5), 0
    for _ in range(100):
        query = rng.normal(size=80)
        a = query + rng.normal(scale=0.2, size=(5, 1)) + rng.normal(size=(5, 80))
        b = query + 0.3 + rng.normal(scale=0.2, size=(5, 1)) + rng.normal(size=(5, 80))
        change = statistics.paired(a, b, repeats=300)
        covered += change.low <= 0.3 <= change.high
    assert covered >= 85


def test_lower_ranks_win():
    change = statistics.paired(
        np.array([5.0, 3, 2]), np.array([1.0, 1, 4]), higher_is_better=False, repeats=50
    )
    assert (change.won, change.lost) == (2, 1)
    assert change.change == pytest.approx(-4 / 3)


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (5, 0), (1, 9), (7, 3), (4, 4), (900, 1000)])
def test_sign_test_against_every_outcome(won, lost):
    tosses, extreme = won + lost, abs(won - lost)
    outcomes = sum(comb(tosses, k) for k in range(tosses + 1) if abs(2 * k - tosses) >= extreme)
    assert statistics.sign_test(won, lost) == pytest.approx(outcomes / 2**tosses)


def test_the_sign_test_of_a_large_set_is_the_normal_distributions():
    """Every binomial coefficient anew took 16 s for these queries: a page hung on a published test split."""
    won, lost = 30_000, 29_400
    z = (abs(won - lost) - 1) / np.sqrt(won + lost)  # with the correction for whole numbers
    assert statistics.sign_test(won, lost) == pytest.approx(erfc(z / np.sqrt(2)), rel=1e-3)


def test_won_and_lost_by_size():
    a, b = np.array([0.0, 1, 2, 3, 4]), np.array([1.0, 1, 5, 2, 0])
    won, lost = statistics.won_lost(a, b, ["a", "b", "c", "d", "e"])
    assert (won, lost) == (["c", "a"], ["e", "d"])
    assert statistics.won_lost(a, b, list("abcde"), higher_is_better=False)[0] == lost


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: statistics.bootstrap(np.array([])), "not empty"),
        (lambda: statistics.bootstrap(np.array([1.0, np.nan])), "NaN"),
        (lambda: statistics.paired(np.ones(3), np.ones(4)), "same queries"),
        (lambda: statistics.won_lost(np.ones(3), np.ones(3), ["a"]), "1 ids for 3"),
    ],
)
def test_values_that_cannot_be_compared(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [(81, 263, 25.53, 36.62), (15, 148, 6.24, 16.05), (0, 20, 0.0, 16.11), (1, 29, 0.61, 17.18)],
)
def test_a_proportion_has_wilsons_interval(count, total, low, high):
    """Printed by Newcombe, Statistics in Medicine 17 (1998), table I, method 3."""
    value, *interval = statistics.proportion(count, total)
    assert [value, *interval] == pytest.approx([100 * count / total, low, high], abs=0.01)
    mirrored = statistics.proportion(total - count, total)
    assert mirrored[1:] == pytest.approx((100 - interval[1], 100 - interval[0]))
