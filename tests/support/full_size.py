"""An experiment in; one step of its training and one clip of its testing at full size, with random weights, out."""

from __future__ import annotations

import math
import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from stan.config import Experiment, with_parts
from stan.data import label_sets
from stan.data.datasets import VideoItem, VideoSet, task
from stan.data.loader import Loader
from stan.evaluation.measure import measure
from stan.models.dual_encoder import DualEncoder, build
from stan.training.chunked_backward import backward
from stan.training.mixing import mixed
from stan.training.objective import Objective
from stan.training.optim import freeze, optimizer, parameter_groups
from tests.support.small_clips import write_clip

CLIPS = 2


def steps(experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Train one step on two made clips, and test one of them in one view.

    {"loss", "moved": share of the trained tensors that the step changed, "metrics", "train_seconds", "test_seconds",
    "peak": most bytes of the process}. Precision is float32: half precision is slow on a CPU.
    """
    torch.manual_seed(0)
    one = with_parts(experiment, train={"precision": "32-true"})
    model = build(replace(one.model, pretrained="random"), one.data.frames)
    freeze(model, one.train)
    began = time.monotonic()
    found = _trained(
        one, model, Loader(_made(one, folder, CLIPS), model.clip.preprocessing, one.data, augment=True)
    )
    trained = time.monotonic()
    testing = Loader(_made(one, folder, 1), model.clip.preprocessing, one.data)
    found["metrics"] = measure(model, testing).metrics
    found |= {"train_seconds": trained - began, "test_seconds": time.monotonic() - trained}
    return found | {"peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}


def _trained(one: Experiment, model: DualEncoder, training: Loader) -> dict[str, Any]:
    recipe = one.train
    draw = None if one.data.augmentation == "none" else (0, 0)
    batch = training.batch(range(CLIPS), draw)
    if "label" in batch:
        own = recipe.sentences == "video"
        texts = training.own_texts(np.arange(CLIPS), (0, 0)) if own else training.class_texts((0, 0, 0))
        batch = mixed(batch | {"text": texts}, recipe, seed=0)
    fabric = Fabric(accelerator="cpu", devices=1)
    objective = fabric.setup_module(Objective(model).train())
    descent = optimizer(parameter_groups(model, recipe), recipe)
    weights = [p for p in model.parameters() if p.requires_grad]
    before = [p.detach().clone() for p in weights]
    loss = backward(fabric, objective, model, batch, recipe, seed=0).item()
    assert math.isfinite(loss)
    descent.step()
    moved = sum(not torch.equal(*pair) for pair in zip(weights, before, strict=True))
    return {"loss": loss, "moved": moved / len(weights)}


def _made(one: Experiment, folder: Path, count: int) -> VideoSet:
    """Return clips of a moving square in a real video's size, each with a caption or a class."""
    suite, kind = one.data.suite, task(one.data.suite)
    clips = []
    for i in range(count):
        path = folder / f"{i}.mp4"
        if not path.exists():
            write_clip(path, (220 * (1 - i), 30, 220 * i), 2 * one.data.frames, size=(240, 320))
        said = {"captions": (("red", "blue")[i] + " square moves",)} if kind == "retrieval" else {"label": i}
        clips.append(VideoItem(str(i), path, **said))
    classes = tuple(f"doing number {i}" for i in range(label_sets.count(suite)))
    return VideoSet(suite, "train", kind, tuple(clips), classes)
