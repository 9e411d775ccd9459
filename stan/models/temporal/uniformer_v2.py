"""UniFormerV2: a query asks the frames' tokens of the last levels, and CLIP's blocks may convolve patches over time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.temporal.base import Project, Temporal, last_norm, mean_over_frames, require_parts
from stan.models.temporal.decoder_layer import DecoderLayer, heads_of_query
from stan.models.temporal.dropout import DropPath, rising
from stan.models.temporal.video_tokens import (
    attend_within,
    convolve_over_time,
    transform,
    without_padding,
    zero,
)
from stan.models.towers.base import widened

if TYPE_CHECKING:
    from stan.models.blocks import Block
    from stan.models.clip import Clip

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
    "none": nn.Identity,
}
"""What precedes a convolution over time inside CLIP's blocks, by name."""


class UniformerV2(Temporal):
    """Global blocks beside CLIP and local ones inside it (UniFormerV2, `uniformerv2_model.py`).

    Global: one query per video attends to all frames' tokens, at one of the last levels after another. To patches, it
    sees added what a convolution over their neighbours in space and time makes of them. Local: convolutions over time
    inside CLIP's blocks, see `convolutions`.

    layers: number of global blocks; the last one reads CLIP's last block. The source has 4 for Kinetics, and 8 of 12
    for Something-Something. With 0 there is no query: the video is the mean over frames. heads: of the query's
    attention, None for as many as CLIP's blocks have. convolutions: how many convolutions over time a block of CLIP's
    gets: 0 (the source's choice for Kinetics), 1, before attention, or 2, one more before the MLP (for
    Something-Something). bottleneck: their channels, None for two thirds of CLIP's. norm: what precedes them, one of
    NORMS; the source has `batch`. mixed: True mixes the query with the mean over frames of CLIP's pooled token, channel
    by channel in learned shares; False reads the query alone, as the source does where CLIP is frozen. dropout: share
    of the channels inside a global block's MLP that training drops, .5 in the source. drop_path, block_drop_path: rates
    in the last global block and in CLIP's last block; they rise linearly from 0 (.4 and .2 in the source for
    Something-Something, where a global block is dropped for all videos of a batch at once, and a token's path in CLIP's
    blocks for all frames at once; here both are drawn for each video).

    CLIP's last LayerNorm and projection read what is mixed. The norm is trained even where CLIP is frozen: in the
    source it is a new one.

    Starts as in the source: query and all that it adds at zero, equal shares, convolutions over time at zero. So the
    model starts as CLIP, but for the mean over frames, which is taken before the last norm.
    """

    def __init__(
        self,
        clip: Clip,
        frames: int,
        *,
        layers: int = 4,
        heads: int | None = None,
        convolutions: int = 0,
        bottleneck: int | None = None,
        norm: str = "batch",
        mixed: bool = True,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        block_drop_path: float = 0.0,
    ):
        super().__init__(clip, frames)
        heads = heads_of_query(clip, heads, "uniformer_v2")
        bottleneck = int(clip.width // 1.5) if bottleneck is None else bottleneck
        _require(clip, layers, convolutions, bottleneck, norm)
        self.trained_of_clip = last_norm(clip)
        self.first = clip.layers - layers
        self.levels = tuple(range(self.first, clip.layers)) or self.levels
        self.query = nn.Parameter(torch.zeros(clip.width)) if layers else None
        self.neighbours = nn.ModuleList(_over_neighbours(clip.width) for _ in range(layers))
        self.layers = nn.ModuleList(
            _starting_at_zero(DecoderLayer(clip.width, heads, dropout, rate))
            for rate in rising(drop_path, layers, "uniformer_v2")
        )
        self.before_attention, self.before_mlp = (
            nn.ModuleList(
                LocalConvolution(clip.width, bottleneck, norm, clip.prefix) for _ in clip.blocks[:count]
            )
            for count in (clip.layers * (convolutions > 0), clip.layers * (convolutions > 1))
        )
        self.block_drop_path = nn.ModuleList(
            map(DropPath, rising(block_drop_path, clip.layers, "uniformer_v2"))
        )
        if convolutions or block_drop_path:
            require_parts(clip, "uniformer_v2")
            self.changes_from = 0
        self.balance = nn.Parameter(torch.zeros(clip.visual.pooled_width)) if mixed and layers else None
        self.grid = clip.grid

    def inside(self, i: int, block: Block, x: Tensor, mask: Tensor | None) -> Tensor:
        if self.changes_from:
            return super().inside(i, block, x, mask)
        drop = self.block_drop_path[i]
        if self.before_attention:
            x = self.before_attention[i](x, mask, drop)
        x = x + drop(attend_within(block, x))
        if self.before_mlp:
            x = self.before_mlp[i](x, mask, drop)
        return x + drop(transform(block, x))

    def beside(self, i: int, x: Tensor, side: Tensor | None, mask: Tensor | None) -> Tensor | None:
        if i < self.first or self.query is None:
            return None
        query = repeat(self.query, "d -> b 1 d", b=x.shape[0]) if side is None else side
        return self.layers[i - self.first](query, self.read(i - self.first, x, mask), mask)

    def read(
        self, k: int, x: Float[Tensor, "B T S D"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B T S D"]:
        """Return what layer `k`'s query reads: a block's output `x`, with what their neighbours add to patches."""
        own, patches = x.split([self.own_tokens, x.shape[2] - self.own_tokens], 2)
        given = rearrange(without_padding(patches, mask), "b t (h w) d -> b d t h w", h=self.grid[0])
        added = rearrange(self.neighbours[k](given), "b d t h w -> b t (h w) d")
        return torch.cat([own, patches + added], 2)

    def after(self, cls: Tensor, side: Tensor | None, mask: Tensor | None, project: Project) -> Tensor:
        own = mean_over_frames(cls, mask, keepdim=True)
        video = own if side is None else widened(side, cls.shape[2])
        if self.balance is not None:
            share = self.balance.sigmoid()
            video = (1 - share) * video + share * own
        return project(video).expand(-1, cls.shape[1], -1)


class LocalConvolution(nn.Module):
    """Normalises patches, projects them down, convolves each channel over three frames, and projects up.

    There is no activation. What comes out, zero at first, is added to the patches; the `prefix` tokens before them are
    left as they are. In training, the statistics of a norm over the batch are of all patches in its real frames.
    """

    def __init__(self, width: int, bottleneck: int, norm: str, prefix: int):
        super().__init__()
        self.prefix = prefix
        self.norm = NORMS[norm](width)
        self.down, self.up = nn.Linear(width, bottleneck), zero(nn.Linear(bottleneck, width))
        self.over_time = nn.Conv3d(bottleneck, bottleneck, (3, 1, 1), padding=(1, 0, 0), groups=bottleneck)

    def forward(
        self, x: Float[Tensor, "B T S D"], mask: Bool[Tensor, "B T"] | None, drop_path: nn.Module
    ) -> Float[Tensor, "B T S D"]:
        own, patches = x.split([self.prefix, x.shape[2] - self.prefix], 2)
        y = without_padding(self.down(self._normalised(patches, mask)), mask)
        return torch.cat([own, patches + drop_path(self.up(convolve_over_time(self.over_time, y)))], 2)

    def _normalised(
        self, patches: Float[Tensor, "B T P D"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B T P D"]:
        if mask is None or not self.training:
            return self.norm(patches.flatten(0, 2)).view_as(patches)
        y = torch.zeros_like(patches)
        real = patches[mask]
        y[mask] = self.norm(real.flatten(0, 1)).view_as(real)
        return y


def _require(clip: Clip, layers: int, convolutions: int, bottleneck: int, norm: str) -> None:
    """Raise ValueError, naming it, for a setting that fits no such method or not this CLIP."""
    if not 0 <= layers <= clip.layers:
        raise ValueError(
            f"uniformer_v2: layers={layers}: choose 0 to {clip.layers}, as many as this CLIP's blocks"
        )
    if convolutions not in (0, 1, 2):
        raise ValueError(
            f"uniformer_v2: convolutions={convolutions}: choose 0, 1 or 2 for each of CLIP's blocks"
        )
    if bottleneck < 1:
        raise ValueError(f"uniformer_v2: bottleneck={bottleneck}: it must be at least 1")
    if norm not in NORMS:
        raise ValueError(f"uniformer_v2: norm={norm!r}: choose one of {tuple(NORMS)}")


def _over_neighbours(width: int) -> nn.Conv3d:
    """Return a convolution of each channel over 3 x 3 patches of 3 frames."""
    convolution = nn.Conv3d(width, width, 3, padding=1, groups=width)
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return convolution


def _starting_at_zero(layer: DecoderLayer) -> DecoderLayer:
    """Return the layer with the source's start: what it adds is zero, and the rest from Xavier's distribution.

    Queries, keys and values are one matrix there, from which the distribution's bound follows.
    """
    bound = (6 / (4 * layer.query.in_features)) ** 0.5
    for linear in (layer.query, layer.key, layer.value):
        nn.init.uniform_(linear.weight, -bound, bound)
    layer.up.reset_parameters()
    nn.init.xavier_uniform_(layer.up.weight)
    zero(layer.out)
    zero(layer.down)
    return layer
