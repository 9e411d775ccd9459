"""Tensors in dicts and tuples in, the same on a device, or joined along their first dimension, out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

Parts = TypeVar("Parts", bound=tuple)


def device_named(name: str | None) -> torch.device:
    """Return a device by torch's name; None: the GPU, where there is one. Raises ValueError for an unknown name."""
    try:
        return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise ValueError(f"there is no device {name!r}: name cpu, cuda or cuda:1") from error


def to_device(value: Any, device: torch.device) -> Any:
    """Return a tensor, or nested dicts of tensors, on the device."""
    if isinstance(value, Tensor):
        return value.to(device)
    return {key: to_device(inner, device) for key, inner in value.items()}


def numel(tensors: Iterable[Tensor]) -> int:
    """Return the number of values in all of the tensors together."""
    return sum(tensor.numel() for tensor in tensors)


def joined(parts: Sequence[Parts]) -> Parts:
    """Return named tuples of tensors as one, each tensor joined along its first dimension."""
    return type(parts[0])(*map(torch.cat, zip(*parts, strict=True)))
