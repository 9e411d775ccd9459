"""CLIP2Video's temporal difference block: mixes frame embeddings with the differences between them (posterior)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.temporal.base import Project, Temporal
from stan.models.temporal.frame_blocks import copied_blocks, copied_positions, mix, placed

if TYPE_CHECKING:
    from stan.models.clip import Clip


class TemporalDifference(Temporal):
    """Runs frames and the differences between them through one transformer (CLIP2Video, `temporal_difference_block`).

    Differences first pass a block and 2 * sigmoid(LayerNorm(.)) - 1. Then frames and differences alternate, each with
    its position and a type; only the frames' outputs are kept, with a residual. Positions and types start as copies of
    positions of CLIP's text tower, blocks as copies of its first blocks. A difference is real if both of its frames
    are; the released code looks only at the first.
    """

    def __init__(self, clip: Clip, frames: int, *, layers: int = 4):
        super().__init__(clip, frames)
        self.difference = copied_blocks(clip, 1, "temporal_difference")
        self.blocks = copied_blocks(clip, layers, "temporal_difference")
        self.position = copied_positions(clip, frames)
        self.kind = nn.Parameter(self.position.detach()[:2].clone())
        """The types: of differences, then of frames."""
        self.norm = nn.LayerNorm(clip.embed_dim)

    def after(self, x: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(x[:, :, 0])
        real = torch.ones_like(frames[..., 0], dtype=torch.bool) if mask is None else mask
        both = F.pad(real[:, :-1] & real[:, 1:], (0, 1))
        differences = placed(self._differences(frames, both), self.position) + self.kind[0]
        turns = torch.stack([placed(frames, self.position) + self.kind[1], differences], 2).flatten(1, 2)
        mixed = mix(self.blocks, turns, torch.stack([real, both], 2).flatten(1))
        return mixed[:, ::2] + frames

    def _differences(
        self, frames: Float[Tensor, "B T E"], both: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T E"]:
        """Return differences from each frame to the next, within (-1, 1); without meaning where `both` is False."""
        changes = frames.roll(-1, 1) - frames
        position = F.pad(self.position[1 : frames.shape[1]], (0, 0, 0, 1))
        # a clip without any real difference still needs a key for the attention
        keys = both | ~both.any(1, keepdim=True)
        return 2 * self.norm(mix(self.difference, changes + position, keys)).sigmoid() - 1
