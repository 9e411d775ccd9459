"""Dual softmax: by hand, in both directions."""

from __future__ import annotations

import numpy as np

from stan import metrics
from stan.calibration import dual_softmax

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
