"""Clips are blended as weights done by hand say, and their targets with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stan.config import TrainConfig
from stan.training import mixing
from stan.training.losses import classification, mixed_target
from stan.training.mixing import cutmix, mixed


def batch(clips: int = 4, side: int = 8) -> dict:
    """Clips of one value each, the number of the clip; clip i is of class i."""
    values = torch.arange(clips, dtype=torch.float32)
    return {
        "video": values[:, None, None, None, None].expand(clips, 2, 3, side, side).clone(),
        "label": torch.arange(clips),
        "text": torch.zeros(clips, 5, dtype=torch.long),
    }


def test_without_mixing_a_batch_stays_itself():
    given = batch()
    assert mixed(given, TrainConfig(), 0) is given


@pytest.mark.parametrize("seed", range(5))
def test_mixup_weighs_a_clip_and_its_partner_as_it_weighs_their_classes(seed):
    given = batch()
    found = mixed(given, TrainConfig(mixup=0.8), seed)
    share = found["share"][0].item()
    assert 0 <= share <= 1 and (found["share"] == share).all()
    own, other = torch.arange(4), found["other_label"]
    assert sorted(other.tolist()) == [0, 1, 2, 3]
    torch.testing.assert_close(found["video"].mean((1, 2, 3, 4)), share * own + (1 - share) * other)
    assert torch.equal(given["video"], batch()["video"]) and torch.equal(found["label"], own)
    assert torch.equal(found["text"], given["text"])


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_pastes_one_box_into_all_clips_and_frames(seed):
    found = mixed(batch(), TrainConfig(cutmix=1.0), seed)
    partner = found["other_label"]
    assert all(set(clip.unique().tolist()) <= {i, partner[i].item()} for i, clip in enumerate(found["video"]))
    pasted = found["video"] != torch.arange(4)[:, None, None, None, None]
    moved = partner != torch.arange(4)
    assert (pasted[moved] == pasted[moved][:1, :1, :1]).all()
    shares = 1 - pasted[moved].float().mean((1, 2, 3, 4))
    torch.testing.assert_close(found["share"][moved], shares)


class Middle:
    """A generator that always draws the middle."""

    def integers(self, side: int) -> int:
        return side // 2


def test_a_box_by_hand():
    """A quarter remains of the area, so the box has half the sides: 4 of 8 in the middle."""
    video, share = cutmix(batch(2)["video"], torch.tensor([1, 0]), 0.75, Middle())
    assert share == 1 - 16 / 64
    expected = torch.zeros(8, 8)
    expected[2:6, 2:6] = 1
    assert torch.equal(video[0, 0, 0], expected) and torch.equal(video[1, 1, 2], 1 - expected)


def test_each_batch_takes_one_of_the_two(monkeypatch):
    taken = []
    real = mixing.cutmix
    monkeypatch.setattr(mixing, "cutmix", lambda *given: taken.append(1) or real(*given))
    for seed in range(100):
        mixed(batch(2, 2), TrainConfig(mixup=0.8, cutmix=1.0), seed)
    assert 30 < len(taken) < 70


def test_a_step_mixes_alike_when_it_is_taken_again():
    recipe = TrainConfig(mixup=0.8, cutmix=1.0)
    first, again, other = (mixed(batch(), recipe, seed)["video"] for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_soft_target_by_hand():
    """0.7 of class 0 and 0.3 of class 2, of which a tenth is spread over three classes."""
    target = mixed_target(torch.tensor([0]), torch.tensor([2]), torch.tensor([0.7]), 3)
    torch.testing.assert_close(target, torch.tensor([[0.7, 0.0, 0.3]]))
    logits = torch.tensor([[1.0, 0.0, -1.0]])
    expected = -(torch.tensor([0.63 + 1 / 30, 1 / 30, 0.27 + 1 / 30]) * logits.log_softmax(1)).sum()
    torch.testing.assert_close(classification(logits, target, 0.1), expected)


def test_a_share_of_one_is_a_plain_label():
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32))
    label, other = torch.tensor([0, 1, 2, 3]), torch.tensor([4, 4, 4, 4])
    target = mixed_target(label, other, torch.ones(4), 5)
    torch.testing.assert_close(classification(logits, target, 0.1), classification(logits, label, 0.1))
