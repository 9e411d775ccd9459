"""Joint space-time attention: all frames' tokens in one sequence through CLIP's blocks (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from stan.models.temporal.base import Temporal, require_cls, require_parts
from stan.models.temporal.dropout import DropPath, rising
from stan.models.temporal.video_tokens import TimePositions, run_jointly, run_jointly_with_one_cls

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class JointSpaceTime(Temporal):
    """CLIP's blocks attend over space and time at once (TimeSformer's joint attention, ViViT's model 1).

    one_cls: whether one CLS token serves all frames, and times are added to patches only, as in the sources. False:
        every frame keeps its own CLS token, to which its time is added as well.
    drop_path: rate in the last block; it rises linearly from 0 in the first. TimeSformer has .1.

    The time positions start at zero, so at first the joint sequence is the only difference from CLIP; with one frame
    there is none.
    """

    def __init__(self, clip: Clip, frames: int, *, one_cls: bool = False, drop_path: float = 0.0):
        super().__init__(clip, frames)
        require_parts(clip, "joint_space_time")
        if one_cls:
            require_cls(clip, "joint_space_time with one_cls=True")
        self.changes_from = 0
        self.one_cls = one_cls
        self.time = TimePositions(frames, clip.width)
        self.drop_path = nn.ModuleList(map(DropPath, rising(drop_path, clip.layers, "joint_space_time")))

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        if not self.one_cls:
            return run_jointly(block, self.time(x) if i == 0 else x, mask, self.drop_path[i])
        if i == 0:
            x = torch.cat([x[:, :, :1], self.time(x[:, :, 1:])], 2)
        return run_jointly_with_one_cls(block, x, mask, self.drop_path[i])
