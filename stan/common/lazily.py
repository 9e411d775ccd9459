"""A module's public names and their modules in; a `__getattr__` that imports them on first use out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def names(module: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return `__getattr__` for a module.

    homes: the module's public names and where they are defined, which cost too much to import with it.
    """

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return find
