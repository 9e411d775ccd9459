"""A model in; the same one out, which keeps each block's input alone and computes the rest again for the gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from torch.utils.checkpoint import checkpoint

from stan.models.dual_encoder import DualEncoder
from stan.models.temporal.stan_layer import StanLayer


def recompute(model: DualEncoder) -> None:
    """Both towers' blocks, whatever a temporal method does inside them, and the layers of STAN's branch."""
    model.temporal.inside = _recomputed(model.temporal.inside)
    layers = [module for module in model.temporal.modules() if isinstance(module, StanLayer)]
    for block in [*model.clip.text.transformer.resblocks, *layers]:
        block.forward = _recomputed(block.forward)


def _recomputed(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(function, *args, use_reentrant=False, **kwargs)

    return run
