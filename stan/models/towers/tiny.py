"""Three kinds of image tower in the tiny CLIP's size, under names by which timm, and so open_clip, builds them.

A SigLIP has no class token and is read through an attention pool; an EVA-02 has rotary positions, a gated MLP with a
norm inside it, and a norm inside attention. Both have the tiny CLIP's 4 x 4 patches and six blocks. The third is made
so that its levels differ: see docs/design/towers.md.
"""

from __future__ import annotations

from typing import Any

from timm.layers import PatchEmbed
from timm.models import register_model
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from stan.models.towers.pooling import averaged

SIZE: dict[str, Any] = {"img_size": 48, "patch_size": 12, "embed_dim": 64, "depth": 6, "num_heads": 4}
DEEPER: dict[str, Any] = {**SIZE, "depth": 9}


@register_model
def stan_tiny_siglip(**given: Any) -> VisionTransformer:
    """A SigLIP's image tower."""
    return VisionTransformer(**SIZE, class_token=False, **_of_network(given))


@register_model
def stan_tiny_eva(**given: Any) -> Eva:
    """An EVA-02's image tower."""
    return Eva(
        **SIZE,
        mlp_ratio=4 * 2 / 3,
        qkv_fused=False,
        swiglu_mlp=True,
        scale_mlp=True,
        scale_attn_inner=True,
        use_rot_pos_emb=True,
        ref_feat_shape=(4, 4),
        **_of_network(given),
    )


def _of_network(given: dict[str, Any]) -> dict[str, Any]:
    """Return what is for the network, of all that timm hands over; the rest says where it would fetch weights."""
    return {name: given[name] for name in ("num_classes", "global_pool")}


class ConvolutionalStem(PatchEmbed):
    """Patches by three convolutions instead of one, so that fine detail passes a nonlinearity first."""

    def __init__(self, embed_dim: int, **given: Any):
        super().__init__(embed_dim=embed_dim, **given)
        half, quarter = embed_dim // 2, embed_dim // 4
        self.proj = nn.Sequential(
            nn.Conv2d(3, quarter, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(quarter, half, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(half, embed_dim, 3, stride=3),
        )


class AveragingVit(VisionTransformer):
    """A transformer that puts the mean of all patches in place of each of them, once, between two blocks."""

    averages_after = 6
    """Index of the block behind which it does."""

    def __init__(self, **given: Any):
        super().__init__(**given)
        self.get_submodule(f"blocks.{self.averages_after}").register_forward_hook(_average)


def _average(block: nn.Module, given: Any, x: Tensor) -> Tensor:
    return averaged(x, prefix=1)


@register_model
def stan_tiny_averaging(**given: Any) -> AveragingVit:
    """A tower that is deeper, sees finer detail and forgets: behind its seventh block, no patch knows its place."""
    return AveragingVit(**DEEPER, embed_layer=ConvolutionalStem, **_of_network(given))
