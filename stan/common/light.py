"""Lets the process of one command import open_clip in half a second instead of three.

open_clip imports torchvision for its image transforms, and timm for the towers that come from it. torchvision also
imports detection operators, and both import torch's compiler. A command that only embeds and scores needs none of that,
unless its model has a tower of timm's: only then are both imported after all. Such a command has a process of its own,
so nothing else misses them.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

from stan.common.torchvision_compat import declare

_LEFT_OUT = ("torchvision", "torchvision.ops", "timm")


def leave_out_unused() -> None:
    """Leave out what open_clip would import in vain. Call this before open_clip is imported; later it does nothing."""
    if "torchvision" in sys.modules or "open_clip" in sys.modules:
        return
    for name in ("torchvision", "torchvision.ops"):
        _found_but_not_run(name)
    sys.modules.setdefault("timm", None)  # ty: ignore[no-matching-overload]  # with None, Python refuses the import


def bring_back_timm() -> None:
    """Import timm where it was left out, and tell open_clip's adapter of timm's networks; else do nothing."""
    if "timm" not in sys.modules or sys.modules["timm"] is not None:
        return
    for name in _LEFT_OUT:
        del sys.modules[name]
    declare()
    importlib.reload(importlib.import_module("open_clip.timm_model"))


def _found_but_not_run(package: str) -> None:
    """Make the package's modules importable without running its `__init__` and what that would import."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        return
    module = ModuleType(package)
    module.__spec__, module.__path__ = spec, list(spec.submodule_search_locations)
    sys.modules[package] = module
