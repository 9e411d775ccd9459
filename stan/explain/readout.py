"""An image tower and the tokens that its pooling read in; how much of what CLIP reads of a frame each of them is, out.

One definition serves all towers. What CLIP reads of a frame is a weighted sum over tokens of the last block: the CLS
token alone, the mean of the patches, or what an attention pool mixes. Where a map of a tower that reads its CLS token
follows the CLS token's row of a block's attention, a map of any other tower follows the rows of all tokens that are
read, each by its share in that sum. The sum itself is one more layer, and the last one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stan.common.recording import Passes
from stan.models.attention import weights_of
from stan.models.towers import ImageTower
from stan.models.towers.pooling import MeanPool, PoolHeads, pool_heads


@dataclass(frozen=True)
class Readout:
    """The weights with which a tower reads R of a frame's S tokens: the first alone, or the last R."""

    weights: Float[Tensor, "T heads R"]
    """Rows sum to one."""
    first: bool
    """Whether token 0 is what is read; otherwise, the last R tokens are."""
    heads: PoolHeads | None
    """What an attention pool works on, as many heads as `weights` have; None for the CLS token and the mean."""

    @property
    def shares(self) -> Float[Tensor, "T R"]:
        """Share of each token that is read: its weight, as the mean over heads."""
        return self.weights.mean(1)

    def of_read(self, rows: Float[Tensor, "T heads S *rest"]) -> Float[Tensor, "T heads R *rest"]:
        """Return the rows of the tokens that are read."""
        return rows[:, :, :1] if self.first else rows[:, :, -self.weights.shape[2] :]

    def of_all(self, tokens: int) -> Float[Tensor, "T S"]:
        """Return the shares of all S tokens."""
        others = tokens - self.weights.shape[2]
        return F.pad(self.shares, (0, others) if self.first else (others, 0))


def of_cls(tower: ImageTower, frames: int) -> Readout:
    """Return how the CLS token alone is read."""
    weight = next(tower.parameters())
    return Readout(torch.ones(frames, 1, 1, dtype=weight.dtype, device=weight.device), True, None)


def readout_of(tower: ImageTower, passes: dict[nn.Module, Passes], frames: int) -> Readout:
    """Return how `tower` read the frames. passes: those of its pooler, if it has one."""
    if tower.pooler is None:
        return of_cls(tower, frames)
    tokens = passes[tower.pooler].last_argument.flatten(0, -3)
    if isinstance(tower.pooler, MeanPool):
        shape = len(tokens), 1, tokens.shape[1]
        return Readout(tokens.new_full(shape, 1 / tokens.shape[1]), False, None)
    heads = pool_heads(tower.pooler, tokens)
    weights = weights_of(heads.query.expand(len(tokens), -1, -1, -1), heads.key)
    return Readout(weights[:, :, 0], False, heads)
