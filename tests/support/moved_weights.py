"""A module as it starts in, the same as after some training out: what starts at zero no longer hides a part."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def moved(module: nn.Module, by: float = 0.05) -> None:
    """Adds a draw from N(0, by^2) to every parameter."""
    for parameter in module.parameters():
        parameter.add_(by * torch.randn_like(parameter))
