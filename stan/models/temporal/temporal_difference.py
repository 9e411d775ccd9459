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

RELEASED_MASK = -1e6
"""What the source adds to the logits of masked keys. Where all are masked, it rounds their logits to sixteenths."""


class TemporalDifference(Temporal):
    """Runs frames and the differences between them through one transformer (CLIP2Video, `temporal_difference_block`).

    Differences first pass a block and 2 * sigmoid(LayerNorm(.)) - 1. Then frames and differences alternate, each with
    its position and a type; only the frames' outputs are kept, with a residual. Positions and types start as copies of
    positions of CLIP's text tower, blocks as copies of its first blocks.

    further: number of blocks behind the copied ones, drawn from N(0, .02^2), as in the source where the text tower has
    too few. normalised: as in the base class; the source normalises. eps: of the blocks' LayerNorms, 1e-12 in the
    source; None for CLIP's own 1e-5. first_frame_mask: False lets a difference count if both of its frames are real;
    True if the first is, as in the source.

    The source lays the masks of a batch out head by head and reads them video by video, so that videos of one batch
    get each other's masks. That fault isn't copied.
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        layers: int = 4,
        further: int = 0,
        normalised: bool = False,
        eps: float | None = None,
        first_frame_mask: bool = False,
    ):
        super().__init__(clip, frames, normalised=normalised)
        self.first_frame_mask = first_frame_mask
        self.difference = copied_blocks(clip, 1, "temporal_difference", eps)
        self.blocks = copied_blocks(clip, layers, "temporal_difference", eps, further)
        self.position = copied_positions(clip, frames)
        self.kind = nn.Parameter(self.position.detach()[:2].clone())
        """The types: of differences, then of frames."""
        self.norm = nn.LayerNorm(clip.embed_dim)

    def after(self, cls: Tensor, side: None, mask: Tensor | None, project: Project) -> Tensor:
        frames = project(cls)
        real = torch.ones_like(frames[..., 0], dtype=torch.bool) if mask is None else mask
        return self.mixed(self.blocks, frames, real)

    def mixed(
        self, blocks: nn.ModuleList, frames: Float[Tensor, "B T E"], real: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T E"]:
        """Return frames that have passed `blocks` in turns with their differences, with a residual."""
        differences = placed(self.differences(frames, real), self.position) + self.kind[0]
        turns = torch.stack([placed(frames, self.position) + self.kind[1], differences], 2).flatten(1, 2)
        return mix(blocks, turns, self.turns_mask(real))[:, ::2] + frames

    def turns_mask(self, real: Bool[Tensor, "B T"]) -> Bool[Tensor, "B 2*T"]:
        """Return which of the frames and differences in turn are real; the last frame has no difference."""
        first, second = real[:, :-1], real[:, 1:]
        of_differences = F.pad(first if self.first_frame_mask else first & second, (0, 1))
        return torch.stack([real, of_differences], 2).flatten(1)

    def differences(
        self, frames: Float[Tensor, "B T E"], real: Bool[Tensor, "B T"]
    ) -> Float[Tensor, "B T E"]:
        """Return differences from each frame to the next, within (-1, 1), the last without meaning.

        They are informed by those between two real frames only.
        """
        count = frames.shape[1]
        both = F.pad(real[:, :-1] & real[:, 1:], (0, 1))
        changes = frames.roll(-1, 1) - frames
        position = F.pad(self.position[1:count], (0, 0, 0, 1))
        # a clip without any real difference still needs a key for the attention
        some = torch.arange(count, device=frames.device) < max(1, count - 1)
        keys = torch.where(both | (~both.any(1, keepdim=True) & some), 0.0, float("-inf"))
        if self.first_frame_mask:
            keys = keys.masked_fill(~both & some, RELEASED_MASK)
        return 2 * self.norm(mix(self.difference, changes + position, keys)).sigmoid() - 1
