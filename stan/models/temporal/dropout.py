"""Values of a batch in, the same with some dropped in training out: splitting the batch doesn't change which ones."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

PLACES = (0, 2)
"""Samples of `DropPath` in tokens (B, T, S, D): those at one place of a video's frames, over time."""
FRAMES = (0, 1)
"""Samples of `DropPath` in tokens (B, T, S, D): single frames."""

_share: tuple[int, int, int] | None = None
# Not per thread: where tokens are recomputed for the gradients, a thread of autograd reads this.


@contextmanager
def share(first: int, samples: int, whole: int) -> Generator[None]:
    """Mark what modules see as a share of a batch of `whole` samples: `samples` of them, from number `first` on.

    Within this context, modules drop what they would drop of these samples in the whole batch, if the generator starts
    from the same seed.
    """
    global _share
    before, _share = _share, (first, samples, whole)
    try:
        yield
    finally:
        _share = before


def rising(rate: float, blocks: int, method: str) -> list[float]:
    """Return drop path rates that rise linearly from 0 in the first block to `rate` in the last.

    Raises ValueError for a rate below 0 or from 1 on, naming `method`.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"{method}: drop_path={rate}: it must be at least 0 and below 1")
    return [rate * i / max(1, blocks - 1) for i in range(blocks)]


def share_of_values(rate: float) -> float:
    """Return `rate`, of the values that dropout drops. Raises ValueError for one below 0 or from 1 on."""
    if not 0 <= rate < 1:
        raise ValueError(f"dropout={rate}: it must be at least 0 and below 1")
    return rate


class DropPath(nn.Module):
    """Drops whole samples in training and scales the others up. `samples` are the dimensions that tell them apart."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, x: Float[Tensor, "N ..."], samples: tuple[int, ...] = (0,)) -> Float[Tensor, "N ..."]:
        if not self.training or self.rate == 0:
            return x
        return _dropped(
            x, self.rate, tuple(length if i in samples else 1 for i, length in enumerate(x.shape))
        )


class Dropout(nn.Module):
    """Drops single values in training and scales the others up. Raises ValueError as `share_of_values`."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = share_of_values(rate)

    def forward(self, x: Float[Tensor, "N ..."]) -> Float[Tensor, "N ..."]:
        return _dropped(x, self.rate, x.shape) if self.training and self.rate > 0 else x


def _dropped(x: Tensor, rate: float, shape: tuple[int, ...]) -> Tensor:
    """Drop what of `x` one draw of numbers of `shape`, which `x` is as large as or repeats, says to drop."""
    return x * ((_drawn(shape, x.device) >= rate) / (1 - rate)).to(x.dtype)


def _drawn(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Draw uniform numbers of `shape`.

    In a share, they are the share's rows of the numbers drawn for the whole batch; a sample's rows are neighbours.
    """
    if _share is None:
        return torch.rand(shape, device=device)
    first, samples, whole = _share
    rows = shape[0] // samples
    return torch.rand(rows * whole, *shape[1:], device=device)[first * rows : (first + samples) * rows]
