"""A model in; the same one out, which keeps each block's input alone and computes the rest again for the gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from torch.utils.checkpoint import checkpoint

from stan.models.dual_encoder import DualEncoder


def recompute(model: DualEncoder) -> None:
    """Both towers' blocks, whatever a temporal method does inside them, and the method's own blocks."""
    model.temporal.inside = _recomputed(model.temporal.inside)
    for block in [*model.clip.text.transformer.resblocks, *model.temporal.own_blocks]:
        block.forward = _recomputed(block.forward)


def _recomputed(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(function, *args, use_reentrant=False, **kwargs)

    return run
