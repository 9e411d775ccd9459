"""Joint space-time attention: all frames' tokens in one sequence through CLIP's blocks (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from stan.models.temporal.base import Temporal, require_cls, require_parts
from stan.models.temporal.dropout import DropPath, rising
from stan.models.temporal.video_tokens import TimePositions, run_jointly, run_jointly_with_one_cls

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class JointSpaceTime(Temporal):
    """CLIP's blocks attend over space and time at once (TimeSformer's joint attention, ViViT's model 1, ViCLIP).

    one_cls: whether one CLS token serves all frames, and times are added to patches only, as in the sources. False:
        every frame keeps its own CLS token, to which its time is added as well.
    drop_path: rate in the last block; it rises linearly from 0 in the first. TimeSformer has .1.
    time_before_norm: True adds the times before CLIP's first LayerNorm, as ViCLIP does; the ViTs of the other sources
        have no such norm. False adds them after it, so that the levels of all methods start alike.
    time_by_place: True gives each time a vector for each token, not one for all, as in ViViT.

    The time positions start at zero, so at first the joint sequence is the only difference from CLIP; with one frame
    there is none.
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        one_cls: bool = False,
        drop_path: float = 0.0,
        time_before_norm: bool = False,
        time_by_place: bool = False,
    ):
        super().__init__(clip, frames)
        require_parts(clip, "joint_space_time")
        if one_cls:
            require_cls(clip, "joint_space_time with one_cls=True")
        self.changes_from, self.changes_tokens = 0, time_before_norm
        self.one_cls, self.first_timed = one_cls, int(one_cls)
        places = clip.tokens_per_frame - self.first_timed
        self.time = TimePositions(frames, clip.width, places=places if time_by_place else 1)
        self.drop_path = nn.ModuleList(map(DropPath, rising(drop_path, clip.layers, "joint_space_time")))

    def before(self, x: Tensor) -> Tensor:
        return self.time(x, self.first_timed) if self.changes_tokens else x

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.time(x, self.first_timed) if i == 0 and not self.changes_tokens else x
        run = run_jointly_with_one_cls if self.one_cls else run_jointly
        return run(block, x, mask, self.drop_path[i])
