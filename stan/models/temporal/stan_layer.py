"""A STAN branch layer: CLS token and patches in, both out, mixed first across frames and then within frames."""

from __future__ import annotations

from copy import deepcopy

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.attention import Places, attend, attend_over_time, attention_weights, own_places
from stan.models.blocks import Block, MapBlock
from stan.models.temporal.base import frame_by_frame, mean_over_frames
from stan.models.temporal.dropout import PLACES, DropPath
from stan.models.temporal.video_tokens import convolve_over_time, transform, without_padding, zero


class StanLayer(nn.Module):
    """A cross-frame module, then an intra-frame module; either may be missing. `block` is CLIP's and is copied."""

    def __init__(
        self,
        width: int,
        heads: int,
        block: Block | MapBlock,
        drop_path: float,
        cross_frame: str,
        convolution: str,
        intra_frame: bool,
        grid: tuple[int, int],
    ):
        super().__init__()
        self.cross_frame = _cross_frame(width, heads, drop_path, cross_frame, convolution, grid)
        self.intra_frame = _intra_frame(block, drop_path, grid) if intra_frame else None

    def forward(
        self,
        cls: Float[Tensor, "B 1 D"],
        patches: Float[Tensor, "B T P D"],
        mask: Bool[Tensor, "B T"] | None,
        cls_only: bool = False,
    ) -> tuple[Float[Tensor, "B 1 D"], Float[Tensor, "B T P D"]]:
        """Run the layer. With `cls_only`, the CLS token has passed the intra-frame module; the patches may not have."""
        if self.cross_frame is not None:
            patches = self.cross_frame(patches, mask)
        if self.intra_frame is not None:
            cls, patches = self.intra_frame(cls, patches, mask, cls_only)
        return cls, patches

    def attention(
        self, cls: Float[Tensor, "B 1 D"], patches: Float[Tensor, "B T P D"], mask: Bool[Tensor, "B T"] | None
    ) -> dict[str, Tensor]:
        """Return weights on the same input: `cross_frame` (B, P, heads, T, T), `intra_frame` (B, T, heads, S, S)."""
        weights = {}
        if isinstance(self.cross_frame, CrossFrameAttention):
            weights["cross_frame"] = self.cross_frame.weights(patches, mask)
        if self.cross_frame is not None:
            patches = self.cross_frame(patches, mask)
        if isinstance(self.intra_frame, IntraFrame):
            weights["intra_frame"] = self.intra_frame.weights(cls, patches)
        return weights


