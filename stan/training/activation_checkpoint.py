"""A model in; the same model out, whose blocks keep only their input and recompute the rest for the gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from torch.utils.checkpoint import checkpoint

from stan.models.dual_encoder import DualEncoder
from stan.models.text_tower import text_blocks


def recompute(model: DualEncoder) -> None:
    """Make the blocks recompute their activations, in place.

    These are the blocks of both towers, with whatever the temporal method does inside them, and the method's own.
    """
    model.temporal.inside = _recomputed(model.temporal.inside)
    for block in [*text_blocks(model.clip.text), *model.temporal.own_blocks]:
        block.forward = _recomputed(block.forward)


def _recomputed(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(function, *args, use_reentrant=False, **kwargs)

    return run
