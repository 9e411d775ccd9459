"""A suite and a temporal method in; an experiment of seconds out, on the smallest world, with a random CLIP."""

from __future__ import annotations

from typing import Any

from stan.config import DataConfig, Experiment, ModelConfig, TrainConfig


def tiny(suite: str = "retrieval", temporal: str = "mean", row: str = "row", **train: Any) -> Experiment:
    options = {"layers": 2} if temporal == "stan" else {}
    return Experiment(
        "study",
        row,
        DataConfig(suite=suite, size="tiny", frames=4),
        ModelConfig(pretrained="random", temporal=temporal, options=options),
        TrainConfig(**{"epochs": 1, "batch": 8} | train),
    )
