"""Token roll: before each of CLIP's blocks, some patches move to the neighbouring frames (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from stan.models.temporal.base import Temporal

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class TokenRoll(Temporal):
    """Takes patches from the previous frame, and as many from the next (All-in-one, `temporal_roll.py`).

    share: share of a frame's tokens that roll each way: the first patches come from the previous frame, the last from
    the next.

    The first frame follows the last. There are no parameters; with one frame, the method equals CLIP.
    """

    def __init__(self, clip: Clip, frames: int, *, share: float = 0.125):
        super().__init__(clip, frames)
        self.changes_from = 0
        self.rolled = int(share * (1 + clip.patches))
        if not 1 <= self.rolled <= clip.patches // 2:
            raise ValueError(
                f"token_roll: share={share} rolls {self.rolled} of {clip.patches} patches each way: choose 1 to"
                f" {clip.patches // 2}"
            )

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        real = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask
        video, count = torch.arange(len(x), device=x.device)[:, None], self.rolled
        from_before = x[:, :, 1 : 1 + count][video, _neighbour(real, -1)]
        from_after = x[:, :, -count:][video, _neighbour(real, 1)]
        x = torch.cat([x[:, :, :1], from_before, x[:, :, 1 + count : -count], from_after], 2)
        return super().inside(i, block, x, mask)


def _neighbour(real: Bool[Tensor, "B T"], steps: int) -> Int[Tensor, "B T"]:
    """Return the index of the real frame `steps` further on, wrapping around; padding frames keep their own index."""
    frames = torch.arange(real.shape[1], device=real.device).expand_as(real)
    in_order = (~real).int().argsort(dim=1, stable=True)  # real frames first
    rank = real.cumsum(1) - 1
    return torch.where(real, in_order.gather(1, (rank + steps) % real.sum(1, keepdim=True)), frames)
