"""Retrieval rivals' settings in training: chunk by chunk the gradients of all clips at once, to every new parameter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric

from stan.config import ModelConfig
from stan.models.dual_encoder import build
from stan.training.chunked_backward import backward
from stan.training.objective import Objective
from tests.support.tiny_experiment import tiny

CAPTIONS = ["a red square", "a circle", "two stars moving up", "a blue star"]
KINDS = {
    "resampled": (
        "temporal_difference",
        "temporal_alignment",
        {"resampled": True},
        {"loss": "contrastive-mean"},
    ),
    "dropped": ("mean", "tight_transformer", {"dropout": 0.3}, {}),
    "tokens": (
        "sequence_transformer",
        "token_interaction",
        {"padded_as_zero": True},
        {"decorrelation": 0.1, "decorrelation_off_diagonal": 0.01, "decorrelated": "weighed-tokens"},
    ),
}


@pytest.fixture(autouse=True)
def double():
    """What fabric hands on in 64 bits has torch's default type."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def gradients(kind: str, chunk: int):
    temporal, similarity, options, recipe = KINDS[kind]
    torch.manual_seed(0)
    model = build(ModelConfig(temporal=temporal, similarity=similarity, similarity_options=options), 3)
    fabric = Fabric(accelerator="cpu", devices=1, precision="64-true")
    train = replace(tiny(temporal=temporal, frozen="nothing", temperature=0.2, **recipe).train, chunk=chunk)
    video = torch.randn(4, 3, 3, 48, 48, generator=torch.Generator().manual_seed(1))
    objective = fabric.setup(Objective(model).train())
    batch = {"video": video, "text": model.clip.tokenize(CAPTIONS, 12)}
    loss = backward(fabric, objective, model, batch, train, seed=7)
    return loss, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_chunks_have_the_gradients_of_the_batch(kind):
    loss, expected = gradients(kind, 0)
    found_loss, found = gradients(kind, 3)
    torch.testing.assert_close(found_loss, loss)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-9, atol=1e-12, msg=name)
    of_score = [name for name in expected if name.startswith("score.")]
    assert of_score and all(expected[name].any() for name in of_score)
