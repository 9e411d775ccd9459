"""A run between two steps in; a file out, from which the run goes on as if it had never stopped; and back."""

from __future__ import annotations

import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from stan.training.fsdp import fill, spread_like, whole


@dataclass
class TrainingState:
    """How far a run has come."""

    step: int = 0
    lines: int = 0
    """Number of lines in the log that belong to the steps so far."""
    seconds: float = 0.0
    """Seconds spent in steps."""
    best_epoch: int | None = None
    best_value: float = -math.inf


def changing(model: nn.Module) -> dict[str, Tensor]:
    """Return the model's own tensors that training changes: trained parameters and statistics of batch norms."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name not in frozen}


def save_state(
    file: Path, model: nn.Module, optimizer: torch.optim.Optimizer, state: TrainingState, write: bool = True
) -> None:
    """Write what training changes, the optimizer and the state; `file` is either unchanged or complete.

    The state of random generators isn't kept, because each step seeds its own. All processes must call this, and one
    of them writes. Tensors that are spread over processes are put together, so that any number of processes can go on
    from the file.
    """
    kept = whole({"state": asdict(state), "trained": changing(model), "optimizer": optimizer.state_dict()})
    if write:
        # one name, so that the next save replaces what a killed process left
        part = file.with_suffix(".part")
        torch.save(kept, part)
        os.replace(part, file)


def load_state(file: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> TrainingState:
    """Load an earlier attempt into model and optimizer and return its state; a fresh state if there is no file."""
    if not file.exists():
        return TrainingState()
    kept = torch.load(file, map_location="cpu", weights_only=True)
    fill(model, kept["trained"])
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for i, moments in kept["optimizer"]["state"].items():
        for name, moment in moments.items():
            if moment.ndim:
                moments[name] = spread_like(moment, parameters[i])
    optimizer.load_state_dict(kept["optimizer"])
    return TrainingState(**kept["state"])
