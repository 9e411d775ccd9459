"""open_clip's adapter of a timm network in; what its wrappers share out."""

from __future__ import annotations

from typing import Any

from timm.layers import DropPath
from torch import nn


def undropped(trunk: Any) -> Any:
    """Make a timm network drop nothing at random in training, in place, and return it."""
    for module in trunk.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, DropPath):
            module.drop_prob = 0.0
    return trunk


def embedding_width(model: Any) -> int:
    """Return E of open_clip's adapter of a timm network: of its last projection or, without one, of its trunk."""
    heads = (*model.trunk.head.modules(), *model.head.modules())
    linear = [module for module in heads if isinstance(module, nn.Linear)]
    return linear[-1].out_features if linear else model.trunk.num_features
