"""TokenLearner: halfway through CLIP a frame's patches become a few tokens, mixed with all frames' (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stan.models.temporal.base import Temporal
from stan.models.temporal.video_tokens import TimePositions, run_jointly

if TYPE_CHECKING:
    from stan.models.clip import Clip


class TokenLearner(Temporal):
    """Patches pooled by learned maps before a block, and attention over all frames from there on.

    tokens: S, by which the P patches of each frame are replaced. bottleneck: width of the maps' MLP.
    block: the first to read the learned tokens, counted from 0; None means half of them lie before it.

    After the authors' version 1.1 and its video mode (scenic, `token_learner/model.py`). Before the block,
    frames are apart as in CLIP; the source joins them there, too. The frames' own CLS stay, and the times
    added to the learned tokens start at zero: the source has neither.
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

    def inside(self, i: int, block: nn.Module, x: Tensor, mask: Tensor | None) -> Tensor:
        if i < self.block:
            return super().inside(i, block, x, mask)
        if i == self.block:
            x = self.time(torch.cat([x[:, :, :1], self._pool(x[:, :, 1:])], 2))
        return run_jointly(block, x, mask)

    def _pool(self, patches: Float[Tensor, "B T P D"]) -> Float[Tensor, "B T tokens D"]:
        return self.maps(patches).softmax(2).transpose(2, 3) @ patches
