"""Parts of open_clip's towers in, equivalent parts that need fewer passes but keep their state dict names out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from stan.models.temporal.attention import attend

if TYPE_CHECKING:
    from open_clip.transformer import ResidualAttentionBlock

SLOPE = 1.702
"""Quick GELU is x * sigmoid(1.702 x)."""


class PatchEmbedding(nn.Module):
    """Replaces a convolution whose patches don't overlap by the equivalent matrix product.

    The result lies in memory as the blocks read it: all channels of a patch side by side.
    """

    def __init__(self, convolution: nn.Conv2d):
        super().__init__()
        self.weight = convolution.weight

    def forward(self, images: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N D h w"]:
        """Embed the patches; images are converted to the precision of the weights first."""
        height, width = self.weight.shape[2:]
        patches = rearrange(
            images.to(self.weight.dtype), "n c (h p) (w q) -> n h w (c p q)", p=height, q=width
        )
        return F.linear(patches, self.weight.flatten(1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """A block of the image tower that takes over the parts of open_clip's block."""

    attn: nn.MultiheadAttention
    mlp: nn.Module

    def __init__(self, block: ResidualAttentionBlock):
        super().__init__()
        self.ln_1, self.attn, self.ls_1 = block.ln_1, block.attn, block.ls_1
        self.ln_2, self.mlp, self.ls_2 = block.ln_2, block.mlp, block.ls_2

    def forward(self, x: Float[Tensor, "N S D"], attn_mask: None = None) -> Float[Tensor, "N S D"]:
        """Run the block. open_clip's image tower passes `attn_mask`, which is always None."""
        x = x + self.ls_1(attend(self.attn, self.ln_1(x)))
        return x + self.ls_2(self.mlp(self.ln_2(x)))


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
