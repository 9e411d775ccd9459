"""Calls of the public API in, the types that `ty check` must find for them out; never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import numpy as np
import pandas as pd
from torch import Tensor

import stan
from stan.config import DataConfig, Experiment, ModelConfig, TrainConfig, from_dict, to_dict, with_parts
from stan.evaluation.statistics import Change
from stan.explain import Attention, Explanation, Faithfulness, Map
from stan.library import Entry, Filters, Library, Results
from stan.models.dual_encoder import DualEncoder
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput


def embed_and_compare() -> None:
    """The README's first lines."""
    model = stan.load_model("stan-tiny")
    assert_type(model, DualEncoder)
    video = model.encode_video("clip.mp4")
    assert_type(video, VideoOutput)
    assert_type(video.frames, Tensor)
    text = model.encode_text(["a red circle moves to the left"])
    assert_type(text, TextOutput)
    assert_type(text.text, Tensor)
    assert_type(model.similarity(text, video), Tensor)
    assert_type(model.frames, int)
    assert_type(model.temperature, float | None)
    stan.save_model(Path("model.safetensors"), model, Experiment("own", "mine"))


def configure_and_train() -> None:
    own = stan.Experiment(
        "own",
        "mine",
        DataConfig(suite="motions", size="tiny"),
        ModelConfig(temporal="stan", options={"layers": 2}),
        TrainConfig(epochs=1),
        test_time=("dsl",),
    )
    assert_type(own, Experiment)
    assert_type(own.hash, str)
    assert_type(own.data.root, str | None)
    assert_type(own.model.options, dict[str, Any])
    assert_type(with_parts(own, train={"epochs": 2}), Experiment)
    assert_type(from_dict(to_dict(own)), Experiment)
    assert_type(stan.config.to_dict(own), dict[str, Any])
    assert_type(stan.experiments.study("components", "motions", "tiny"), list[Experiment])
    assert_type(stan.train.train(own, "runs", devices=2), Path)


def read_results(run: Path) -> None:
    runs = stan.results.load(["runs", Path("more")], shipped=True)
    assert_type(runs, pd.DataFrame)
    assert_type(stan.results.summary(runs, "t2v.R@1"), pd.DataFrame)
    assert_type(stan.results.change_between(runs, runs, "t2v.R@1"), Change)
    assert_type(stan.results.read(run), dict[str, Any])
    evaluation, ranks = stan.evaluate.evaluate(run, test_time=["dsl"])
    assert_type(evaluation, dict[str, Any])
    assert_type(ranks, dict[str, np.ndarray])
    assert_type(stan.published.tables(), dict[str, pd.DataFrame])


def measure(similarity: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    text, video = stan.metrics.retrieval_ranks(similarity)
    assert_type(text, np.ndarray)
    assert_type(stan.metrics.recall(video), dict[str, float])
    change = stan.statistics.paired(a, b, statistic=np.median)
    assert_type(change, Change)
    assert_type(change.low, float)
    assert_type(stan.statistics.bootstrap(a), tuple[float, float, float])


def search(model: DualEncoder) -> None:
    library = stan.Library("libraries/mine", model)
    assert_type(library, Library)
    assert_type(library.add("videos", lambda done, total, name: None), dict[str, Any])
    found = library.search("2:a red circle - striped", top=5, where=Filters())
    assert_type(found, Results)
    assert_type(found[0], dict[str, Any])
    assert_type(found.no_match, bool)
    assert_type(library.similar(Path("clip.mp4"), start=1.5), Results)
    assert_type(library.recognise("clip.mp4", ["running", "jumping"]), dict[str, Any])
    for entry in library.entries():
        assert_type(entry, Entry)
        assert_type(entry.duration, float)


def explain(model: DualEncoder) -> None:
    explanation = stan.explain.explain(model, "clip.mp4", "a red circle moves to the left")
    assert_type(explanation, Explanation)
    assert_type(explanation.default, Map)
    assert_type(explanation.default.faithfulness, Faithfulness)
    assert_type(explanation.default.faithfulness["better"], bool)
    assert_type(explanation.difference, np.ndarray | None)
    maps = stan.explain.attention(model, Path("clip.mp4"), frames=4)
    assert_type(maps, Attention)
    assert_type(maps.temporal, np.ndarray | None)
