"""Schedules by hand, what is frozen and with which optimizer the rest is trained, and settings that no run can have."""

from __future__ import annotations

import math

import pytest
import torch
from lightning_fabric import Fabric

from stan.config import TrainConfig, with_parts
from stan.models.dual_encoder import build
from stan.training.checks import check
from stan.training.chunked_backward import backward
from stan.training.objective import Objective
from stan.training.optim import freeze, limit_scale, optimizer, parameter_groups, rate
from tests.support.tiny_experiment import tiny


def test_a_constant_rate_stays_after_its_warm_up():
    recipe = TrainConfig(lr=2.0, schedule="constant", warmup=0.2)
    rates = [rate(step, 10, recipe) for step in range(10)]
    assert rates == [1.0, *[2.0] * 9]
    assert rate(0, 10, TrainConfig(lr=2.0, schedule="constant", warmup=0.0)) == 2.0


def test_steps_are_those_of_fifteen_epochs():
    recipe = TrainConfig(lr=0.005, schedule="steps", warmup=0.0)
    rates = [rate(step, 15, recipe) for step in range(15)]
    assert rates == pytest.approx([0.005] * 11 + [0.0005] * 3 + [0.00005])


def test_a_frozen_text_tower_leaves_the_image_tower():
    experiment = tiny(frozen="text")
    model = build(experiment.model, 4)
    freeze(model, experiment.train)
    assert not any(p.requires_grad for p in model.clip.text.parameters())
    assert all(p.requires_grad for p in model.clip.visual.parameters())


def test_the_optimizer_is_the_recipes():
    model = build(tiny().model, 4)
    for recipe, kind, betas in (
        (TrainConfig(), torch.optim.AdamW, (0.9, 0.98)),
        (TrainConfig(beta2=0.999), torch.optim.AdamW, (0.9, 0.999)),
        (TrainConfig(optimizer="sgd", weight_decay=1e-4), torch.optim.SGD, None),
    ):
        freeze(model, recipe)
        found = optimizer(parameter_groups(model, recipe), recipe)
        assert type(found) is kind and found.defaults.get("betas") == betas
        assert found.defaults.get("momentum", 0.9) == 0.9
        assert {group["weight_decay"] for group in found.param_groups} == {recipe.weight_decay, 0.0}


@pytest.mark.parametrize("chunk", [0, 1])
def test_a_learned_scale_starts_at_the_temperature_and_gets_the_losss_gradient(chunk):
    """d loss / d log scale, by a difference of two losses with fixed scales."""
    torch.manual_seed(0)
    experiment = tiny(frozen="nothing", learned_scale=True, temperature=0.1, chunk=chunk)
    model = build(experiment.model, 4)
    batch = {"video": torch.randn(2, 4, 3, 48, 48), "text": model.clip.tokenize(["a circle", "two stars"])}
    fabric = Fabric(accelerator="cpu", devices=1)
    objective = fabric.setup_module(Objective(model))

    def loss(recipe: TrainConfig) -> float:
        freeze(model, recipe)
        return backward(fabric, objective, model, batch, recipe, 0).item()

    fixed = [loss(TrainConfig("nothing", temperature=0.1 * math.exp(-step))) for step in (0, 0.01, -0.01)]
    assert model.logit_scale.grad is None
    assert loss(experiment.train) == pytest.approx(fixed[0], rel=1e-5)
    assert model.logit_scale.grad.item() == pytest.approx((fixed[1] - fixed[2]) / 0.02, rel=1e-2)


def test_a_scale_stays_at_most_100():
    model = build(tiny().model, 4)
    for given, kept in ((5.0, math.log(100)), (3.0, 3.0)):
        model.logit_scale.data.fill_(given)
        limit_scale(model)
        assert model.logit_scale.item() == pytest.approx(kept)


@pytest.mark.parametrize(
    ("suite", "changed", "said"),
    [
        ("motions", {"train": {"optimizer": "lion"}}, "train.optimizer is 'lion'; it can be adamw, sgd"),
        ("motions", {"train": {"schedule": "linear"}}, "it can be cosine, constant, steps"),
        ("motions", {"train": {"clip_gradient": -1.0}}, "can't be negative"),
        ("motions", {"data": {"augmentation": "blur"}}, "data.augmentation is 'blur'; it can be none, crop"),
        ("motions", {"data": {"augmentation": "crop+flip"}}, "motions tells left from right"),
        ("something", {"data": {"augmentation": "x_clip"}}, "something tells left from right"),
        (
            "retrieval",
            {"train": {"label_smoothing": 0.1}},
            "train.label_smoothing: only the cross-entropy over",
        ),
        (
            "scenes",
            {"train": {"mixup": 0.8, "loss": "kl"}},
            "train.mixup: only the cross-entropy over classes",
        ),
        ("scenes", {"train": {"mixup": 0.8, "cutmix": 1.0}}, "mixed as frames"),
        ("scenes", {"train": {"frozen": "nothing", "cutmix": 1.0, "twins": 4.0}}, "train.twins to 0"),
    ],
)
def test_settings_that_no_run_can_have(suite, changed, said):
    with pytest.raises(ValueError, match=said):
        check(with_parts(tiny(suite), **changed))


def test_settings_that_a_run_can_have():
    mixing = {"mixup": 0.8, "cutmix": 1.0}
    allowed = (
        with_parts(tiny("scenes", frozen="text"), data={"augmentation": "x_clip"}),
        tiny("scenes", frozen="vision", label_smoothing=0.1, clip_gradient=0.0),
        with_parts(tiny("scenes", frozen="clip", **mixing), data={"augmentation": "crop+flip"}),
    )
    assert [check(experiment) for experiment in allowed] == [None] * 3
