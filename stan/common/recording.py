"""Modules in; what their forward passes are given and return within a context out."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
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

    @property
    def last_argument(self) -> Any:
        """The first argument of the last pass, itself and no copy, so that gradients can be taken at it."""
        return self.given[-1][0]

    @property
    def last_result(self) -> Any:
        """The result of the last pass, itself and no copy."""
        return self.results[-1]


@contextmanager
def recorded(module: nn.Module) -> Generator[Passes]:
    """Yield a list of the module's passes, which fills as they are made."""
    with all_recorded([module]) as passes:
        yield passes[module]


@contextmanager
def all_recorded(modules: Iterable[nn.Module]) -> Generator[dict[nn.Module, Passes]]:
    """Yield a list of passes for each of the modules; those that other threads make meanwhile are none of them."""
    passes: dict[nn.Module, Passes] = {}
    ours = threading.get_ident()

    def note(module: nn.Module, given: tuple[Any, ...], result: Any) -> None:
        if threading.get_ident() != ours:
            return
        passes[module].given.append(given)
        passes[module].results.append(result)

    with ExitStack() as stack:
        for module in modules:
            passes[module] = Passes([], [])
            stack.callback(module.register_forward_hook(note).remove)
        yield passes
