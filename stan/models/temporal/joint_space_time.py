"""Joint space-time attention: all frames' tokens in one sequence through CLIP's blocks (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from stan.models.temporal.base import Temporal
from stan.models.temporal.video_tokens import TimePositions, run_jointly

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class JointSpaceTime(Temporal):
    """CLIP's blocks attend over space and time at once (TimeSformer's joint attention, ViViT's model 1).

    The time positions start at zero, so at first the joint sequence is the only difference from CLIP; with one frame
    there is none. Every frame keeps its own CLS token; in the sources, one CLS token serves all frames.
    """

    def __init__(self, clip: Clip, frames: int):
        super().__init__(clip, frames)
        self.changes_from = 0
        self.time = TimePositions(frames, clip.width)

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        return run_jointly(block, self.time(x) if i == 0 else x, mask)
