"""A file or folder of weights in, what it holds out. Nothing in a file is executed."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from stan.common.files import read_settings
from stan.models import checkpoint

SHARDS = "model.safetensors.index.json"
"""Hugging Face's list of the files that a large model is cut into."""
IN_FOLDER = (
    *("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin"),
    *("open_clip_pytorch_model.pth", "model.safetensors", SHARDS, "pytorch_model.bin", "pytorch_model.pth"),
)
"""What open_clip and Hugging Face call the weights in a folder, in the order in which they are looked for."""


def in_folder(path: Path) -> Path:
    """Return a folder's file of weights, and a file itself. Raises ValueError for a folder without one."""
    if not path.is_dir():
        return path
    found = next((path / name for name in IN_FOLDER if (path / name).is_file()), None)
    if found is None:
        raise ValueError(f"{path} holds no weights: put a file there that is called {' or '.join(IN_FOLDER)}")
    return found


def content(path: Path) -> Any:
    """Return what a file holds: of safetensors, of a list of shards or of a TorchScript archive, its tensors by name.

    Raises ValueError for a file that is missing, unreadable, or holds more than tensors and plain values.
    """
    if os.path.isdir(path):  # unlike Path.is_dir, it takes a name that is longer than the system's
        raise ValueError(f"{path} is a folder: name the file of weights in it")
    if not os.path.exists(path):
        raise ValueError(f"{path} is missing: check the path")
    if path.name == SHARDS:
        return {name: one for file in _shards(path) for name, one in checkpoint.load(file)[0].items()}
    if path.suffix == ".safetensors":
        return checkpoint.load(path)[0]
    try:
        if is_archive(path):
            return torch.jit.load(path, map_location="cpu").state_dict()
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path} {why_unreadable(error)}") from error


def names(path: Path) -> list[str]:
    """Return the names in a file, without reading tensors where that can be avoided. Raises the same errors."""
    if path.name == SHARDS:
        return list(read_settings(path)["weight_map"])
    if path.suffix == ".safetensors":
        return checkpoint.names(path)
    held = content(path)
    return list(held) if isinstance(held, dict) else []


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a file's tensors by name, also of those under `state_dict`. Raises the same errors."""
    if path.name == SHARDS:
        return {name: one for file in _shards(path) for name, one in checkpoint.shapes(file).items()}
    if path.suffix == ".safetensors":
        return checkpoint.shapes(path)
    held = content(path)
    held = held.get("state_dict", held) if isinstance(held, dict) else {}
    return {name: tuple(tensor.shape) for name, tensor in held.items() if isinstance(tensor, torch.Tensor)}


def _shards(path: Path) -> list[Path]:
    return [path.with_name(file) for file in sorted(set(read_settings(path)["weight_map"].values()))]


def is_archive(path: Path) -> bool:
    """Tell whether a file is a TorchScript archive, such as OpenAI's, whose loading runs none of its code.

    Raises ValueError for an archive that would run some.
    """
    if not zipfile.is_zipfile(path):
        return False
    reader = torch._C.PyTorchFileReader(str(path))  # torch.load itself tells archives apart by it
    records = reader.get_all_records()
    if "constants.pkl" not in records:
        return False
    code = [name for name in records if name.startswith("code/")]
    if any(b"__setstate__" in reader.get_record(name) for name in code):
        raise ValueError(
            "it is a TorchScript archive that runs code of its own when it is loaded; save its tensors alone where you"
            " trust it: torch.save(torch.jit.load(FILE).state_dict(), ...)"
        )
    return True


def why_unreadable(error: Exception) -> str:
    """Return what stands in a file that torch doesn't read as plain tensors, and what to do."""
    other = re.search(r"GLOBAL (\S+) was not an allowed global", str(error))
    if other:
        return (
            f"is not a file of plain tensors: it also holds a {other[1]}, and loading that could execute code."
            " Where you trust the file and have that package, load it with torch.load(..., weights_only=False)"
            " and save the dict of tensors alone"
        )
    reason = next(iter(str(error).splitlines()), type(error).__name__)
    if isinstance(error, pickle.UnpicklingError):  # whose text advises to load the file without this guard
        reason = "no pickle of tensors"
    return (
        f"is not a file of plain tensors ({reason}): check that it is complete, or save its state dict again"
    )
