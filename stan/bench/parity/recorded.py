"""A module in; what its forward passes return within a context out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def recorded(module: nn.Module) -> Generator[list[Tensor]]:
    """Yield a list that receives the result of each forward pass of `module`."""
    results: list[Tensor] = []
    hook = module.register_forward_hook(lambda module, given, result: results.append(result))
    try:
        yield results
    finally:
        hook.remove()
