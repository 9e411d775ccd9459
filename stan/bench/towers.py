"""Backbones in; how the wrapped image tower, and STAN on it, compare with open_clip's own tower, out.

Weights and frames are random; everything has its full size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stan import bench
from stan.bench.encoders import device_name, efficiency, waited
from stan.bench.flops import of_model
from stan.bench.step_memory import step
from stan.common.tensors import device_named
from stan.config import DataConfig, Experiment, ModelConfig, TrainConfig
from stan.models import backbones as models
from stan.models.dual_encoder import DualEncoder, build
from stan.models.towers import ImageTower, image_tower
from stan.results import provenance

FAMILIES = {
    "CLIP": "ViT-B-32",
    "CoCa": "coca_ViT-B-32",
    "SigLIP 2": "ViT-B-32-SigLIP2-256",
    "EVA-02": "EVA02-B-16",
    "Perception Encoder": "PE-Core-T-16-384",
    "ViTamin": "ViTamin-S",
    "MobileCLIP (ViT)": "MobileCLIP2-B",
    "MobileCLIP (FastViT)": "MobileCLIP2-S0",
    "relative positions": "vit_relpos_medium_patch16_cls_224",
    "no class token": "vit_medium_patch16_gap_256",
    "ConvNeXt": "convnext_tiny",
    "Swin": "swin_base_patch4_window7_224",
}
"""The smallest architecture of each family that open_clip names."""

FRAMES = (8, 96)
REPEATS = 3
CLIP_FRAMES = 8
"""Frames of the clips that STAN encodes."""
LAYERS = 4
"""Branch layers, or as many as the tower has blocks."""
EQUAL = 1e-5
"""Largest allowed difference from open_clip's tower, as a share of the largest channel."""


def towers(
    names: Sequence[str] = tuple(FAMILIES.values()),
    frames: Sequence[int] = FRAMES,
    repeats: int = REPEATS,
    device: str = "cpu",
) -> dict[str, Any]:
    """Time each backbone's image tower as wrapped and as open_clip has it, which take turns in every repeat.

    Beside median and spread, each row has backbone, frames, by (`wrapped`, `open_clip`, `stan` or `mean`). Rows of
    `wrapped` have relative (the median ratio of times to open_clip's in the same repeat) and difference (the largest of
    any channel, as a share of the largest channel). The row of `stan`, on two clips, has efficiency (ratio of
    multiply-accumulates to `mean`'s, over ratio of times) and memory (of a training step of the whole model, as a share
    of `mean`'s, counted on shapes).
    """
    rows = []
    for name in names:
        rows += _tower_rows(name, frames, repeats, device)
        rows += _stan_rows(name, repeats, device)
    more = {"peak_mb": provenance.peak_memory_mb()}
    return bench.document("towers", "fp32", rows, device_name(device), **more)


def _tower_rows(name: str, frames: Sequence[int], repeats: int, device: str) -> list[dict[str, Any]]:
    theirs = models.image_tower(name).eval().to(device)
    ours = image_tower(deepcopy(theirs)).eval()
    return [row for count in frames for row in _compared(name, theirs, ours, count, repeats, device)]


def _compared(
    name: str, theirs: nn.Module, ours: ImageTower, frames: int, repeats: int, device: str
) -> list[dict[str, Any]]:
    size = ours.image_size
    images = torch.randn(frames, 3, size, size, device=device)
    measured = _timed({"wrapped": lambda: ours(images), "open_clip": lambda: theirs(images)}, repeats, device)
    (wrapped, found), (own, expected) = measured["wrapped"], measured["open_clip"]
    difference = float((found - expected).abs().max() / expected.abs().max())
    assert difference <= EQUAL, f"{name} differs from open_clip's by {difference}"
    compared = {"relative": float(np.median(wrapped / own)), "difference": difference}
    facts = {"backbone": name, "frames": frames}
    return [
        bench.row(f"{name}, {frames} frames, wrapped", wrapped, by="wrapped", **facts, **compared),
        bench.row(f"{name}, {frames} frames, open_clip", own, by="open_clip", **facts),
    ]


def _stan_rows(name: str, repeats: int, device: str) -> list[dict[str, Any]]:
    with torch.device("meta"):
        depth = models.load_clip(name, "random").layers
    mean = ModelConfig(name, "random", "mean")
    stan = replace(mean, temporal="stan", options={"layers": min(LAYERS, depth)})
    runs = {"stan": _encoder(stan, device), "mean": _encoder(mean, device)}
    size = runs["mean"].clip.image_size
    clips = torch.randn(2, CLIP_FRAMES, 3, size, size, device=device)
    measured = _timed(
        {by: lambda model=model: model.encoder(clips).video for by, model in runs.items()}, repeats, device
    )
    macs = {
        "stan": of_model(stan, CLIP_FRAMES)["gmacs_run"],
        "tower": of_model(mean, CLIP_FRAMES)["gmacs_run"],
    }
    taken = {by: times for by, (times, _) in measured.items()}
    memory = _step_memory(stan) / _step_memory(mean)
    facts = {"backbone": name, "frames": 2 * CLIP_FRAMES}
    shared = {"efficiency": efficiency(taken["stan"], taken["mean"], macs), "memory": memory}
    return [
        bench.row(f"{name}, STAN on 2 x {CLIP_FRAMES} frames", taken["stan"], by="stan", **facts, **shared),
        bench.row(f"{name}, mean on 2 x {CLIP_FRAMES} frames", taken["mean"], by="mean", **facts),
    ]


def _encoder(config: ModelConfig, device: str) -> DualEncoder:
    return build(config, CLIP_FRAMES).eval().to(device)


def _timed(
    calls: dict[str, Callable[[], Tensor]], repeats: int, device: str
) -> dict[str, tuple[np.ndarray, Tensor]]:
    """Return each call's milliseconds and what it returned."""
    where = device_named(device)
    with torch.inference_mode():
        measured = bench.interleaved({by: waited(call, where) for by, call in calls.items()}, repeats, 1)
    return {by: (times, returned[0]) for by, (times, returned) in measured.items()}


def _step_memory(model: ModelConfig) -> int:
    """Return the most bytes that a training step of the whole model on two clips holds."""
    data = DataConfig(suite="msrvtt", size="full", frames=CLIP_FRAMES, words=16)
    train = TrainConfig(frozen="nothing", batch=2)
    return step(Experiment("bench", "step", data, model, train), 2).peak
