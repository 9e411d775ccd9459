"""A model and a training config in; its trainable parameters in groups, and each step's learning rate, out."""

from __future__ import annotations

import math
from typing import Any

from stan.config import TrainConfig
from stan.models.dual_encoder import DualEncoder

FROZEN = ("vision", "clip", "nothing")


BETAS, EPSILON = (0.9, 0.98), 1e-8  # as released


def freeze(model: DualEncoder, recipe: TrainConfig) -> None:
    """Make only those parameters trainable that the recipe trains.

    The logit scale is set to the log of one over the recipe's temperature and stays fixed.
    """
    model.requires_grad_(True)
    if recipe.frozen == "vision":
        model.clip.visual.requires_grad_(False)
    if recipe.frozen == "clip":
        model.clip.requires_grad_(False)
    for name in model.temporal.trained_of_clip:
        model.clip.get_parameter(name).requires_grad_(True)
    model.logit_scale.requires_grad_(False).fill_(-math.log(recipe.temperature))


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


def rate(step: int, steps: int, recipe: TrainConfig) -> float:
    """Return the new parameters' learning rate: linear warm-up, then a cosine that reaches 0 after the last step."""
    warmup = max(1, round(recipe.warmup * steps))
    if step < warmup:
        return recipe.lr * (step + 1) / warmup
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
