"""What counts as decided after several looks, against hand-made numbers and simulated studies."""

import numpy as np
import pytest

from stan.evaluation.decisions import deciding, holm


def test_holms_correction_by_hand():
    adjusted, times = zip(*holm([0.01, 0.04, 0.03, 0.005]), strict=True)
    assert adjusted == pytest.approx(
        (0.03, 0.06, 0.06, 0.02)
    )  # .04 alone would be .04, but stands behind .06
    assert times == (3, 1, 2, 4)
    assert [p for p, _ in holm([0.6, 0.5])] == [1.0, 1.0]


def values(rng, seeds, queries, mean, of_seeds, of_queries):
    """Values whose mean over queries is, but for the seeds' own shifts, exactly `mean`."""
    noise = rng.normal(size=queries)
    noise = of_queries * (noise - noise.mean()) / noise.std(ddof=1)
    shifts = (
        of_seeds * np.array([-1.0, 0.0, 1.0]) if seeds == 3 else np.zeros(seeds)
    )  # of variance of_seeds ** 2
    return mean + noise + shifts[:, None]


def test_seeds_and_queries_that_decide_leave_the_change_that_many_errors_from_zero():
    rng = np.random.default_rng(0)
    a, b = np.zeros((3, 400)), values(rng, 3, 400, 1.0, 2.0, 4.0)
    needed = deciding(a, b, level=0.05)
    steps = 1.959964 + 0.841621  # of a two-sided 5 %, and of a chance of 80 %

    def error(seeds, queries):
        return (4.0**2 / queries + 2.0**2 / seeds) ** 0.5

    assert error(needed.seeds, 400) * steps <= 1.0 < error(needed.seeds - 1, 400) * steps
    assert needed.queries is None  # the seeds alone vary too much
    alike = deciding(a, values(rng, 3, 400, 1.0, 0.1, 20.0), level=0.05)
    assert alike.seeds is None
    rest = (1 / steps**2 - 0.1**2 / 3) / 20.0**2
    assert alike.queries == int(np.ceil(1 / rest))


def test_what_cannot_be_told_from_a_single_seed_or_without_a_change():
    rng = np.random.default_rng(0)
    single = deciding(np.zeros((1, 50)), values(rng, 1, 50, 1.0, 0.0, 5.0), level=0.05)
    assert single.seeds is None and single.queries > 50
    assert deciding(np.zeros((3, 4)), np.zeros((3, 4)), level=0.05).queries is None
    shifted = deciding(np.ones((3, 50)), values(rng, 3, 50, 1.0, 0.0, 5.0), level=0.05, margin=1.0)
    assert shifted.queries == deciding(np.zeros((3, 50)), values(rng, 3, 50, 1.0, 0.0, 5.0), 0.05).queries
