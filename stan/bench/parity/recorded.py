"""A module in; what its forward passes are given and return within a context out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Passes(NamedTuple):
    """The positional arguments and the result of each pass; an encoder may take its videos in several."""

    given: list[tuple[Any, ...]]
    results: list[Any]

    @property
    def argument(self) -> Tensor:
        """The first argument of all passes, one behind the other."""
        return torch.cat([given[0] for given in self.given])

    @property
    def result(self) -> Tensor:
        """The result of all passes, one behind the other."""
        return torch.cat(self.results)


@contextmanager
def recorded(module: nn.Module) -> Generator[Passes]:
    """Yield a list of the module's passes, which fills as they are made."""
    passes = Passes([], [])

    def note(_: nn.Module, given: tuple[Any, ...], result: Any) -> None:
        passes.given.append(given)
        passes.results.append(result)

    hook = module.register_forward_hook(note)
    try:
        yield passes
    finally:
        hook.remove()
