"""Modules in, what they were last given and returned out: for outputs that lie inside a model."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def traced(modules: Mapping[str, nn.Module]) -> Generator[dict[str, tuple[Any, Any]]]:
    """Collect each module's (positional inputs, result) of its last call within the context, by name."""
    seen: dict[str, tuple[Any, Any]] = {}
    hooks = [
        module.register_forward_hook(lambda _, given, result, name=name: seen.update({name: (given, result)}))
        for name, module in modules.items()
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
