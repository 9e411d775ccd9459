"""ST-Adapter: depthwise convolutions over time in a bottleneck, between the parts of CLIP's blocks (intermediate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.temporal.base import Project, Temporal, mean_over_frames, require_parts
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
    source). layers: number of the last blocks that have adapters; None for all, as in the source's models. last_mlp:
    True also puts an adapter before the last MLP, as the source does; it changes patches that only a similarity could
    read afterwards, and is left out by default. norm_after_mean: True makes the video's embedding of the mean of the
    frames' CLS tokens, as the source does: its last LayerNorm follows the mean. False averages the frames' embeddings.

    The model starts as CLIP, because the convolutions start at zero. The source has no texts: a linear classifier
    reads the video's embedding (similarity `linear_classifier`).
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        before: str = "mlp",
        width: int | None = None,
        layers: int | None = None,
        last_mlp: bool = False,
        norm_after_mean: bool = False,
    ):
        super().__init__(clip, frames)
        require_parts(clip, "st_adapter")
        if before not in PLACEMENTS:
            raise ValueError(f"st_adapter: before={before!r}: choose one of {PLACEMENTS}")
        width = clip.width // 2 if width is None else width
        if width < 1:
            raise ValueError(f"st_adapter: width={width}: it must be at least 1")
        layers = clip.layers if layers is None else layers
        if not 1 <= layers <= clip.layers:
            raise ValueError(f"st_adapter: layers={layers}: choose 1 to {clip.layers}")
        self.changes_from = clip.layers - layers
        self.norm_after_mean = norm_after_mean
        self.before_mlp, self.before_attention = (
            nn.ModuleList(SpatioTemporalAdapter(clip.width, width, clip.prefix) for _ in range(count))
            for count in (layers - (not last_mlp), layers if before == "attention and mlp" else 0)
        )

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        adapter = i - self.changes_from
        if adapter < 0:
            return super().inside(i, block, x, mask)
        if self.before_attention:
            x = self.before_attention[adapter](x, mask)
        x = x + attend_within(block, x)
        if adapter < len(self.before_mlp):
            x = self.before_mlp[adapter](x, mask)
        return x + transform(block, x)

    def pool(self, frames: Tensor, cls: Tensor, mask: Tensor | None, project: Project) -> Tensor:
        if self.norm_after_mean:
            return project(mean_over_frames(cls, mask))
        return super().pool(frames, cls, mask, project)


class SpatioTemporalAdapter(nn.Module):
    """Projects patches down, convolves each channel over three frames, projects up and adds the result to the patches.

    There is no activation, and the CLS token, or whatever `prefix` tokens stand before the patches, is left as it is.
    """

    def __init__(self, width: int, bottleneck: int, prefix: int):
        super().__init__()
        self.prefix = prefix
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
        own, patches = x.split([self.prefix, x.shape[2] - self.prefix], 2)
        y = convolve_over_time(self.over_time, without_padding(self.down(patches), mask))
        return torch.cat([own, patches + self.up(y)], 2)
