"""A share of a batch in, what is dropped in training out: the same decisions however the batch is shared out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

_share: tuple[int, int, int] | None = None
# not by thread: where tokens are computed again for the gradients, a thread of autograd's asks


@contextmanager
def share(first: int, samples: int, whole: int) -> Iterator[None]:
    """Inside, a module sees `samples` samples of a batch of `whole`, from number `first` on, and drops what it would
    drop of them in the whole batch, where the generator starts from the same seed."""
    global _share
    before, _share = _share, (first, samples, whole)
    try:
        yield
    finally:
        _share = before


class DropPath(nn.Module):
    """Drops whole samples in training and scales the others up; `samples` are the dimensions that tell them apart."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, x: Float[Tensor, "N ..."], samples: tuple[int, ...] = (0,)) -> Float[Tensor, "N ..."]:
        if not self.training or self.rate == 0:
            return x
        shape = tuple(length if i in samples else 1 for i, length in enumerate(x.shape))
        return x * ((_drawn(shape, x.device) >= self.rate) / (1 - self.rate)).to(x.dtype)


class Dropout(nn.Module):
    """Drops single values in training and scales the others up."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, x: Float[Tensor, "N ..."]) -> Float[Tensor, N * rest]:
        if not self.training or self.rate == 0:
            return x
        return x * ((_drawn(x.shape, x.device) >= self.rate) / (1 - self.rate)).to(x.dtype)


def _drawn(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Uniform numbers: of as many rows as a whole batch has those of its share, a sample's rows being neighbours."""
    if _share is None:
        return torch.rand(shape, device=device)
    first, samples, whole = _share
    rows = shape[0] // samples
    return torch.rand(rows * whole, *shape[1:], device=device)[first * rows : (first + samples) * rows]
