"""Divided space-time attention: over time at each patch, then CLIP's own within the frame (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from stan.models.temporal.base import Temporal
from stan.models.temporal.stan_layer import CrossFrameAttention
from stan.models.temporal.video_tokens import TimePositions

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip


class DividedSpaceTime(Temporal):
    """In every block, temporal attention comes first, then the block as CLIP runs it (TimeSformer, Frozen).

    Norm and attention start as copies of the block's own (TimeSformer). The projection after them and the time
    positions start at zero (both sources), so the model starts as CLIP. Every frame keeps its own CLS token, as in
    CLIP, which takes part only in spatial attention; in the sources, one CLS token serves all frames.
    """

    def __init__(self, clip: Clip, frames: int):
        super().__init__(clip, frames)
        self.changes_from = 0
        self.time = TimePositions(frames, clip.width)
        self.over_time = nn.ModuleList(_temporal_attention(block, clip.heads) for block in clip.blocks)

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        cls, patches = x.split([1, x.shape[2] - 1], 2)
        patches = self.over_time[i](self.time(patches) if i == 0 else patches, mask)
        return super().inside(i, block, torch.cat([cls, patches], 2), mask)


def _temporal_attention(block: Block, heads: int) -> CrossFrameAttention:
    layer = CrossFrameAttention(block.attn.embed_dim, heads, drop_path=0.0)
    layer.norm.load_state_dict(block.ln_1.state_dict())
    layer.attention.load_state_dict(block.attn.state_dict())
    return layer
