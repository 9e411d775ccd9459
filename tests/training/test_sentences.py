"""What a step of recognition compares its videos with: every class, or a sentence for each of its own videos."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric

from stan.config import ModelConfig, TrainConfig
from stan.models.dual_encoder import build
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput
from stan.training.checks import check
from stan.training.losses import info_nce, kl_divergence
from stan.training.objective import loss_of
from stan.training.trainer import train
from tests.support.tiny_experiment import tiny


@pytest.mark.parametrize(("loss", "compare"), [("kl", kl_divergence), ("cross-entropy", info_nce)])
def test_sentences_of_the_videos_are_pairs_of_which_equal_classes_are_equal(loss, compare):
    torch.manual_seed(0)
    model = build(ModelConfig(pretrained="random", temporal="mean"), 2)
    vectors, frames = torch.randn(3, 64), torch.randn(3, 2, 64)
    text = TextOutput(vectors[:, None], vectors, torch.ones(3, 1, dtype=torch.bool))
    video = VideoOutput(frames, frames.mean(1), torch.ones(3, 2, dtype=torch.bool))
    label = torch.tensor([1, 0, 1])  # their sentences differ all the same
    batch = {"text": torch.tensor([[1], [2], [3]]), "label": label, "twin_label": torch.full((3,), -1)}
    recipe = TrainConfig(loss=loss, sentences="video")
    found = loss_of(Fabric(accelerator="cpu", devices=1), model, text, video, batch, recipe)
    similarity = model.similarity(text, video) / recipe.temperature
    expected = compare(similarity, label[:, None] == label[None])
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_what_no_run_can_have():
    with pytest.raises(ValueError, match="train.sentences is 'clip'; it can be class, video"):
        check(tiny(sentences="clip"))
    with pytest.raises(ValueError, match="compares a video with every class: set train.sentences to class"):
        check(tiny(sentences="video", twins=1.0))


@pytest.mark.slow
def test_a_run_as_actionclips_authors_train_and_test(tmp_path, runs_root):
    recipe = tiny("motions", "actionclip", loss="kl", sentences="video", chunk=3)
    data = replace(recipe.data, templates="actionclip", template_average="probabilities")
    experiment = replace(recipe, data=data)
    evaluation = json.loads((train(experiment, runs_root, tmp_path / "worlds") / "eval.json").read_text())
    assert 0 <= evaluation["metrics"]["top-1"] <= 100 and experiment.hash != recipe.hash
