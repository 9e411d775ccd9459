"""Weights between two CLIPs: by hand, and back again; gradients are those at the weights in between."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric

from stan.config import Experiment, ModelConfig
from stan.models import checkpoint, factory
from stan.models.backbones import load_clip
from stan.models.dual_encoder import build
from stan.models.weight_interpolation import between, changed, distance, moved_back, started_from, trained
from stan.training.chunked_backward import backward
from stan.training.objective import Objective
from stan.training.optim import freeze
from tests.support.tiny_experiment import tiny

WEIGHT = "visual.transformer.resblocks.0.mlp.c_fc.weight"


@pytest.fixture
def pair():
    """Two CLIPs on `tiny`, of which the first was trained: one of its weights is 2 everywhere, the other's 1."""
    experiment = tiny(frozen="nothing")
    ours, start = (build(replace(experiment.model, pretrained=None), 4) for _ in range(2))
    with torch.no_grad():
        ours.clip.get_parameter(WEIGHT).fill_(2)
        start.clip.get_parameter(WEIGHT).fill_(1)
        ours.clip.logit_scale.fill_(7)
    return ours, start


def test_only_what_was_trained_goes_back_and_comes_again(pair):
    ours, start = pair
    way = changed(ours.clip, start.clip)
    assert list(way) == [WEIGHT]  # the logit scale is no weight of a tower
    assert distance(ours.clip, way) == pytest.approx(1.0)  # from 1 to 2, each of them
    before = {name: tensor.clone() for name, tensor in ours.state_dict().items()}
    for share, value in ((0.0, 2.0), (0.25, 1.75), (1.0, 1.0)):
        with moved_back(ours.clip, way, share):
            assert (ours.clip.get_parameter(WEIGHT) == value).all()
    with pytest.raises(KeyError), moved_back(ours.clip, way, 0.5):
        raise KeyError
    assert all(torch.equal(tensor, before[name]) for name, tensor in ours.state_dict().items())


def test_a_model_all_the_way_back_is_its_clip(pair):
    ours, start = pair
    video = torch.randn(2, 4, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), moved_back(ours.clip, changed(ours.clip, start.clip), 1.0):
        assert torch.equal(ours.eval().encode_video(video).video, start.eval().encode_video(video).video)


@pytest.mark.parametrize("chunk", [0, 2])
def test_gradients_are_those_at_the_weights_between(pair, chunk):
    ours, start = pair
    recipe = tiny(frozen="nothing", chunk=chunk).train
    batch = {
        "video": torch.randn(4, 4, 3, 48, 48),
        "text": ours.clip.tokenize(["a", "red", "blue", "star"], 12),
    }
    gradients = []
    for value, share in ((1.75, 0.0), (2.0, 0.25)):
        with torch.no_grad():
            ours.clip.get_parameter(WEIGHT).fill_(value)
        freeze(ours, recipe)
        ours.zero_grad()
        fabric = Fabric(accelerator="cpu", devices=1)
        objective = fabric.setup_module(Objective(ours))
        with moved_back(ours.clip, changed(ours.clip, start.clip), share):
            backward(fabric, objective, ours, batch, recipe, 0, weight=0.5 if share else 1.0)
        gradients.append({name: p.grad.clone() for name, p in ours.named_parameters() if p.grad is not None})
    at, between = gradients
    assert len(at) > 50 and at.keys() == between.keys()
    for name in at:
        assert torch.allclose(between[name], 0.5 * at[name], rtol=1e-4, atol=1e-7), name


def test_what_is_frozen_is_not_on_the_way():
    experiment = tiny(frozen="vision")
    model = build(experiment.model, 4)
    freeze(model, experiment.train)
    assert {name.partition(".")[0] for name in trained(model.clip)} == {"text"}


def test_random_weights_know_nothing():
    with pytest.raises(ValueError, match="started from random weights"):
        started_from(tiny())


def test_a_checkpoints_tensors_go_back_by_either_of_their_names():
    start = {"visual.proj": torch.zeros(2), "logit_scale": torch.tensor(1.0)}
    state = {"encoder.clip.visual.proj": torch.full((2,), 4.0), "encoder.clip.logit_scale": torch.tensor(3.0)}
    state |= {"visual.proj": torch.full((2,), 8.0), "encoder.temporal.proj": torch.ones(2)}
    found = between(state, start, 0.25)
    assert {name: tensor.tolist() for name, tensor in found.items()} == {
        "encoder.clip.visual.proj": [3, 3], "encoder.clip.logit_scale": 3,
        "visual.proj": [6, 6], "encoder.temporal.proj": [1, 1],
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"visual.proj is \(3,\), and \(2,\) in the CLIP to go back to"):
        between({"visual.proj": torch.zeros(3)}, start, 0.5)
    with pytest.raises(ValueError, match="no weights of a CLIP's towers"):
        between({"temporal.proj": torch.zeros(3)}, start, 0.5)
    with pytest.raises(ValueError, match="a share of -1"):
        between(state, start, -1)


@torch.no_grad()
def test_weights_are_exported_between(tmp_path, pair):
    ours, _ = pair
    recipe = Experiment("a", "b", model=ModelConfig(temporal="mean"))
    factory.save_model(tmp_path / "run.safetensors", ours, recipe)
    factory.export(tmp_path / "run.safetensors", tmp_path / "fitted.safetensors", temperature=0.04)
    factory.export(tmp_path / "fitted.safetensors", tmp_path / "between.safetensors", clip_share=0.25)
    found = factory.load_model(tmp_path / "between.safetensors")
    own = load_clip("tiny")
    expected = 0.75 * 2 + 0.25 * own.get_parameter(WEIGHT)
    assert (
        torch.equal(found.clip.get_parameter(WEIGHT), expected.half().float()) and found.temperature is None
    )
    assert torch.equal(
        found.clip.visual.proj, own.visual.proj
    )  # nothing changed it; it is shipped in half precision
    factory.export(
        tmp_path / "between.safetensors", tmp_path / "again.safetensors", clip_share=0.5, clip="tiny"
    )
    told = checkpoint.metadata(tmp_path / "again.safetensors")["clip_share"]
    assert told == pytest.approx(1 - 0.75 * 0.5)


def test_released_weights_do_not_tell_where_they_started(tmp_path):
    released = tmp_path / "released.safetensors"
    checkpoint.save(released, {"visual.proj": torch.zeros(2, 2)}, {"converted": {}})
    with pytest.raises(ValueError, match=r"released.safetensors doesn't tell which CLIP.*--clip"):
        factory.export(released, tmp_path / "out.safetensors", clip_share=0.5)
    assert not (tmp_path / "out.safetensors").exists()
