"""TokenLearner: halfway through CLIP, a few tokens replace each frame's patches and mix over time (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stan.models.temporal.base import Temporal
from stan.models.temporal.video_tokens import TimePositions, run_jointly

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class TokenLearner(Temporal):
    """Pools patches by learned maps before a block; from there on, attention covers all frames.

    tokens: number of tokens that replace the P patches of each frame. bottleneck: width of the maps' MLP.
    block: the first block that reads the learned tokens, counted from 0; None means that half of the blocks lie before
    it.

    This follows the authors' version 1.1 and its video mode (scenic, `token_learner/model.py`). Before the block,
    frames are processed separately, as in CLIP; the source joins them there, too. Frames keep their own CLS tokens, and
    time positions, which start at zero, are added to all tokens at the block; the source has neither.
    """

    def __init__(
        self, clip: Clip, frames: int, *, tokens: int = 8, bottleneck: int = 64, block: int | None = None
    ):
        super().__init__(clip, frames)
        self.block = self.changes_from = clip.layers // 2 if block is None else block
        if not 0 <= self.block < clip.layers:
            raise ValueError(f"token_learner: block={block}: this CLIP has blocks 0 to {clip.layers - 1}")
        if not 1 <= tokens <= clip.patches or bottleneck < 1:
            raise ValueError(
                f"token_learner: tokens={tokens}, bottleneck={bottleneck}: choose 1 to {clip.patches} tokens (the"
                " patches of a frame) and a bottleneck of at least 1"
            )
        self.maps = nn.Sequential(
            nn.LayerNorm(clip.width),
            nn.Linear(clip.width, bottleneck),
            nn.GELU(),
            nn.Linear(bottleneck, tokens),
        )
        self.time = TimePositions(frames, clip.width)

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        if i < self.block:
            return super().inside(i, block, x, mask)
        if i == self.block:
            x = self.time(torch.cat([x[:, :, :1], self._pool(x[:, :, 1:])], 2))
        return run_jointly(block, x, mask)

    def _pool(self, patches: Float[Tensor, "B T P D"]) -> Float[Tensor, "B T tokens D"]:
        return self.maps(patches).softmax(2).transpose(2, 3) @ patches