class CrossFrameAttention(nn.Module):
    """Attention of each patch over its own position in all frames, and a projection that starts at zero."""

    def __init__(self, width: int, heads: int, drop_path: float):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.drop_path = DropPath(drop_path)
        self.temporal_fc = zero(nn.Linear(width, width))

    def forward(
        self, patches: Float[Tensor, "B T P D"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B T P D"]:
        y = attend_over_time(self.attention, self.norm(patches), mask)
        return patches + self.temporal_fc(self.drop_path(y, PLACES))

    def weights(self, patches: Tensor, mask: Tensor | None) -> Float[Tensor, "B P heads T T"]:
        count = patches.shape[2]
        keys = None if mask is None else repeat(mask, "b t -> (b p) 1 1 t", p=count)
        x = rearrange(self.norm(patches), "b t p d -> (b p) t d")
        return rearrange(attention_weights(self.attention, x, keys), "(b p) h q k -> b p h q k", p=count)


class DenseConvolution(nn.Module):
    """A full convolution over frames, rows and columns, and a projection that starts at zero (first released code).

    kernel: its size along (time, rows, columns). grid: rows and columns of a frame's patches.
    """

    def __init__(self, width: int, drop_path: float, kernel: tuple[int, int, int], grid: tuple[int, int]):
        super().__init__()
        self.grid = grid
        self.over_time = nn.Conv3d(width, width, kernel, padding="same")
        self.drop_path = DropPath(drop_path)
        self.temporal_fc = zero(nn.Linear(width, width))

    def forward(
        self, patches: Float[Tensor, "B T P D"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B T P D"]:
        folded = rearrange(without_padding(patches, mask), "b t (h w) d -> b d t h w", h=self.grid[0])
        y = rearrange(self.over_time(folded), "b d t h w -> b t (h w) d")
        return patches + self.temporal_fc(self.drop_path(y))


class BottleneckConvolution(nn.Module):
    """Down to an eighth of the channels, 3x1x1 convolution over time, GELU, up (eq. 9).

    The projection up starts at zero; the source doesn't state its start.
    """

    def __init__(self, width: int, drop_path: float):
        super().__init__()
        self.down = nn.Linear(width, width // 8)
        self.over_time = nn.Conv3d(width // 8, width // 8, (3, 1, 1), padding=(1, 0, 0))
        self.up = zero(nn.Linear(width // 8, width))
        self.drop_path = DropPath(drop_path)

    def forward(
        self, patches: Float[Tensor, "B T P D"], mask: Bool[Tensor, "B T"] | None
    ) -> Float[Tensor, "B T P D"]:
        y = convolve_over_time(self.over_time, without_padding(self.down(patches), mask))
        return patches + self.drop_path(self.up(nn.functional.gelu(y)))


CrossFrame = CrossFrameAttention | DenseConvolution | BottleneckConvolution


class IntraFrame(nn.Module):
    """A copy of a CLIP block that runs on each frame with the video's one CLS token; CLS outputs are averaged."""

    places: Places | None

    def __init__(self, block: Block, drop_path: float, patches: int):
        super().__init__()
        self.block: Block = deepcopy(block).requires_grad_(True)
        self.drop_path = DropPath(drop_path)
        places = None if own_places(block.attn) is None else torch.arange(1 + patches)
        self.register_buffer("places", places, persistent=False)

    def forward(
        self,
        cls: Float[Tensor, "B 1 D"],
        patches: Float[Tensor, "B T P D"],
        mask: Bool[Tensor, "B T"] | None,
        cls_only: bool = False,
    ) -> tuple[Float[Tensor, "B 1 D"], Float[Tensor, "B T P D"]]:
        block, frames = self.block, patches.shape[1]
        x = self._frames(cls, patches)
        y = self.drop_path(block.ls_1(attend(block.attn, x, None, 1 if cls_only else None, self.places)))
        y = rearrange(y, "(b t) s d -> b t s d", t=frames)
        added, rest = y.split([1, y.shape[2] - 1], 2)
        cls = cls + mean_over_frames(added, mask)
        cls = cls + transform(block, cls)
        if cls_only:
            return cls, patches
        patches = patches + rest
        return cls, patches + transform(block, patches)

    def weights(self, cls: Tensor, patches: Tensor) -> Float[Tensor, "B T heads S S"]:
        weights = attention_weights(self.block.attn, self._frames(cls, patches), places=self.places)
        return rearrange(weights, "(b t) h q k -> b t h q k", t=patches.shape[1])

    def _frames(self, cls: Tensor, patches: Tensor) -> Float[Tensor, "BT S D"]:
        x = torch.cat([repeat(cls, "b 1 d -> b t 1 d", t=patches.shape[1]), patches], 2)
        return self.block.ln_1(rearrange(x, "b t s d -> (b t) s d"))


class IntraFrameMap(nn.Module):
    """A copy of a CLIP block that only knows patches; the mean of what it adds to them is added to the CLS token.

    So all patches pass it, whether or not they are read later (`cls_only`).
    """

    def __init__(self, block: MapBlock, drop_path: float):
        super().__init__()
        self.block: MapBlock = deepcopy(block).requires_grad_(True)
        self.drop_path = DropPath(drop_path)

    def forward(
        self,
        cls: Float[Tensor, "B 1 D"],
        patches: Float[Tensor, "B T P D"],
        mask: Bool[Tensor, "B T"] | None,
        cls_only: bool = False,
    ) -> tuple[Float[Tensor, "B 1 D"], Float[Tensor, "B T P D"]]:
        added = self.drop_path(frame_by_frame(self.block, patches) - patches)
        return cls + mean_over_frames(added.mean(2, keepdim=True), mask), patches + added


def _intra_frame(
    block: Block | MapBlock, drop_path: float, grid: tuple[int, int]
) -> IntraFrame | IntraFrameMap:
    if isinstance(block, MapBlock):
        return IntraFrameMap(block, drop_path)
    return IntraFrame(block, drop_path, patches=grid[0] * grid[1])


DENSE = {"dense": (3, 3, 3), "dense_over_time": (3, 1, 1)}
"""Kernels of the full convolution, along (time, rows, columns), by the option's value."""
CONVOLUTIONS = (*DENSE, "bottleneck")


def _cross_frame(
    width: int, heads: int, drop_path: float, kind: str, convolution: str, grid: tuple[int, int]
) -> CrossFrame | None:
    if kind == "none":
        return None
    if kind == "attention":
        return CrossFrameAttention(width, heads, drop_path)
    if convolution == "bottleneck":
        return BottleneckConvolution(width, drop_path)
    return DenseConvolution(width, drop_path, DENSE[convolution], grid)
