"""Parts of an image tower in; the blocks and the patch embedding that all towers here are made of out."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from stan.common.open_clip_import import prepare
from stan.models.attention import Attention, attend

prepare()

from open_clip.transformer import QuickGELU  # noqa: E402

SLOPE = 1.702
"""Of quick GELU, x * sigmoid(1.702 x)."""


def quick_gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The activation of OpenAI's CLIP."""
    return x * torch.sigmoid(SLOPE * x)


class PatchEmbedding(nn.Module):
    """Replaces a convolution whose patches don't overlap by the equivalent matrix product.

    The result lies in memory as the blocks read it: all channels of a patch side by side.
    """

    def __init__(self, convolution: nn.Conv2d):
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias

    def forward(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N D h w"]:
        """Embed the patches; images are converted to the precision of the weights first.

        Pixels at the lower and right border that fill no patch are left out.
        """
        height, width = self.weight.shape[2:]
        filled = images[..., : images.shape[-2] // height * height, : images.shape[-1] // width * width]
        patches = rearrange(
            filled.to(self.weight.dtype), "n c (h p) (w q) -> n h w (c p q)", p=height, q=width
        )
        return F.linear(patches, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


class Block(nn.Module):
    """A transformer block as the sum of its input, what attention adds and what the MLP adds.

    Attention adds `ls_1(attn(ln_1(x)))`, then the MLP `ls_2(mlp(ln_2(x)))`. A block that normalises behind its parts
    has its norms as `ls_1` and `ls_2`.
    """

    def __init__(
        self,
        ln_1: nn.Module,
        attn: Attention,
        ls_1: nn.Module,
        ln_2: nn.Module,
        mlp: nn.Module,
        ls_2: nn.Module,
    ):
        super().__init__()
        self.ln_1, self.attn, self.ls_1 = ln_1, attn, ls_1
        self.ln_2, self.mlp, self.ls_2 = ln_2, mlp, ls_2

    def forward(self, x: Float[Tensor, "N S D"]) -> Float[Tensor, "N S D"]:
        x = x + self.ls_1(attend(self.attn, self.ln_1(x)))
        return x + self.ls_2(self.mlp(self.ln_2(x)))


class MapBlock(nn.Module):
    """A block that works on the map of patches as a whole, such as a convolution; it has no parts to use apart.

    grid: rows and columns. channels_last: whether the block reads maps (N, rows, columns, D), or (N, D, rows, columns).
    """

    def __init__(self, block: nn.Module, grid: tuple[int, int], channels_last: bool):
        super().__init__()
        self.block, self.grid, self.channels_last = block, grid, channels_last

    def forward(self, x: Float[Tensor, "N P D"]) -> Float[Tensor, "N P D"]:
        rows = x.unflatten(1, self.grid)
        if self.channels_last:
            return self.block(rows).flatten(1, 2)
        return self.block(rows.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).flatten(1, 2)


class QuickGeluMlp(nn.Sequential):
    """An MLP with quick GELU as silu(1.702 x) / 1.702: one pass over the widest tokens instead of three.

    The matrix products before and after the activation absorb the two factors.
    """

    c_fc: nn.Linear
    c_proj: nn.Linear

    def forward(self, input: Float[Tensor, "*rest D"]) -> Float[Tensor, "*rest D"]:
        first, last, x = self.c_fc, self.c_proj, input
        y = torch.addmm(first.bias, x.flatten(0, -2), first.weight.t(), beta=SLOPE, alpha=SLOPE)
        y = F.silu(y, inplace=not torch.is_grad_enabled())
        return torch.addmm(last.bias, y, last.weight.t(), alpha=1 / SLOPE).reshape(x.shape)


def with_fewer_passes(mlp: nn.Sequential) -> nn.Sequential:
    """Return the MLP of open_clip's block, as a `QuickGeluMlp` where it has that activation."""
    return QuickGeluMlp(OrderedDict(mlp.named_children())) if isinstance(mlp.gelu, QuickGELU) else mlp
