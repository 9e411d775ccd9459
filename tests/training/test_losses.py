"""Losses on matrices small enough to do by hand."""

from __future__ import annotations

import math

import pytest
import torch

from stan.training.losses import (
    TWIN_TEMPERATURE,
    classification,
    decorrelation,
    info_nce,
    kl_divergence,
    one_way_kl,
    twin_classification,
)

SIMILARITY = torch.tensor([[2.0, 0.0, 1.0], [0.5, 3.0, 0.0], [1.0, 1.0, 1.0]])


def test_without_equal_captions_it_is_both_cross_entropies():
    right = torch.arange(3)
    expected = classification(SIMILARITY, right) + classification(SIMILARITY.T, right)
    assert info_nce(SIMILARITY, torch.eye(3, dtype=torch.bool)).item() == pytest.approx(expected.item())


def test_equal_captions_share_the_target():
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
    total = 0.0
    for rows in (SIMILARITY.tolist(), SIMILARITY.T.tolist()):
        for i, row in enumerate(rows):
            norm = math.log(sum(map(math.exp, row)))
            right = [j for j in range(3) if same[i, j]]
            total += sum(norm - row[j] for j in right) / len(right) / 3
    assert info_nce(SIMILARITY, same).item() == pytest.approx(total, rel=1e-6)


def test_equal_captions_are_not_pushed_apart():
    """Two clips with one caption: at the even split between them nothing pulls."""
    similarity = torch.zeros(2, 2, requires_grad=True)
    info_nce(similarity, torch.ones(2, 2, dtype=torch.bool)).backward()
    assert similarity.grad.abs().max() == 0
    info_nce(similarity, torch.eye(2, dtype=torch.bool)).backward()
    assert similarity.grad.abs().max() > 0


def test_a_twin_is_told_from_its_own_class_alone():
    cosines = torch.tensor([[0.1, 0.3, 1.0], [0.2, 0.0, 0.9]])
    alone = twin_classification(cosines, torch.tensor([0, 1]), torch.tensor([1, -1]))
    torch.testing.assert_close(alone, -(cosines[0, :2] / TWIN_TEMPERATURE).log_softmax(0)[0] / 2)
    assert twin_classification(cosines, torch.tensor([0, 1]), torch.tensor([-1, -1])) == 0


def test_classification_is_the_mean_over_videos():
    expected = (math.log(1 + math.e) + math.log(1 + math.exp(-2))) / 2
    logits = torch.tensor([[0.0, 1.0], [0.0, 2.0]])
    assert classification(logits, torch.tensor([0, 1])).item() == pytest.approx(expected)


def test_classification_of_smoothed_and_of_soft_targets():
    logits = torch.tensor([[0.0, 1.0, -1.0], [0.0, 2.0, 0.5]])
    logarithms = logits.log_softmax(1)
    smoothed = 0.9 * torch.tensor([[0.0, 1, 0], [1, 0, 0]]) + 0.1 / 3
    expected = -(smoothed * logarithms).sum(1).mean().item()
    assert classification(logits, torch.tensor([1, 0]), 0.1).item() == pytest.approx(expected)
    assert classification(logits, smoothed).item() == pytest.approx(expected)


def test_each_way_of_the_kl_divergence_is_half_of_it():
    same = torch.eye(3, dtype=torch.bool)
    ways = one_way_kl(SIMILARITY, same), one_way_kl(SIMILARITY.T, same)
    assert ways[0] != ways[1]
    assert kl_divergence(SIMILARITY, same).item() == pytest.approx(sum(ways).item() / 2)


def test_kl_divergence_by_hand():
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=torch.bool)
    total = 0.0
    for rows in (SIMILARITY.tolist(), SIMILARITY.T.tolist()):
        for i, row in enumerate(rows):
            found, right = ([math.exp(s * x) for x in v] for s, v in ((1, row), (10, same[i].tolist())))
            pairs = [(r / sum(right), f / sum(found)) for r, f in zip(right, found, strict=True)]
            total += sum(r * math.log(r / f) for r, f in pairs) / 3 / 2
    assert kl_divergence(SIMILARITY, same).item() == pytest.approx(total, rel=1e-5)
    assert kl_divergence(10.0 * same, same).item() == pytest.approx(0, abs=1e-6)


def test_decorrelation_counts_channels_that_do_not_go_together():
    text = torch.tensor([[3.0, 4.0], [-4.0, 3.0], [-0.6, -0.8]])
    assert decorrelation(text, 2 * text).item() == pytest.approx(0, abs=1e-6)
    video = text * torch.tensor([1.0, -1.0])  # the second channel goes the other way: c = -1
    assert decorrelation(text, video).item() == pytest.approx(4)
    unit, other = (torch.nn.functional.normalize(x, dim=1) for x in (text, text.roll(1, 0)))
    found = [torch.corrcoef(torch.stack([unit[:, k], other[:, k]]))[0, 1] for k in range(2)]
    expected = sum((c - 1) ** 2 for c in found)
    torch.testing.assert_close(decorrelation(text, text.roll(1, 0)), expected)
