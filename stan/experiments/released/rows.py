"""A rival's settings in; its row, an experiment with its source and printed numbers, out."""

from __future__ import annotations

from typing import Any

from stan.config import DataConfig, Experiment, ModelConfig, TrainConfig
from stan.data import label_sets
from stan.experiments.paper_rows import Benchmark

STUDY = "released"

TITLES = {
    "msrvtt": "MSR-VTT",
    "msrvtt-7k": "MSR-VTT",
    "didemo": "DiDeMo",
    "lsmdc": "LSMDC",
    "kinetics": "Kinetics-400",
    "something": "Something-Something-v2",
    "hmdb51": "HMDB51",
    "webdataset": "pretraining",
}
"""Suites by the names that printed tables give them."""

HALF = "half precision; here bfloat16"
ALL_DECAY = "biases and norms decay, too; here only matrices"
IN_A_SENTENCE = "each class stands in a sentence; here the name alone"
DECAYING = "weight decay is for all parameters; here not for biases, norms and gains"
THREE_CLIPS = "three clips of one crop are tested; here one clip of three crops"
TESTED_IN_SOFTMAX = "views are averaged as probabilities; here as logits"
TRAINING = ("batch", "lr", "weight_decay", "schedule", "warmup", "clip_gradient", "temperature")
"""The settings of a training, for sources that release none."""


def segments(apart: int) -> str:
    return f"frames lie {apart} apart from a random start on; here one in each segment of the video"


def row(
    name: str,
    data: DataConfig,
    model: ModelConfig,
    train: TrainConfig,
    source: str,
    printed: tuple[str, str] = ("released", ""),
    views: tuple[str, ...] = (),
    unstated: tuple[str, ...] = (),
    differs: tuple[str, ...] = (),
) -> Benchmark:
    """Return a row. printed: (table, row) of its printed numbers."""
    experiment = Experiment(STUDY, name, data, model, train, test_time=views)
    table, label = printed
    return Benchmark(
        experiment, table, TITLES[data.suite], label, "released", unstated, source=source, differs=differs
    )


def captions(suite: str, frames: int = 12, words: int = 32, augmentation: str = "none") -> DataConfig:
    return DataConfig(suite, "full", frames, words, augmentation=augmentation)


def classes(suite: str, augmentation: str, frames: int = 8) -> DataConfig:
    return DataConfig(suite, "full", frames, 32, augmentation=augmentation)


def cosine(backbone: str, temporal: str, **options: Any) -> ModelConfig:
    return scored(backbone, temporal, "cosine", {}, **options)


def scored(
    backbone: str, temporal: str, similarity: str, scoring: dict[str, Any], **options: Any
) -> ModelConfig:
    return ModelConfig(backbone, "openai", temporal, options, similarity, scoring)


def classifier(backbone: str, temporal: str, suite: str, **options: Any) -> ModelConfig:
    return scored(backbone, temporal, "linear_classifier", {"classes": label_sets.count(suite)}, **options)


def embedding_classifier(backbone: str, temporal: str, suite: str, **options: Any) -> ModelConfig:
    """Return a classifier of what a method makes of CLIP's embeddings, behind its projection."""
    scoring = {"classes": label_sets.count(suite), "before_projection": False}
    return scored(backbone, temporal, "linear_classifier", scoring, **options)
