"""A compiled model embeds, learns and is saved as the plain one; torch traces all of it here, one layer becomes C++.

Tracing is where a compiled model may come to do something else: draw, drop or break off. Generating code
takes a compiler many seconds for every kind of block; one layer has all that the others have.
"""

from __future__ import annotations

import copy
import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend

from stan import results
from stan.config import ModelConfig, with_parts
from stan.models import checkpoint
from stan.models.dual_encoder import DualEncoder, build
from stan.models.temporal.dropout import share
from stan.training import trainer as training
from stan.training.compile import compile_blocks
from tests.support.tiny_experiment import tiny

CLIPS = 3
CLOSE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(autouse=True)
def afresh(tmp_path, monkeypatch):
    """Nothing compiled is left over, neither here nor on the disk."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    limit = torch._dynamo.config.recompile_limit
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()
    torch._dynamo.config.recompile_limit = limit


def tiny_stan(dropped: float) -> DualEncoder:
    """Nothing in it starts at zero; its last layer drops this share of the residuals."""
    torch.manual_seed(0)
    model = build(ModelConfig(pretrained="random", options={"layers": 2, "drop_path": dropped}), 2)
    for layer in model.temporal.layers:
        nn.init.normal_(layer.cross_frame.temporal_fc.weight, std=0.1)
    return model.train()


def step(model: DualEncoder) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Embedded videos, embedded texts, and the gradients of what they have in common."""
    generator = torch.Generator().manual_seed(1)
    video = torch.randn(CLIPS, 2, 3, 48, 48, generator=generator)
    ids = model.clip.tokenize(["a red square", "a circle", "two stars"], 12)
    torch.manual_seed(5)
    with share(CLIPS, CLIPS, 3 * CLIPS):  # the second of three shares
        videos, texts = model.encode_video(video).video, model.encode_text(ids).text
        (texts * videos).sum(1).exp().mean().backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return videos.detach(), texts.detach(), gradients


@pytest.mark.slow
@pytest.mark.parametrize("dropped", [0, 0.5], ids=["whole", "dropping"])
def test_outputs_and_gradients_are_the_plain_ones(dropped):
    model = tiny_stan(dropped)
    expected = step(model)
    other, counted = copy.deepcopy(model), CompileCounterWithBackend("aot_eager")
    compile_blocks(other, counted)
    videos, texts, gradients = step(other)
    # one graph for all blocks of a tower, and one for each branch layer, broken off where something is dropped
    assert counted.frame_count == 4 if dropped == 0 else counted.frame_count > 4
    torch.testing.assert_close(videos, expected[0], **CLOSE)
    torch.testing.assert_close(texts, expected[1], **CLOSE)
    assert gradients.keys() == expected[2].keys() and len(gradients) > 50
    for name, gradient in expected[2].items():
        torch.testing.assert_close(gradients[name], gradient, **CLOSE, msg=name)
    assert max(gradient.abs().max() for gradient in gradients.values()) > 1e-2
    assert list(other.state_dict()) == list(model.state_dict())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_layers_generated_code_gives_the_plain_outputs_and_gradients():
    model = tiny_stan(dropped=0)
    other = copy.deepcopy(model)
    compile_blocks(other)  # of which only the layer that is called
    generator = torch.Generator().manual_seed(2)
    width, frames = model.clip.width, 2
    cls = torch.randn(CLIPS, 1, width, generator=generator)
    patches = torch.randn(CLIPS, frames, model.clip.patches, width, generator=generator)
    found = []
    for layer in (model.temporal.layers[0], other.temporal.layers[0]):
        outputs = layer(cls, patches, None)
        sum(output.square().mean() for output in outputs).backward()
        found.append((*outputs, *(p.grad for p in layer.parameters() if p.grad is not None)))
        layer.zero_grad()
    assert len(found[0]) == len(found[1]) > 10
    for plain, compiled in zip(*found, strict=True):
        torch.testing.assert_close(compiled, plain, **CLOSE)


@pytest.mark.slow
def test_a_compiled_run_has_the_plain_ones_losses_and_names(tmp_path, monkeypatch):
    """Rounding alone may differ, and AdamW's steps pass it on: as near as on another number of processes."""
    monkeypatch.setattr(training, "compile_blocks", partial(compile_blocks, backend="eager"))
    plain = with_parts(
        tiny("motions", "stan", frozen="nothing", epochs=2, lr=3e-4, clip_lr_ratio=1.0),
        model={"options": {"layers": 1}},  # each further layer would be traced as this one
    )
    compiled = with_parts(plain, train={"compile": True})
    assert compiled.id == plain.id
    folders = [
        training.train(one, tmp_path / name, tmp_path / "worlds", accelerator="cpu")
        for name, one in (("plain", plain), ("compiled", compiled))
    ]
    losses = [results.history(folder)["loss"].dropna() for folder in folders]
    assert len(losses[0]) == 6
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    names = [list(checkpoint.load(folder / training.CHECKPOINT)[0]) for folder in folders]
    assert names[0] == names[1]
    assert [_said(folder)["compile"] for folder in folders] == [False, True]


def _said(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())["train"]
