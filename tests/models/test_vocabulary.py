"""A token embedding of which a file keeps the rows that were read."""

import shutil

import pytest
import torch

import stan
from stan.config import Experiment, ModelConfig
from stan.data import label_sets, prompts
from stan.data.world import suites
from stan.models import checkpoint, factory
from stan.models.backbones import load_clip, shipped_weights
from stan.models.dual_encoder import build
from stan.models.vocabulary import EMBEDDING, thinned, whole


def test_rows_that_were_read_come_back_exactly_and_the_others_are_noise_of_the_same_size():
    embedding = torch.randn(49408, 4) * 0.0181
    state = {f"clip.{EMBEDDING}": embedding, "other": torch.ones(2)}
    again = whole(thinned(state, [7, 3, 7, 49407]))
    assert again.keys() == state.keys() and torch.equal(again["other"], state["other"])
    found = again[f"clip.{EMBEDDING}"]
    assert torch.equal(found[[3, 7, 49407]], embedding[[3, 7, 49407]])
    assert found.std().item() == pytest.approx(embedding.std().item(), rel=0.02)
    assert found.mean().item() == pytest.approx(0, abs=1e-4)


def test_the_noise_is_the_same_for_ever():
    drawn = whole(thinned({EMBEDDING: torch.zeros(49408, 3)}, []))[EMBEDDING]
    steps = (drawn[[0, 1, 49407]] * 2**12 + 127.5).int().tolist()
    assert steps == [[161, 90, 191], [71, 119, 24], [66, 93, 145]]
    assert torch.equal(drawn.half().float(), drawn)  # half precision loses nothing


def test_a_state_with_all_rows_stays_as_it_is():
    state = {EMBEDDING: torch.randn(10, 2)}
    assert whole(state) == state


def test_the_shipped_weights_keep_every_word_that_the_project_says():
    kept = set(checkpoint.kept_words(shipped_weights("tiny")))
    assert kept == set(checkpoint.kept_words(factory.STAN_TINY_WEIGHTS))
    said = {template.replace("{}", "") for one in prompts.TEMPLATES.values() for template in one}
    said |= {*label_sets.unrelated(), *suites.labels("scenes")}
    for suite in suites.SUITES:
        said |= {caption for plan in suites.plans(suite, "tiny") for caption in plan.captions()}
    assert set(load_clip("tiny", "random").tokenize(sorted(said)).unique().tolist()) <= kept
    assert shipped_weights("tiny").stat().st_size + factory.STAN_TINY_WEIGHTS.stat().st_size < 2.5e6


@torch.no_grad()
def test_a_run_on_the_tiny_clip_is_exported_without_words_that_it_never_read(tmp_path):
    model = build(ModelConfig(temporal="mean"), 8).eval()
    model.clip.visual.requires_grad_(False)
    model.clip.text.token_embedding.weight.mul_(0.9)
    stan.save_model(
        tmp_path / "run.safetensors", model, Experiment("a", "b", model=ModelConfig(temporal="mean"))
    )
    factory.export(tmp_path / "run.safetensors", tmp_path / "small.safetensors")
    assert (tmp_path / "small.safetensors").stat().st_size < 1.2e6
    again = stan.load_model(tmp_path / "small.safetensors")
    expected = model.encode_text("a red circle moves up").text
    torch.testing.assert_close(again.encode_text("a red circle moves up").text, expected, rtol=0, atol=5e-3)


def test_a_file_with_few_rows_serves_as_pretrained(tmp_path):
    shutil.copy(shipped_weights("tiny"), tmp_path / "mine.safetensors")
    one, other = (
        load_clip("tiny").state_dict(),
        load_clip("tiny", str(tmp_path / "mine.safetensors")).state_dict(),
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_run_of_0_1_that_trained_neither_tower_still_finds_its_backbone(tmp_path):
    """Its record names the tiny CLIP by what words that it never read had for rows then."""
    model = build(ModelConfig(options={"layers": 1}), 8)
    model.clip.requires_grad_(False)
    model.logit_scale.requires_grad_(True)
    path = tmp_path / "run.safetensors"
    stan.save_model(path, model, Experiment("a", "b", model=ModelConfig(options={"layers": 1})))
    tensors, metadata = checkpoint.load(path)
    assert metadata["backbone"] in checkpoint.FORMER_NAMES
    former = metadata | {"backbone": checkpoint.FORMER_NAMES[metadata["backbone"]]}
    checkpoint.save(path, tensors, former)
    stan.load_model(path)
    checkpoint.save(path, tensors, metadata | {"backbone": "0123456789abcdef"})
    with pytest.raises(ValueError, match="other weights of tiny"):
        stan.load_model(path)
