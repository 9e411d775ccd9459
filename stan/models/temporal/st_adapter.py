"""ST-Adapter: depthwise convolutions over time in a bottleneck, between the parts of CLIP's blocks (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.temporal.base import Temporal
from stan.models.temporal.video_tokens import (
    attend_within,
    convolve_over_time,
    transform,
    without_padding,
    zero,
)

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip

PLACEMENTS = ("mlp", "attention and mlp")


class StAdapter(Temporal):
    """Adapters in CLIP's blocks; CLIP itself is left as it is (ST-Adapter, `models_adapter.py`).

    before: the parts of a block that adapters precede: `mlp` (the source's choice for Kinetics) or `attention and mlp`
    (for Something-Something). width: width of the bottleneck; None means half of CLIP's width (384 of 768 in the
    source).

    The model starts as CLIP, because the convolutions start at zero. The source has one more adapter, before the last
    MLP. It is left out here, because it changes patches that nothing reads afterwards.
    """

    def __init__(self, clip: Clip, frames: int, *, before: str = "mlp", width: int | None = None):
        super().__init__(clip, frames)
        self.changes_from = 0
        if before not in PLACEMENTS:
            raise ValueError(f"st_adapter: before={before!r}: choose one of {PLACEMENTS}")
        width = clip.width // 2 if width is None else width
        if width < 1:
            raise ValueError(f"st_adapter: width={width}: it must be at least 1")
        self.before_mlp = nn.ModuleList(SpatioTemporalAdapter(clip.width, width) for _ in clip.blocks[:-1])
        self.before_attention = nn.ModuleList()
        if before == "attention and mlp":
            self.before_attention.extend(SpatioTemporalAdapter(clip.width, width) for _ in clip.blocks)

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        if self.before_attention:
            x = self.before_attention[i](x, mask)
        x = x + attend_within(block, x)
        if i < len(self.before_mlp):
            x = self.before_mlp[i](x, mask)
        return x + transform(block, x)


class SpatioTemporalAdapter(nn.Module):
    """Projects patches down, convolves each channel over three frames, projects up and adds the result to the patches.

    There is no activation, and the CLS token is left as it is.
    """

    def __init__(self, width: int, bottleneck: int):
        super().__init__()
        self.down = nn.Linear(width, bottleneck)
        self.over_time = zero(
            nn.Conv3d(bottleneck, bottleneck, (3, 1, 1), padding=(1, 0, 0), groups=bottleneck)
        )
        self.up = nn.Linear(bottleneck, width)
        nn.init.zeros_(self.down.bias)
        nn.init.zeros_(self.up.bias)

    def forward(
        self, x: Float[Tensor, "B T S D"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B T S D"]:
        cls, patches = x.split([1, x.shape[2] - 1], 2)
        y = convolve_over_time(self.over_time, without_padding(self.down(patches), mask))
        return torch.cat([cls, patches + self.up(y)], 2)
