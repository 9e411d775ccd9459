"""TimeSformer's layouts: its authors' release, and Hugging Face's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stan.models.layouts.names import SLOWFAST, Layout, State, count
from stan.models.layouts.sizes import classifier, first_times
from stan.models.layouts.told import layer_norm_eps, require
from stan.models.layouts.vit import BLOCK, EPS, as_clip, attention_names, vit_names


def _timesformer(state: State, told: Mapping[str, Any], eps: float = EPS) -> dict[str, Any]:
    divided = count(state, "temporal.over_time.") > 0
    return classifier(state) | {
        "architecture": as_clip(state, eps),
        "activation": "gelu",
        "frames": first_times(state, told),
        "temporal": "divided_space_time" if divided else "joint_space_time",
        "options": {"one_cls": True},
    }


TIMESFORMER = Layout(
    "TimeSformer",
    (r"time_embed", r"blocks\..+"),
    vit_names("")
    | {"time_embed": "temporal.time.weight", r"head\.(.+)": r"score.fc.\1"}
    | {
        rf"{BLOCK}{theirs}\.(?P<rest>.+)": rf"temporal.over_time.\g<n>.{ours}.\g<rest>"
        for theirs, ours in {"temporal_norm1": "norm", "temporal_fc": "temporal_fc"}.items()
    }
    | attention_names(rf"{BLOCK}temporal_attn", r"temporal.over_time.\g<n>.attention"),
    design=_timesformer,
    pixels=SLOWFAST,
)


def _huggingface_timesformer(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    require(told, {"hidden_act": ("gelu",), "attention_type": ("divided_space_time", "joint_space_time")})
    design = _timesformer(state, told, layer_norm_eps(told, "vit", EPS))
    return design | {"heads": told.get("num_attention_heads")}


_HUGGINGFACE_BLOCK = r"timesformer\.encoder\.layer\.(?P<n>\d+)\."
_IN_BLOCK = {
    r"layernorm_before\.": "ln_1.",
    r"layernorm_after\.": "ln_2.",
    r"attention\.attention\.qkv\.": "attn.in_proj_",
    r"attention\.output\.dense\.": "attn.out_proj.",
    r"intermediate\.dense\.": "mlp.c_fc.",
    r"output\.dense\.": "mlp.c_proj.",
}
_OVER_TIME = {
    r"temporal_layernorm\.": "norm.",
    r"temporal_attention\.attention\.qkv\.": "attention.in_proj_",
    r"temporal_attention\.output\.dense\.": "attention.out_proj.",
    r"temporal_dense\.": "temporal_fc.",
}

HUGGINGFACE_TIMESFORMER = Layout(
    "TimeSformer in Hugging Face's layout",
    (r"timesformer\.embeddings\.time_embeddings", r"timesformer\.encoder\.layer\..+"),
    {
        r"timesformer\.embeddings\.patch_embeddings\.projection\.(.+)": r"clip.visual.conv1.\1",
        r"timesformer\.embeddings\.cls_token": "clip.visual.class_embedding",
        r"timesformer\.embeddings\.position_embeddings": "clip.visual.positional_embedding",
        r"timesformer\.embeddings\.time_embeddings": "temporal.time.weight",
        r"timesformer\.layernorm\.(.+)": r"clip.visual.ln_post.\1",
        r"classifier\.(.+)": r"score.fc.\1",
    }
    | {
        rf"{_HUGGINGFACE_BLOCK}{theirs}(?P<rest>.+)": rf"{of_block}.\g<n>.{ours}\g<rest>"
        for of_block, parts in (
            ("clip.visual.transformer.resblocks", _IN_BLOCK),
            ("temporal.over_time", _OVER_TIME),
        )
        for theirs, ours in parts.items()
    },
    design=_huggingface_timesformer,
    pixels=SLOWFAST,
)
