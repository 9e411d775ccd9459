"""A model in; the same model out, whose blocks and branch layers torch.compile turns into fewer passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from stan.models.dual_encoder import DualEncoder, whole_blocks
from stan.models.temporal.dropout import Dropout, DropPath

WAYS = 64
"""In how many ways a block may be compiled: the towers differ, each layer drops values on its own, and training differs
from testing. torch's limit of 8 would leave the remaining blocks uncompiled."""


def compile_blocks(model: DualEncoder, backend: str | Callable[..., Any] = "inductor") -> None:
    """Compile each whole block in place when it is first called; parameters keep their names.

    Equal blocks are compiled once. What a method does inside CLIP's blocks isn't compiled. Neither is dropout, which
    would draw other random numbers if it were.
    """
    torch.compiler.config.recompile_limit = max(torch.compiler.config.recompile_limit, WAYS)
    for module in model.modules():
        if isinstance(module, DropPath | Dropout) and module.rate:
            module.forward = torch.compiler.disable(module.forward)
    for block in whole_blocks(model):
        block.forward = torch.compile(block.forward, backend=backend)
