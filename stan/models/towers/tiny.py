"""Two kinds of image tower in the tiny CLIP's size, under names by which timm, and so open_clip, builds them.

A SigLIP has no class token and is read through an attention pool; an EVA-02 has rotary positions, a gated MLP with a
norm inside it, and a norm inside attention. Both have the tiny CLIP's 4 x 4 patches and six blocks.
"""

from __future__ import annotations

from typing import Any

from timm.models import register_model
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer

SIZE: dict[str, Any] = {"img_size": 48, "patch_size": 12, "embed_dim": 64, "depth": 6, "num_heads": 4}


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
