"""On a SigLIP, an EVA-02 and a tower that averages patches, with random weights: train, test, search, recognise,
explain.
"""

from dataclasses import replace

import numpy as np
import pytest

import stan
from stan.config import ModelConfig
from stan.explain import explain
from stan.library import Library
from stan.results.evaluate import evaluate
from stan.training.trainer import train
from tests.support.tiny_experiment import tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture(scope="module", params=["tiny-siglip", "tiny-eva", "tiny-averaging"])
def run(request, tmp_path_factory, worlds):
    model = ModelConfig(request.param, "random", "stan", {"layers": 2})
    wanted = replace(tiny("retrieval", "stan"), model=model)
    return train(wanted, tmp_path_factory.mktemp("runs"), worlds)


@pytest.fixture(scope="module")
def videos(worlds, run):  # the run has written its world
    return next(worlds.glob("retrieval*")) / "videos" / "test"


def test_a_run_is_tested_again_to_the_same_numbers(run, worlds):
    recorded = stan.results.read(run)["evaluation"]["metrics"]
    again, _ = evaluate(run, worlds_root=worlds)
    assert again["metrics"] == recorded


def test_a_library_is_searched_by_words_and_by_example(run, videos, tmp_path):
    library = Library(tmp_path / "library", run)
    count = library.add(videos)["indexed"]
    assert count == len(list(videos.glob("*.mp4")))
    found = library.search("a red square moves to the left", top=count)
    scores = [hit["score"] for hit in found]
    assert len({hit["id"] for hit in found}) == count and scores == sorted(scores, reverse=True)
    model = stan.load_model(run)
    text, video = model.encode_text("a red square moves to the left"), model.encode_video(found[0]["video"])
    assert model.similarity(text, video).item() == pytest.approx(
        scores[0], abs=2e-3
    )  # vectors in half precision
    (nearest, *_) = library.similar(found[0]["id"])
    assert nearest["id"] != found[0]["id"]


def test_recognition_names_every_label(run, videos, tmp_path):
    library = Library(tmp_path / "library", run)
    labels = ["a circle", "a square", "a star"]
    told = library.recognise(sorted(videos.glob("*.mp4"))[0], labels, top=3)["labels"]
    assert {one["label"] for one in told} == set(labels)
    assert sum(one["probability"] for one in told) == pytest.approx(1, abs=1e-5)


def test_explanation_maps_cover_the_patches(run, videos):
    model = stan.load_model(run)
    explained = explain(model, sorted(videos.glob("*.mp4"))[0], "a red square")
    assert explained.maps
    for one in explained.maps.values():
        assert one.values.shape[1:] == model.clip.grid and np.isfinite(one.values).all()
