"""EVL's layout: a decoder beside CLIP and its classifier, alone as released or beside the image tower that it tuned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from stan.models.layouts.clip import join_projections
from stan.models.layouts.names import Layout, State, count, needed
from stan.models.layouts.sizes import classifier
from stan.models.layouts.told import flags
from stan.models.layouts.vit import bias_into_positions

_LAYER, _BLOCK = r"decoder\.decoder_layers\.(\d+)\.", r"backbone\.blocks\.(\d+)\."
_RESBLOCK = r"clip.visual.transformer.resblocks.\1."
_IN_LAYER = {
    r"attn\.q_proj": "query",
    r"attn\.k_proj": "key",
    r"attn\.v_proj": "value",
    r"attn\.out_proj": "out",
    r"mlp\.fc1": "up",
    r"mlp\.fc2": "down",
    "norm1": "query_norm",
    "norm2": "mlp_norm",
    "norm3": "token_norm",
}
_IN_BLOCK = {
    r"attn\.in_proj_": "attn.in_proj_",
    r"attn\.out_proj\.": "attn.out_proj.",
    r"mlp\.fc1\.": "mlp.c_fc.",
    r"mlp\.fc2\.": "mlp.c_proj.",
    r"norm1\.": "ln_1.",
    r"norm2\.": "ln_2.",
}
_QUERY = "temporal.query"
_PATCHES, _BIAS = "clip.visual.conv1.weight", "clip.visual.conv1.bias"
_POSITIONS = "clip.visual.positional_embedding"


def _join_tower(state: Mapping[str, Tensor]) -> State:
    """Join the projections of the tower's attention; those of the decoder stay apart."""
    tower = {key: value for key, value in state.items() if key.startswith("backbone.")}
    return join_projections(tower) | {key: value for key, value in state.items() if key not in tower}


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    tower = [_PATCHES, _BIAS, _POSITIONS] if count(state, "clip.visual.transformer.resblocks.") else []
    needed(state, _QUERY, *tower)
    for name in state:
        if name.endswith(".convolution.weight"):  # ours is one patch wide
            state[name] = state[name][..., None, None]
    if tower:
        side = math.isqrt(state[_PATCHES].shape[1] // 3)
        state[_PATCHES] = state[_PATCHES].unflatten(1, (3, side, side))  # there, a matrix embeds the patches
        bias_into_positions(state)
    times = next((value for key, value in state.items() if key.startswith("temporal.times.")), None)
    return (
        classifier(state)
        | {
            "temporal": "evl",
            "options": {
                "layers": count(state, "temporal.layers."),
                "heads": flags(told).get("decoder_num_heads", max(1, len(state[_QUERY]) // 64)),
                "convolution": count(state, "temporal.over_time.") > 0,
                "times": times is not None,
                "matches": count(state, "temporal.matches.") > 0,
            },
        }
        | ({} if times is None else {"frames": len(times)})
    )


RELEASED = Layout(
    "the released EVL",
    (r"decoder\.decoder_layers\..+",),
    {rf"{_LAYER}{theirs}\.(.+)": rf"temporal.layers.\1.{ours}.\2" for theirs, ours in _IN_LAYER.items()}
    | {rf"{_BLOCK}{theirs}(.+)": rf"{_RESBLOCK}{ours}\2" for theirs, ours in _IN_BLOCK.items()}
    | {
        r"decoder\.cls_token": _QUERY,
        r"decoder\.temporal_conv\.(\d+)\.(.+)": r"temporal.over_time.\1.convolution.\2",
        r"decoder\.temporal_pos_embed\.(\d+)": r"temporal.times.\1.weight",
        r"decoder\.cross_attention\.(\d+)\.w1": r"temporal.matches.\1.previous",
        r"decoder\.cross_attention\.(\d+)\.w2": r"temporal.matches.\1.following",
        r"proj\.0\.(.+)": r"clip.visual.ln_post.\1",
        r"proj\.2\.(.+)": r"score.fc.\1",
        r"backbone\.patch_embed\.proj\.(.+)": r"clip.visual.conv1.\1",
        r"backbone\.cls_token": "clip.visual.class_embedding",
        r"backbone\.pos_embed": _POSITIONS,
        r"backbone\.(ln_pre\..+)": r"clip.visual.\1",
    },
    prepare=_join_tower,
    design=_design,
)
