"""A module in; what its forward passes return, or are given, within a context out."""

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


@contextmanager
def given_to(module: nn.Module) -> Generator[list[Tensor]]:
    """Yield a list that receives the first argument of each forward pass of `module`."""
    arguments: list[Tensor] = []
    hook = module.register_forward_pre_hook(lambda module, given: arguments.append(given[0]))
    try:
        yield arguments
    finally:
        hook.remove()
