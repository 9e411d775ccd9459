"""A model, frames and views in; its parameters, and multiply-accumulates by part, counted on the model itself, out.

The model runs on torch's meta device, where nothing is computed, under torch's own counter. There are two conventions:
- linear: linear layers and the patch embedding, as the paper prints (its "GFLOPs" are these multiply-accumulates);
- all: the products of attention as well. LayerNorm, softmax and sums count in neither.
Both count every branch layer in full, as the released code runs it. In the last layer, this code computes only the CLS
token, because nothing reads its patch tokens: `gmacs_run` counts what this code does compute.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from stan.common.tensors import numel
from stan.config import ModelConfig, TrainConfig
from stan.models.backbones import load_clip
from stan.models.clip import Clip
from stan.models.dual_encoder import DualEncoder, build
from stan.models.factory import PRESETS
from stan.models.similarity import SIMILARITIES
from stan.models.temporal import METHODS
from stan.models.temporal.base import Temporal
from stan.models.video_encoder import VideoEncoder
from stan.training.optim import FROZEN, freeze

ATTENTION = ("aten.bmm", "aten.baddbmm")
"""Operators that compute attention's products where no fused kernel does."""

BACKBONE = "ViT-B-16"
CLASSES = 400

Macs = dict[str, int]
"""{"linear", "all"}: multiply-accumulates by convention."""


def cost(name: str, frames: int = 8, views: int = 1) -> dict[str, Any]:
    """Return {"preset"} and `of_model`'s items. Raises ValueError for an unknown preset, and for a number below one."""
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return {"preset": name} | of_model(PRESETS[name][0], frames, views)


def of_methods(frames: int = 8, views: int = 1) -> dict[str, Any]:
    """Return what every temporal method and similarity adds to a mean-pooled ViT-B/16, with default options.

    The result: {"backbone", "frames", "views", "classes", "temporal": {name: {"params", "gmacs_linear", "gmacs_all"}},
    "similarity": {name: {"params"}}}. Multiply-accumulates are below zero if a method saves work. A linear classifier
    has as many classes as Kinetics-400. CenterCLIP's clustering is not counted.
    """
    plain = of_model(_added_to_mean(), frames, views)
    counted = {name: of_model(_added_to_mean(temporal=name), frames, views) for name in METHODS}
    return {
        "backbone": BACKBONE,
        "frames": frames,
        "views": views,
        "classes": CLASSES,
        "temporal": {
            name: {"params": one["params_added"]}
            | {key: one[key] - plain[key] for key in ("gmacs_linear", "gmacs_all")}
            for name, one in counted.items()
        },
        "similarity": {name: {"params": _of_similarity(name, frames)} for name in SIMILARITIES},
    }


def _added_to_mean(temporal: str = "mean", similarity: str = "cosine", **options: Any) -> ModelConfig:
    return ModelConfig(BACKBONE, temporal=temporal, similarity=similarity, similarity_options=options)


def _of_similarity(name: str, frames: int) -> int:
    options = {"classes": CLASSES} if name == "linear_classifier" else {}
    with torch.device("meta"):
        model = build(replace(_added_to_mean("mean", name, **options), pretrained="random"), frames)
    return numel(model.score.parameters())


def of_model(config: ModelConfig, frames: int, views: int = 1) -> dict[str, Any]:
    """Return {"frames", "views", "gmacs_linear", "gmacs_all", "gmacs_run", "parts", "params", "params_added", ...}.

    The counts are 10^9 multiply-accumulates of one video with all its views, without the text. `parts` has each part's
    share ("clip", "intra_frame", "cross_frame", "head"), and "text": one caption of full length. `params_added`: the
    parameters of the temporal method; `params_trainable`: trainable parameters for each choice of what the recipe
    freezes. Raises ValueError for a number below one.
    """
    if min(frames, views) < 1:
        raise ValueError(f"frames={frames}, views={views}: there must be at least one of each")
    config = replace(config, pretrained="random")
    view = _view(json.dumps(asdict(config), sort_keys=True), frames)
    total = {c: sum(macs[c] for macs in view["parts"].values()) for c in ("linear", "all")}
    parts = {name: _gmacs(macs, views) for name, macs in view["parts"].items()}
    return {
        "frames": frames,
        "views": views,
        "gmacs_linear": _gmacs(total, views)["linear"],
        "gmacs_all": _gmacs(total, views)["all"],
        "gmacs_run": _gmacs(view["run"], views)["all"],
        "parts": parts | {"text": _gmacs(_towers(config.backbone, frames)["text"])},
        "params": view["params"],
        "params_added": view["params_added"],
        "params_trainable": dict(view["params_trainable"]),
    }


