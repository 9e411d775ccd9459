"""A model in; the same one out, whose blocks and branch layers torch.compile turns into fewer passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from stan.models.dual_encoder import DualEncoder, whole_blocks
from stan.models.temporal.dropout import Dropout, DropPath

WAYS = 64
"""A block may be compiled in: towers differ, layers drop by themselves, and so do training and testing. torch's eight
would leave the rest as it is."""


def compile_blocks(model: DualEncoder, backend: str | Callable[..., Any] = "inductor") -> None:
    """Each when it is first called, in place: parameters keep their names. Blocks that are alike are compiled once.

    What a method does inside CLIP's blocks stays as it is, and so does what is dropped: compiled, it would be drawn
    otherwise.
    """
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, WAYS)
    for module in model.modules():
        if isinstance(module, DropPath | Dropout) and module.rate:
            module.forward = torch.compiler.disable(module.forward)
    for block in whole_blocks(model):
        block.forward = torch.compile(block.forward, backend=backend)
