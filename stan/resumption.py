"""A run between two steps in, a file out from which it goes on as if it had never stopped; and back again."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn


@dataclass
class State:
    """How far a run has come."""

    step: int = 0
    lines: int = 0
    """Lines of the log that belong to the steps so far."""
    seconds: float = 0.0
    """Spent in steps."""
    best_epoch: int | None = None
    best_value: float = -math.inf


def save_state(file: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: State) -> None:
    """Writes what is trained, the optimizer and the state; `file` is either as before or complete.

    Generators of random numbers need no keeping: each step seeds its own.
    """
    part = file.with_suffix(".part")
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    torch.save({"state": asdict(state), "trained": trained, "optimizer": optimizer.state_dict()}, part)
    os.replace(part, file)


def load_state(file: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> State:
    """Puts what an earlier attempt left into model and optimizer; a fresh State where there is no file."""
    if not file.exists():
        return State()
    kept = torch.load(file, map_location="cpu", weights_only=True)
    model.load_state_dict(kept["trained"], strict=False)
    optimizer.load_state_dict(kept["optimizer"])
    return State(**kept["state"])
