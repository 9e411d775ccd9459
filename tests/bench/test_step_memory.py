"""A step on shapes alone takes what a real one takes, in lines; the cards and settings that follow from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric

from stan.bench import step_memory
from stan.bench.step_memory import GIB, Watcher, dry_run, step
from stan.config import with_parts
from stan.models.dual_encoder import build
from stan.training.activation_checkpoint import recompute
from stan.training.chunked_backward import backward
from stan.training.objective import Objective
from stan.training.optim import freeze
from tests.support.tiny_experiment import tiny

EXPERIMENT = with_parts(
    tiny("msrvtt", "stan", frozen="nothing", batch=8),
    data={"words": 12, "frames": 8},
)


def real_peak(clips: int, checkpointing: bool) -> int:
    """Bytes that a real step holds at most beside the optimizer's, gradients being there already."""
    torch.manual_seed(0)
    model = build(EXPERIMENT.model, 8)
    freeze(model, EXPERIMENT.train)
    if checkpointing:
        recompute(model)
    batch = {"video": torch.randn(clips, 8, 3, 48, 48), "text": torch.randint(9, (clips, 12))}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    gradients = [p.grad for p in model.parameters() if p.requires_grad]
    objective = Fabric(accelerator="cpu", devices=1).setup_module(Objective(model).train())
    with Watcher([*model.parameters(), *gradients]) as watcher:
        backward(Fabric(accelerator="cpu", devices=1), objective, model, batch, EXPERIMENT.train, seed=0)
    assert watcher.now >= sum(p.numel() * 4 for p in model.parameters())
    return watcher.peak


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_shapes_alone_take_what_a_real_step_takes(checkpointing):
    found = step(with_parts(EXPERIMENT, train={"checkpointing": checkpointing}), 3)
    assert found.peak - found.optimizer == real_peak(3, checkpointing)
    model = build(EXPERIMENT.model, 8)
    freeze(model, EXPERIMENT.train)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert found.gradients == 4 * trained and found.optimizer == 8 * trained
    assert found.parameters == 4 * sum(p.numel() for p in model.parameters())
    assert 0 < found.activations < found.peak


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_memory_grows_by_the_same_with_every_clip_of_a_chunk(checkpointing):
    """Of the branch alone: so small a model has less to keep of eight clips than its vocabulary has gradients."""
    settings = {"frozen": "clip", "checkpointing": checkpointing}
    two, four, whole = (
        step(with_parts(EXPERIMENT, train=settings | {"chunk": chunk}), 8).peak for chunk in (2, 4, 0)
    )
    assert two < four and whole - four == pytest.approx(2 * (four - two), rel=0.1)


@pytest.mark.slow
def test_recomputation_takes_less():
    plain, recomputed = (
        step(with_parts(EXPERIMENT, train={"frozen": "clip", "checkpointing": one}), 4).peak
        for one in (False, True)
    )
    assert recomputed < plain


def test_a_watcher_counts_storages_once_and_as_long_as_they_live():
    given = torch.zeros(100)
    with Watcher([given]) as watcher:
        made = given + 1
        view = made[10:].reshape(9, 10)
        assert watcher.now == watcher.peak == 800
        del made
        assert watcher.now == 800
        del view
        assert watcher.now == 400 and watcher.peak == 800


def test_a_card_gets_the_settings_that_make_it_hold_the_batch(monkeypatch):
    lines = {True: (2 * GIB, GIB // 4), False: (2 * GIB, 4 * GIB)}

    def made(experiment, clips):
        fixed, per_clip = lines[experiment.train.checkpointing]
        return step_memory.StepMemory(GIB, GIB, 2 * GIB, fixed + clips * per_clip, 10 + 5 * clips)

    monkeypatch.setattr(step_memory, "step", made)
    found = dry_run(replace(EXPERIMENT, train=replace(EXPERIMENT.train, batch=12)))
    assert found["plain"] == {"fixed": 2 * GIB, "per_clip": 4 * GIB} and found["gmacs"] == 70 / 1e9
    assert [card["plain"] for card in found["cards"]] == [4, 8, 12]
    assert [card["set"] for card in found["cards"]] == [["train.chunk=4"], ["train.chunk=8"], []]
    lines[False] = (2 * GIB, 80 * GIB)
    settings = [card["set"] for card in dry_run(with_parts(EXPERIMENT, train={"batch": 100}))["cards"]]
    assert settings == [
        ["train.checkpointing=true", "train.chunk=78"],
        ["train.checkpointing=true"],
        ["train.checkpointing=true"],
    ]
    lines[True] = (90 * GIB, GIB)
    assert [card["set"] for card in dry_run(EXPERIMENT)["cards"]] == [None, None, None]


def test_a_method_that_decides_by_values_cannot_be_counted():
    experiment = tiny("msrvtt", "center_clip", frozen="nothing", batch=8)
    with pytest.raises(ValueError, match="center_clip: what a step does depends on values"):
        step(experiment, 2)
