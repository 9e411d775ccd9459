"""An initial module in; the same module out, with weights moved off zero, where they could hide a part from a test."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def moved(module: nn.Module, by: float = 0.05) -> None:
    """Add a draw from N(0, by^2) to every parameter, in place."""
    for parameter in module.parameters():
        parameter.add_(by * torch.randn_like(parameter))
