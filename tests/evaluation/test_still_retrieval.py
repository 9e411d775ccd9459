"""Stills found by their captions: a CLIP as its shipped record says, any model by videos that stand still."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import stan
from stan.common.paths import ASSETS
from stan.config import ModelConfig
from stan.evaluation import metrics, still_retrieval
from stan.models.dual_encoder import build


@pytest.mark.slow
@pytest.mark.parametrize(("backbone", "file"), [("tiny", "tiny_clip"), ("tiny-averaging", "tiny_averaging")])
def test_mean_pooling_finds_stills_as_the_shipped_clip_does(backbone, file):
    record = json.loads((ASSETS / "weights" / f"{file}.json").read_text())
    model = build(ModelConfig(backbone, temporal="mean"), 8)
    found = still_retrieval.retrieve(model, *still_retrieval.unseen_stills(model.clip))
    recall = metrics.recall(found["t2v"])
    assert recall["N"] == still_retrieval.STILLS
    assert recall["R@1"] == pytest.approx(record["unseen_stills"]["text_to_image"]["R@1"], abs=0.3)
    assert metrics.recall(found["v2t"])["R@1"] == pytest.approx(
        record["unseen_stills"]["image_to_text"]["R@1"], abs=0.3
    )


@pytest.mark.parametrize("name", ["stan", "x_clip", "sequence_transformer", "temporal_shift"])
def test_a_still_is_a_video_of_equal_frames(name):
    model = build(ModelConfig(temporal=name), 4).eval()
    images = torch.randn(3, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    ids = model.clip.tokenize(["a red star", "a blue ring", "a circle"], 12)
    with torch.no_grad():
        videos = model.encode_video(images[:, None].expand(-1, 4, -1, -1, -1))
        scores = model.similarity(model.encode_text(ids), videos)
        ours = still_retrieval._standing_still(model, images)
    assert torch.allclose(ours.video, videos.video, atol=1e-5)
    ranks, _ = metrics.retrieval_ranks(scores.double().numpy())
    found = still_retrieval.retrieve(model.train(), images, ids)
    assert np.array_equal(found["t2v"], ranks) and model.training


def test_stills_of_equal_content_are_one():
    model = stan.load_model("clip-tiny")
    _, ids, names = still_retrieval.captioned_stills(model.clip, 300, seed=3)
    assert len(ids) == len(names) == 300
    assert len(set(names.tolist())) < 300  # some show the same in other words
