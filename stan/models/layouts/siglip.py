"""Hugging Face's layout of a SigLIP or SigLIP 2: a transformer whose image tower ends in a pooling by attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from stan.models.layouts.clip import huggingface_block, join_projections
from stan.models.layouts.names import Layout, State

POOL = "vision_model.head.attention.in_proj_"
TRUNK = "clip.visual.trunk"
VISION = {
    r"vision_model\.embeddings\.patch_embedding\.(.+)": rf"{TRUNK}.patch_embed.proj.\1",
    r"vision_model\.embeddings\.position_embedding\.weight": f"{TRUNK}.pos_embed",
    r"vision_model\.encoder\.layers\.(\d+)\.layer_norm([12])\.(.+)": rf"{TRUNK}.blocks.\1.norm\2.\3",
    r"vision_model\.encoder\.layers\.(\d+)\.self_attn\.in_proj_(.+)": rf"{TRUNK}.blocks.\1.attn.qkv.\2",
    r"vision_model\.encoder\.layers\.(\d+)\.self_attn\.out_proj\.(.+)": rf"{TRUNK}.blocks.\1.attn.proj.\2",
    r"vision_model\.encoder\.layers\.(\d+)\.mlp\.(.+)": rf"{TRUNK}.blocks.\1.mlp.\2",
    r"vision_model\.post_layernorm\.(.+)": rf"{TRUNK}.norm.\1",
    r"vision_model\.head\.probe": f"{TRUNK}.attn_pool.latent",
    r"vision_model\.head\.attention\.(q|kv)\.(.+)": rf"{TRUNK}.attn_pool.\1.\2",
    r"vision_model\.head\.attention\.out_proj\.(.+)": rf"{TRUNK}.attn_pool.proj.\1",
    r"vision_model\.head\.layernorm\.(.+)": rf"{TRUNK}.attn_pool.norm.\1",
    r"vision_model\.head\.mlp\.(.+)": rf"{TRUNK}.attn_pool.mlp.\1",
}
TEXT = {
    r"text_model\.embeddings\.token_embedding\.(.+)": r"clip.text.token_embedding.\1",
    r"text_model\.embeddings\.position_embedding\.weight": "clip.text.positional_embedding",
    r"text_model\.final_layer_norm\.(.+)": r"clip.text.ln_final.\1",
    r"text_model\.head\.(.+)": r"clip.text.text_projection.\1",
} | huggingface_block(r"text_model\.encoder\.layers\.(?P<n>\d+)", r"clip.text.transformer.resblocks.\g<n>")


def _split_pool(state: Mapping[str, Tensor]) -> State:
    """Join the blocks' projections of queries, keys and values; part the pooling's query from its keys and values."""
    joined = join_projections(state)
    for kind in ("weight", "bias"):
        if f"{POOL}{kind}" in joined:
            query, *others = joined.pop(f"{POOL}{kind}").tensor_split([len(state[f"{POOL}{kind}"]) // 3])
            joined |= {
                f"vision_model.head.attention.q.{kind}": query,
                f"vision_model.head.attention.kv.{kind}": others[0],
            }
    return joined


def _as_one_picture(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    """Give positions the axis of pictures that timm's network keeps, in place."""
    positions = f"{TRUNK}.pos_embed"
    if positions in state:
        state[positions] = state[positions][None]
    return {}


HUGGINGFACE = Layout(
    "a SigLIP in Hugging Face's layout",
    (r"vision_model\.head\.probe", r"text_model\.head\.weight"),
    VISION | TEXT | {r"logit_(scale|bias)": r"clip.logit_\1"},
    prepare=_split_pool,
    design=_as_one_picture,
)
"""Under the names of open_clip's model itself, as it is before it is wrapped."""
