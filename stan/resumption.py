"""A run between two steps in, one file out from which it goes on as if it had never stopped; and back again."""

from __future__ import annotations

import math
import os
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

@dataclass
class State:
    """How far a run has come; with the weights and the optimizer all that resumption needs."""

    step: int = 0
    lines: int = 0
    """Lines of the log that belong to the steps so far."""
    seconds: float = 0.0
    best_epoch: int | None = None
    best_value: float = -math.inf


def _save_state(fabric: Fabric, file: Path, model: DualEncoder, optimizer: Any, state: State) -> None:
    """All that resumption needs, as one file that is replaced as a whole."""
    if fabric.is_global_zero:
        part = file.with_suffix(".part")
        weights = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
        torch.save({"state": asdict(state), "weights": weights, "optimizer": optimizer.state_dict()}, part)
        os.replace(part, file)


def _resume(
    run: results.RunWriter | _Follower, model: DualEncoder, optimizer: Any, device: torch.device
) -> State:
    """The state that an earlier attempt left, put into model and optimizer; a fresh one where there is none."""
    file = run.folder / RESUME
    if not file.exists():
        run.rewind(0)
        return State()
    kept = torch.load(file, map_location=device, weights_only=True)
    model.load_state_dict(kept["weights"], strict=False)
    optimizer.load_state_dict(kept["optimizer"])
    state = State(**kept["state"])
    run.rewind(state.lines)
    return state


