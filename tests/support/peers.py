"""Names of sets of reference outputs in, their folders, and files like the released ones, out."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from stan.models.checkpoint import load

PEERS = Path(__file__).parents[1] / "golden" / "peers"


def weights(name: str) -> dict[str, Tensor]:
    """Return a set's weights under their own names."""
    return load(PEERS / name / "checkpoint.safetensors")[0]


def released(folder: Path, name: str, content: Mapping) -> Path:
    """Write `content` as a released file of the set `name`, with its config beside it, and return the file."""
    folder.mkdir(exist_ok=True)
    shutil.copy(PEERS / name / "config.json", folder / "config.json")
    torch.save(dict(content), folder / "released.pth")
    return folder / "released.pth"
