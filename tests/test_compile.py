"""A compiled step is the plain one, faster: the same loss and gradients, also of what is dropped."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from lightning_fabric import Fabric

from stan import temporal
from stan import train as training
from stan.gradients import backward
from stan.models.clip import TINY_CONFIG, from_config
from stan.models.dual_encoder import DualEncoder
from stan.recipe import Objective, freeze
from stan.train import COMPILERS, check
from tests.tiny_experiment import tiny

EXPERIMENT = tiny(temporal="stan", frozen="nothing", temperature=0.2, compile=True)


def gradients(compiled: bool) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Of a CLIP of one block in each tower: compiling takes as long as a model is deep."""
    config = json.loads(TINY_CONFIG.read_text())
    for tower in ("vision_cfg", "text_cfg"):
        config[tower]["layers"] = 1
    torch.manual_seed(0)
    clip = from_config(config)
    model = DualEncoder(clip, temporal.build("stan", clip, 2, {"layers": 1}))
    model.temporal.layers[0].intra_frame.drop_path.rate = 0.5
    freeze(model, EXPERIMENT.train)
    batch = {"video": torch.randn(4, 2, 3, 48, 48), "text": torch.randint(9, (4, 6))}
    objective = Objective(model).train()
    fabric = Fabric(accelerator="cpu", devices=1)
    objective = fabric.setup_module(torch.compile(objective) if compiled else objective)
    loss = backward(fabric, objective, model, batch, EXPERIMENT.train, seed=3)
    return loss, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.skipif(not any(map(shutil.which, COMPILERS)), reason="no C++ compiler here")
def test_compiled_is_plain():
    (plain_loss, plain), (loss, compiled) = gradients(False), gradients(True)
    torch.testing.assert_close(loss, plain_loss, rtol=1e-5, atol=1e-6)
    assert compiled.keys() == plain.keys() and len(plain) > 20
    for name in plain:
        torch.testing.assert_close(compiled[name], plain[name], rtol=1e-3, atol=1e-5, msg=name)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0


def test_without_a_compiler_it_is_refused(monkeypatch):
    monkeypatch.setattr(training.shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="needs a C\\+\\+ compiler"):
        check(EXPERIMENT)
