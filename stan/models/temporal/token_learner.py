"""TokenLearner: halfway through CLIP, a few tokens replace each frame's patches and mix over time (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stan.models.temporal.base import Project, Temporal, require_free_places, require_parts
from stan.models.temporal.video_tokens import TimePositions, draw_as_flax, run_jointly

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class TokenLearner(Temporal):
    """Pools patches by learned maps before a block; from there on, attention covers all frames.

    tokens: number of tokens that replace the P patches of each frame. bottleneck: width of the maps' MLP.
    block: the first block that reads the learned tokens, counted from 0; None means that half of the blocks lie before
    it.

    released: False: before the block, frames are processed separately, as in CLIP. They keep their own CLS tokens, and
        time positions, which start at zero, are added to all tokens at the block. The maps start as torch draws them,
        which is flatter than in the source. True: as there, all blocks join the frames, there is no CLS token, each
        patch of each frame has a position (zero at first, added to CLIP's) and the video is the mean of all tokens; the
        maps have the tanh approximation of GELU, a layer norm eps of 1e-6 and matrices from Xavier's distribution.

    This follows the authors' version 1.1 and its video mode (scenic, `token_learner/model.py`).
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        tokens: int = 8,
        bottleneck: int = 64,
        block: int | None = None,
        released: bool = False,
    ):
        super().__init__(clip, frames)
        require_parts(clip, "token_learner")
        require_free_places(clip, "token_learner")
        self.block = self.changes_from = clip.layers // 2 if block is None else block
        if not 0 <= self.block < clip.layers:
            raise ValueError(f"token_learner: block={block}: this CLIP has blocks 0 to {clip.layers - 1}")
        if not 1 <= tokens <= clip.patches or bottleneck < 1:
            raise ValueError(
                f"token_learner: tokens={tokens}, bottleneck={bottleneck}: choose 1 to {clip.patches} tokens (the"
                " patches of a frame) and a bottleneck of at least 1"
            )
        self.released = released
        self.maps = nn.Sequential(
            nn.LayerNorm(clip.width, eps=1e-6 if released else 1e-5),
            nn.Linear(clip.width, bottleneck),
            nn.GELU("tanh" if released else "none"),
            nn.Linear(bottleneck, tokens),
        )
        if released:
            self.changes_from = 0
            self.maps.apply(draw_as_flax)
            self.position = nn.Parameter(torch.zeros(frames, clip.patches, clip.width))
        else:
            self.time = TimePositions(frames, clip.width)

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        if self.released:
            x = self.placed(x[:, :, self.own_tokens :]) if i == 0 else x
            return run_jointly(block, self.pooled(x) if i == self.block else x, mask)
        if i < self.block:
            return super().inside(i, block, x, mask)
        if i == self.block:
            own, patches = x.split([self.own_tokens, x.shape[2] - self.own_tokens], 2)
            x = self.time(torch.cat([own, self.pooled(patches)], 2))
        return run_jointly(block, x, mask)

    def beside(self, i: int, x: Tensor, side: Tensor | None, mask: Tensor | None) -> Tensor:
        return x

    def after(self, cls: Tensor, side: Tensor, mask: Tensor | None, project: Project) -> Tensor:
        return project(side).mean(2) if self.released else super().after(cls, side, mask, project)

    def placed(self, patches: Float[Tensor, "B T P D"]) -> Float[Tensor, "B T P D"]:
        """Add the released form's positions. Raises ValueError for more frames than there are positions for."""
        count = patches.shape[1]
        if count > len(self.position):
            raise ValueError(f"{count} frames; this model was built for {len(self.position)} at most")
        return patches + self.position[:count]

    def pooled(self, patches: Float[Tensor, "B T P D"]) -> Float[Tensor, "B T tokens D"]:
        """Return each frame's learned tokens."""
        return self.maps(patches).softmax(2).transpose(2, 3) @ patches