@lru_cache(maxsize=512)
def _view(config: str, frames: int) -> dict[str, Any]:
    """Return the multiply-accumulates of one view, by part and as run, and the numbers of parameters.

    The config is given as its JSON, because it contains dicts and cannot be a key of the cache.
    """
    known = ModelConfig(**json.loads(config))
    with torch.device("meta"):
        model = build(known, frames).eval()
    run = _count(lambda: model.encoder(_video(model.clip, frames)))["Global"]
    return {
        "parts": _parts(model, run, _towers(known.backbone, frames)["image"], frames),
        "run": run,
        "params": numel(model.parameters()),
        "params_added": numel(model.temporal.parameters()),
        "params_trainable": {frozen: _trainable(model, frozen) for frozen in FROZEN},
    }


@lru_cache(maxsize=512)
def _towers(backbone: str, frames: int) -> dict[str, Macs]:
    """Return the multiply-accumulates of CLIP alone: {"image"}, of one view; {"text"}, of one caption."""
    with torch.device("meta"):
        clip = load_clip(backbone, "random").eval()
    return of_towers(clip, frames)


def of_towers(clip: Clip, frames: int) -> dict[str, Macs]:
    """Return the multiply-accumulates of a CLIP without values: {"image"}, of one view; {"text"}, of one caption."""
    pooled, video = VideoEncoder(clip, Temporal(clip, frames)), _video(clip, frames)
    ids = torch.zeros(1, clip.context_length, dtype=torch.long, device="meta")
    return {
        "image": _count(lambda: pooled(video))["Global"],
        "text": _count(lambda: clip.encode_text(ids))["Global"],
    }


def _parts(model: DualEncoder, run: Macs, image: Macs, frames: int) -> dict[str, Macs]:
    """Return the multiply-accumulates of one view by part; `run`: all that the model runs, `image`: CLIP's tower."""
    if not model.temporal.own_blocks:
        return {"clip": image} | _branch({}) | {"head": _less(run, image)}
    tokens = torch.empty(1, frames, model.clip.tokens_per_frame, model.clip.width, device="meta")
    temporal: Any = model.temporal  # with layers of its own, it has branch_tokens
    branch = _count(lambda: temporal.branch_tokens(dict.fromkeys(temporal.levels, tokens)))
    inner = _branch(branch, type(model.temporal.own_blocks[0]).__name__)
    return {"clip": image} | inner | {"head": _less(branch["Global"], *inner.values())}


def _branch(counted: Mapping[str, Macs], layer: str = "") -> dict[str, Macs]:
    """Return what was counted in the parts of branch layers.

    layer: the layers' class name, by which torch's counter names their parts.
    """
    nothing = {"linear": 0, "all": 0}
    return {part: counted.get(f"{layer}.{part}", nothing) for part in ("intra_frame", "cross_frame")}


def _count(run: Callable[[], Any]) -> dict[str, Macs]:
    """Return the multiply-accumulates of `run` by module; "Global" stands for all of them."""
    with FlopCounterMode(display=False) as counter:
        run()
    counted = {}
    for module, operators in counter.get_flop_counts().items():
        values = {str(operator): flops // 2 for operator, flops in operators.items()}
        attention = sum(value for operator, value in values.items() if operator in ATTENTION)
        everything = sum(values.values())
        counted[module] = {"linear": everything - attention, "all": everything}
    return counted


def _gmacs(macs: Macs, views: int = 1) -> dict[str, float]:
    return {convention: views * count / 1e9 for convention, count in macs.items()}


def _less(whole: Macs, *parts: Macs) -> Macs:
    return {c: whole[c] - sum(part[c] for part in parts) for c in whole}


def _video(clip: Clip, frames: int) -> Tensor:
    size = clip.image_size
    return torch.empty(1, frames, 3, size, size, device="meta")


def _trainable(model: DualEncoder, frozen: str) -> int:
    freeze(model, TrainConfig(frozen=frozen))
    return numel(parameter for parameter in model.parameters() if parameter.requires_grad)
