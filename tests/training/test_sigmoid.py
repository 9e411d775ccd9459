"""The sigmoid loss: SigLIP's own number, what it trains, and what its models say of a text and a video alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import nn

from stan.config import TrainConfig
from stan.models.backbones import from_config
from stan.models.dual_encoder import DualEncoder, build
from stan.models.factory import load_model
from stan.models.temporal.base import Temporal
from stan.training.losses import sigmoid_pairs
from stan.training.objective import Objective, batch_loss
from stan.training.optim import freeze
from stan.training.trainer import check, train
from tests.support.tiny_experiment import tiny

from open_clip.loss import SigLipLoss  # isort: skip # after stan.models, which prepares it

SIGMOID = TrainConfig("nothing", loss="sigmoid")
SIGLIP = {
    "embed_dim": 16,
    "init_logit_bias": -3,
    "custom_text": True,
    "vision_cfg": {"image_size": 48, "layers": 2, "width": 24, "head_width": 12, "patch_size": 16},
    "text_cfg": {
        "context_length": 40,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 2,
        "no_causal_mask": True,
        "pool_type": "last",
        "proj_bias": True,
    },
}


def siglip() -> DualEncoder:
    torch.manual_seed(0)
    clip = from_config(SIGLIP)
    return DualEncoder(clip, Temporal(clip, 2))


def test_it_is_siglips_own():
    torch.manual_seed(0)
    image, text = (F.normalize(torch.randn(5, 8), dim=-1) for _ in range(2))
    scale, bias = torch.tensor(12.0), torch.tensor(-7.0)
    expected = SigLipLoss()(image, text, scale, bias)
    found = sigmoid_pairs(scale * text @ image.T + bias, torch.eye(5, dtype=torch.bool))
    torch.testing.assert_close(found, expected)


def test_equal_captions_are_both_right():
    same = torch.tensor([[1, 1], [1, 1]], dtype=torch.bool)
    logits = torch.tensor([[0.3, -1.0], [2.0, 0.0]])
    assert sigmoid_pairs(logits, same) == pytest.approx((1 + torch.exp(-logits)).log().sum().item() / 2)


@pytest.mark.parametrize("learned", [False, True])
def test_scale_and_bias_start_as_the_clip_has_them(learned):
    model = siglip()
    scale, bias = model.logit_scale.item(), model.logit_bias.item()
    freeze(model, replace(SIGMOID, learned_scale=learned, temperature=0.5))
    assert (model.logit_scale.item(), model.logit_bias.item()) == (scale, bias)
    assert model.logit_scale.requires_grad == model.logit_bias.requires_grad == learned
    freeze(model, TrainConfig("nothing", temperature=0.5, learned_scale=learned))
    assert model.logit_scale.exp().item() == pytest.approx(2) and not model.logit_bias.requires_grad


def test_classes_are_judged_one_by_one():
    """By hand: of three classes and four videos, every one is a question."""
    model, fabric = siglip(), Fabric(accelerator="cpu", devices=1)
    batch = {
        "text": model.clip.tokenize(["a circle", "a star", "a ring"]),
        "video": torch.randn(4, 2, 3, 48, 48),
        "label": torch.tensor([2, 0, 1, 2]),
        "twin_label": torch.full((4,), -1),
    }
    with torch.no_grad():
        loss = batch_loss(fabric, Objective(model), model, batch, SIGMOID).item()
        scores = model.similarity(model.encode_text(batch["text"]), model.encode_video(batch["video"]))
        chances = model.pair_probability(scores)
    total = 0.0
    for c in range(3):
        for v in range(4):
            yes = chances[c, v]
            total -= (yes if batch["label"][v] == c else 1 - yes).log().item() / 4
    assert loss == pytest.approx(total, rel=1e-4)


def test_a_model_without_a_bias_is_refused():
    model = build(tiny().model, 2)
    with pytest.raises(ValueError, match="'sigmoid' adds the bias of a CLIP that was trained with it"):
        freeze(model, SIGMOID)
    assert model.pair_probability(torch.zeros(1)) is None
    with pytest.raises(ValueError, match="only the cross-entropy over classes has soft targets"):
        check(tiny("scenes", loss="sigmoid", label_smoothing=0.1))


@torch.no_grad()
def test_probability_of_a_pair():
    """Sigmoid(scale * cosine + bias), which open_clip's own logits are."""
    model = siglip()
    model.clip.logit_scale.fill_(2.0), model.clip.logit_bias.fill_(-1.5)
    expected = 1 / (1 + torch.exp(-(torch.tensor(2.0).exp() * torch.tensor([0.3, -0.2]) - 1.5)))
    torch.testing.assert_close(model.pair_probability(torch.tensor([0.3, -0.2])), expected)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["sigmoid", "cross-entropy"])
def test_a_run_from_folder_to_probabilities(loss, tmp_path, runs_root):
    """A model that was trained with another loss has lost the scale that belongs to its bias."""
    folder: Path = tmp_path / "siglip"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": SIGLIP}))
    torch.manual_seed(1)
    clip = from_config(SIGLIP)
    nn.init.constant_(clip.logit_bias, -2.0)
    torch.save(clip.state_dict(), folder / "open_clip_pytorch_model.bin")
    experiment = tiny("retrieval", loss=loss, learned_scale=True, frozen="nothing")
    backbone = replace(experiment.model, backbone=f"local-dir:{folder}", pretrained=None)
    run = train(replace(experiment, model=backbone), runs_root, tmp_path / "worlds")
    model = load_model(run)
    chances = model.pair_probability(torch.tensor([0.0]))
    if loss == "sigmoid":
        assert model.logit_bias.item() != -2 and chances.item() == pytest.approx(
            model.logit_bias.sigmoid().item()
        )
    else:
        assert model.logit_bias.item() == -2 and chances is None
