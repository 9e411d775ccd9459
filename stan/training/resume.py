"""A run between two steps in; a file out, from which the run goes on as if it had never stopped; and back."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from stan.models.dual_encoder import DualEncoder
from stan.training.fsdp import fill, spread_like, whole
from stan.training.optim import changing


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
    read: dict[str, str] = field(default_factory=dict)
    """Hash of the splits that the steps so far were taken on."""


def save_state(
    file: Path,
    model: DualEncoder,
    optimizer: torch.optim.Optimizer,
    mean: Mapping[str, Tensor],
    state: TrainingState,
    write: bool = True,
) -> None:
    """Write what training changes, the optimizer and the state; `file` is either unchanged or complete.

    mean: the mean over epochs, if the recipe has one (`stan.training.weight_average`).

    The state of random generators isn't kept, because each step seeds its own. All processes must call this, and one
    of them writes. Tensors that are spread over processes are put together, so that any number of processes can go on
    from the file.
    """
    spread = {"state": asdict(state), "trained": changing(model), "optimizer": optimizer.state_dict()}
    kept = whole(spread | {"mean": mean})
    if write:
        # one name, so that the next save replaces what a killed process left
        part = file.with_suffix(".part")
        torch.save(kept, part)
        os.replace(part, file)


def load_state(
    file: Path,
    model: DualEncoder,
    optimizer: torch.optim.Optimizer,
    mean: Mapping[str, Tensor],
    read: dict[str, str],
) -> TrainingState:
    """Load an earlier attempt into model, optimizer and mean, and return its state.

    If there is no file, nothing is loaded, and the state is a fresh one.
    read: the hash of each split that steps are taken on. Raises ValueError if earlier ones were taken on others.
    """
    if not file.exists():
        return TrainingState(read=read)
    kept = torch.load(file, map_location="cpu", weights_only=True)
    before = kept["state"].get("read", {})  # version 0.1 kept none
    if other := [split for split in before if before[split] != read[split]]:
        raise ValueError(
            f"{file.parent}: this run began on other videos or texts ({', '.join(other)}): bring them back as they"
            " were, or delete the run to begin anew"
        )
    fill(model, kept["trained"])
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for i, moments in kept["optimizer"]["state"].items():
        for name, moment in moments.items():
            if moment.ndim:
                moments[name] = spread_like(moment, parameters[i])
    optimizer.load_state_dict(kept["optimizer"])
    for name, tensor in mean.items():
        tensor.copy_(kept["mean"][name])
    return TrainingState(**kept["state"] | {"read": read})
