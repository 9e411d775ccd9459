"""Temporal shift: before each of CLIP's blocks, some channels of the patches move to the neighbouring frames
(intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from stan.models.temporal.base import Temporal
from stan.models.temporal.video_tokens import without_padding

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class TemporalShift(Temporal):
    """Takes the first channels of each patch from the next frame, and as many from the previous one.

    From ActionCLIP, `modules/temporal_shift.py` (`tsm: True`). divisor: one in so many channels moves each way.

    What comes from beyond a clip's ends is zero. The block reads the shifted patches, and its residual path starts from
    them; the CLS token is left as it is. There are no parameters. The model doesn't start as CLIP.
    """

    def __init__(self, clip: Clip, frames: int, *, divisor: int = 8):
        super().__init__(clip, frames)
        self.changes_from = 0
        if not 2 <= divisor <= clip.width:
            raise ValueError(f"temporal_shift: divisor={divisor}: choose 2 to {clip.width}")
        self.moved = clip.width // divisor

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        own, patches = x.split([self.own_tokens, x.shape[2] - self.own_tokens], 2)
        from_next, from_before, _ = without_padding(patches, mask).split(self._parts(x.shape[3]), 3)
        from_next = F.pad(from_next[:, 1:], (0, 0, 0, 0, 0, 1))
        from_before = F.pad(from_before[:, :-1], (0, 0, 0, 0, 1, 0))
        shifted = torch.cat([from_next, from_before, patches[..., 2 * self.moved :]], 3)
        return super().inside(i, block, torch.cat([own, shifted], 2), mask)

    def _parts(self, width: int) -> list[int]:
        return [self.moved, self.moved, width - 2 * self.moved]
