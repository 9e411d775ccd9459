"""Nothing in; a process of one command that imports open_clip in half a second instead of three, out.

open_clip imports torchvision for its image transforms and timm for towers that are none of ours. The first brings
detection operators along, both bring torch's compiler. A command that only embeds and scores needs none of that, and in
a process of its own nobody else misses it.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType


def leave_out_unused() -> None:
    """To be called before open_clip is imported; where that was imported already, nothing is left out."""
    if "torchvision" in sys.modules or "open_clip" in sys.modules:
        return
    for name in ("torchvision", "torchvision.ops"):
        _found_but_not_run(name)
    sys.modules.setdefault("timm", None)  # type: ignore[arg-type]  # Python's own mark of what is not to be imported


def _found_but_not_run(package: str) -> None:
    """The package's modules can be imported, without what its own `__init__` would import."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        return
    module = ModuleType(package)
    module.__spec__, module.__path__ = spec, list(spec.submodule_search_locations)
    sys.modules[package] = module
