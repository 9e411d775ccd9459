"""Makes `import torchvision` work where its compiled operators cannot load.

torchvision's wheel on the package index is linked to CUDA. Beside a CPU build of torch, its compiled library cannot
load, and `import torchvision` fails only because it describes two operators that the library would have declared.
open_clip needs torchvision's image transforms, which are plain Python, so declaring those two operators by name is
enough.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.machinery
import importlib.util
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_OPERATORS = ("nms", "qnms")
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

# A Library withdraws its operators when it is garbage-collected, so this one lives as long as the process.
_declared: torch.library.Library | None = None


def declare() -> bool:
    """Make `import torchvision` work; call it before anything imports open_clip.

    The plain import is tried first: nothing is declared where torchvision's own library loads, because declaring an
    operator library twice ends the process. Returns True where operators are declared by name only, False where
    torchvision is complete. Raises any other error that keeps torchvision from importing.
    """
    global _declared
    if _declared is not None:
        return True
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        _declared = _declare_by_name()
        _drop_half_imported()
        importlib.import_module("torchvision")
    return _declared is not None


def load_cpu_torch() -> bool:
    """Load the compiled libraries of a CPU build of torch, without its Python part, which takes eight times as long.

    Returns False for other builds and systems, where only `import torch` tells which devices there are. Raises OSError
    for libraries that don't load, ModuleNotFoundError where torch isn't installed.
    """
    folder = _folder("torch")
    built = runpy.run_path(str(folder / "version.py"))
    if sys.platform != "linux" or any(built.get(name) for name in ("cuda", "hip", "xpu")):
        return False
    for name in ("libtorch_global_deps.so", "libtorch.so", "libtorch_python.so"):
        ctypes.CDLL(str(folder / "lib" / name), ctypes.RTLD_GLOBAL)
    return True


def operators_load() -> bool:
    """Return whether torchvision's compiled operators fit the torch that is loaded.

    Call it only in a process that ends right after.
    """
    compiled = importlib.machinery.PathFinder.find_spec("_C", [str(_folder("torchvision"))])
    if compiled is None or compiled.origin is None:
        return False
    try:
        ctypes.CDLL(compiled.origin)
    except OSError:
        return False
    return True


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(spec.origin).parent


def _declare_by_name() -> torch.library.Library:
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for operator in _OPERATORS:
        library.define(operator + _SCHEMA)
    return library


def _drop_half_imported() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
