"""Nested dicts of tensors in, the same on a device out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def to_device(value: Any, device: torch.device) -> Any:
    """Return a tensor, or nested dicts of tensors, on the device."""
    if isinstance(value, Tensor):
        return value.to(device)
    return {key: to_device(inner, device) for key, inner in value.items()}
