"""A temperature is the one of the best likelihood, errors of calibration are counted, and a checkpoint keeps it."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from stan.config import Experiment, ModelConfig
from stan.evaluation.calibration import fit, reliability, temperature_of
from stan.models.dual_encoder import build
from stan.models.factory import export, load_model, save_model


def test_labels_drawn_at_a_temperature_give_it_back():
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(20_000, 5, generator=generator)
    labels = (scores / 0.2).softmax(1).multinomial(1, generator=generator)[:, 0]
    fitted = fit(scores, labels)
    assert fitted == pytest.approx(0.2, rel=0.05)
    losses = [float(F.cross_entropy(scores / t, labels)) for t in (fitted / 1.02, fitted, fitted * 1.02)]
    assert losses[1] == min(losses)


def test_reliability_counts_the_distance_of_confidence_and_accuracy():
    # Two classes: logits (ln 3, 0) are sure to 75 %, and right in 2 of 4; (ln 9, 0) to 90 %, and right.
    scores = torch.tensor([[math.log(3), 0.0]] * 4 + [[math.log(9), 0.0]])
    found = reliability(scores, torch.tensor([0, 0, 1, 1, 0]), temperature=1.0)
    assert found["ece"] == pytest.approx(100 * (4 / 5 * 0.25 + 1 / 5 * 0.1))
    assert found["accuracy"] == pytest.approx(60) and found["confidence"] == pytest.approx(78)
    nll = -(2 * math.log(0.75) + 2 * math.log(0.25) + math.log(0.9)) / 5
    assert found["nll"] == pytest.approx(nll)
    halved = reliability(scores, torch.tensor([0, 0, 1, 1, 0]), temperature=0.5)
    assert halved["confidence"] == pytest.approx(100 * (4 * 0.9 + 81 / 82) / 5)


def test_an_exported_model_keeps_its_temperature(tmp_path):
    experiment = Experiment("own", "stan", model=ModelConfig(pretrained="random"))
    model = build(experiment.model, experiment.data.frames)
    save_model(tmp_path / "model.safetensors", model, experiment)
    assert temperature_of(load_model(tmp_path / "model.safetensors")) == (
        pytest.approx(1 / model.logit_scale.exp().item()),
        False,
    )
    export(tmp_path / "model.safetensors", tmp_path / "fitted.safetensors", 0.04)
    export(tmp_path / "fitted.safetensors", tmp_path / "again.safetensors")
    assert temperature_of(load_model(tmp_path / "again.safetensors")) == (0.04, True)
