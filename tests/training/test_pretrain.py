"""Pretraining of the tiny CLIP: repeatable, measured on what is written, and what its shipped record promises."""

import json

import numpy as np
import pytest
import torch

from stan.evaluation import linear_probe, still_retrieval
from stan.models import checkpoint
from stan.models.backbones import load_clip, shipped_weights
from stan.training import pretrain

SMALL = {"steps": 3, "batch": 16, "stills": 60, "readings": 60}


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch):
    monkeypatch.setattr(still_retrieval, "CHUNK", 60)
    monkeypatch.setattr(linear_probe.place, "__defaults__", (80,))


@pytest.mark.parametrize(
    "caption",
    ["a red star on a plain background", "this is a red star on a plain background"],
)
def test_opening_words_are_no_content(caption):
    assert still_retrieval.content_of(caption) == "a red star on a plain background"


def test_no_caption_is_cut_short():
    clip = load_clip("tiny", "random")
    longest = "a picture of a purple crescent and an orange crescent on a checkered background"
    assert (clip.tokenize(longest, still_retrieval.WORDS) == clip.tokenizer.eot_token_id).any()
    assert (clip.tokenize(longest)[0] > 0).sum() <= still_retrieval.WORDS


def test_batches_show_every_still_once_before_any_comes_again():
    seen = torch.cat(list(pretrain._batches(10, 4, 5, seed=0)))
    assert len(seen) == 20
    assert sorted(seen[:10].tolist()) == sorted(seen[10:].tolist()) == list(range(10))


@pytest.mark.slow
def test_equal_seeds_make_equal_weights_and_the_record_tells_how(tmp_path):
    steps = []
    record = pretrain.pretrain(tmp_path / "a.safetensors", **SMALL, progress=steps.append)
    again = pretrain.pretrain(tmp_path / "b.safetensors", **SMALL)
    first, second = (checkpoint.load(tmp_path / name)[0] for name in ("a.safetensors", "b.safetensors"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert record["loss"] == again["loss"] == steps[-1]["loss"]
    assert json.loads((tmp_path / "a.json").read_text())["settings"] | SMALL == record["settings"]
    assert record["unseen_stills"]["image_to_text"]["N"] > 50
    assert {len(levels) for tokens in record["probes"].values() for levels in tokens.values()} == {7}


@pytest.mark.slow
def test_pretrained_weights_load_as_a_clip(tmp_path):
    pretrain.pretrain(tmp_path / "a.safetensors", **SMALL)
    clip = load_clip("tiny", str(tmp_path / "a.safetensors"))
    stored = checkpoint.load(tmp_path / "a.safetensors")[0]
    assert all(torch.equal(clip.state_dict()[name], tensor.float()) for name, tensor in stored.items())


def test_a_probe_reads_what_is_there_and_nothing_where_nothing_is():
    generator = torch.Generator().manual_seed(0)
    targets = torch.randn(2000, 5, generator=generator)
    noise = torch.randn(2000, 8, generator=generator)
    there = linear_probe._scores(
        torch.cat([targets @ torch.randn(5, 5, generator=generator), noise], 1), targets
    )
    assert there.min() > 0.99
    assert np.abs(linear_probe._scores(noise, targets)).max() < 0.1


def test_the_shipped_clip_knows_what_but_hardly_where():
    weights = shipped_weights("tiny")
    record = json.loads(weights.with_suffix(".json").read_text())
    assert weights.stat().st_size < 16 * 2**20
    last = {
        tokens: {name: r2[-1] for name, r2 in found.items()} for tokens, found in record["probes"].items()
    }
    assert last["cls"]["x"] < last["patches"]["x"] and last["cls"]["y"] < last["patches"]["y"]
    assert record["unseen_stills"]["image_to_text"]["N"] == 1000
    assert record["provenance"]["commit"]
