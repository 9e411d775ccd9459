"""A model and a training config in; its optimizer, parameters in groups, and each step's learning rate, out."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from stan.config import TrainConfig
from stan.models.dual_encoder import DualEncoder

FROZEN = ("vision", "text", "clip", "nothing")
OPTIMIZERS = ("adamw", "sgd")
SCHEDULES = ("cosine", "constant", "steps")

MOMENTUM, EPSILON = 0.9, 1e-8  # as released
LARGEST_SCALE = 100.0
STEPS = (11 / 15, 14 / 15)
"""Shares of all steps after each of which the rate falls to a tenth: after 11 and 14 of TimeSformer's 15 epochs."""


def freeze(model: DualEncoder, recipe: TrainConfig) -> None:
    """Make only those parameters trainable that the recipe trains, and that the score reads.

    A score that reads no texts trains no text tower, one that reads videos before CLIP's projection not that.
    The logit scale is set to the log of one over the recipe's temperature, and stays fixed unless it is learned. With
    the sigmoid loss, scale and bias start as the CLIP has them. Raises ValueError for that loss without a bias.
    """
    model.requires_grad_(True)
    if recipe.frozen == "vision":
        model.clip.visual.requires_grad_(False)
    if recipe.frozen == "text" or not model.score.reads_texts:
        model.clip.text.requires_grad_(False)
    if recipe.frozen == "clip":
        model.clip.requires_grad_(False)
    for name in model.temporal.trained_of_clip:
        model.clip.get_parameter(name).requires_grad_(True)
    if not model.score.projected:
        for parameter in model.clip.visual.projection():
            parameter.requires_grad_(False)
    judges_pairs = recipe.loss == "sigmoid"
    if not judges_pairs:
        model.logit_scale.requires_grad_(False).fill_(-math.log(recipe.temperature))
    model.logit_scale.requires_grad_(recipe.learned_scale)
    if model.logit_bias is not None:
        model.logit_bias.requires_grad_(recipe.learned_scale and judges_pairs)
    elif judges_pairs:
        raise ValueError(
            "train.loss 'sigmoid' adds the bias of a CLIP that was trained with it: choose such a backbone, for example"
            " ViT-B-16-SigLIP2, or another loss"
        )


def changing(model: DualEncoder) -> dict[str, Tensor]:
    """Return the model's own tensors that training changes: trained parameters and statistics of batch norms."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name not in frozen}


def parameter_groups(model: DualEncoder, recipe: TrainConfig) -> list[dict[str, Any]]:
    """Return the optimizer's groups: new parameters at the full learning rate, CLIP's at their share of it.

    Each of the two is split into parameters with weight decay and those without: biases, norms and gains.
    """
    groups = []
    for share, of_clip in ((1.0, False), (recipe.clip_lr_ratio, True)):
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        chosen = [p for n, p in named if n.startswith("encoder.clip.") == of_clip]
        for decay, matrices in ((recipe.weight_decay, True), (0.0, False)):
            parameters = [p for p in chosen if (p.ndim > 1) == matrices]
            if parameters:
                groups.append({"params": parameters, "weight_decay": decay, "share": share})
    return groups


def optimizer(groups: list[dict[str, Any]], recipe: TrainConfig) -> torch.optim.Optimizer:
    """Return the recipe's optimizer of `parameter_groups`."""
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, recipe.lr, MOMENTUM, fused=True)
    return torch.optim.AdamW(groups, recipe.lr, (MOMENTUM, recipe.beta2), EPSILON, fused=True)


@torch.no_grad()
def limit_scale(model: DualEncoder) -> None:
    """Keep a learned logit scale at most 100, as CLIP4Clip does after every step; a sigmoid's may be larger."""
    model.logit_scale.clamp_(max=math.log(LARGEST_SCALE))


def rate(step: int, steps: int, recipe: TrainConfig) -> float:
    """Return the new parameters' learning rate: linear warm-up, then the recipe's schedule.

    A cosine reaches 0 after the last step.
    """
    warmup = max(1, round(recipe.warmup * steps))
    if step < warmup:
        return recipe.lr * (step + 1) / warmup
    if recipe.schedule == "constant":
        return recipe.lr
    if recipe.schedule == "steps":
        return recipe.lr * 0.1 ** sum(step >= share * steps for share in STEPS)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
