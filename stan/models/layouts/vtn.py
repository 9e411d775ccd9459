"""VTN's layout: a ViT, a Longformer over its frames, and a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from stan.models.layouts.names import SLOWFAST, Layout, State, count, needed
from stan.models.layouts.sizes import classifier
from stan.models.layouts.told import flags, part
from stan.models.layouts.vit import as_clip, join, vit_names

_LONGFORMERS = ("query", "key", "value", "query_global", "key_global", "value_global")
"""The six projections of each of the Longformer's attentions."""


def _join_longformer(state: Mapping[str, Tensor]) -> State:
    return join(state, [f".attention.self.{part}." for part in _LONGFORMERS], ".attention.self.all.")


def _vtn(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    layer = "temporal.layers.0.mlp.0.bias"
    needed(state, "temporal.cls", "temporal.position", layer)
    state["temporal.cls"] = state["temporal.cls"].flatten()
    windows = {*flags(told).get("attention_window", [18])}
    if len(windows) > 1:
        raise ValueError(f"the layers' windows {sorted(windows)} differ: vtn has one for all of them")
    options = {
        "layers": count(state, "temporal.layers."),
        "heads": part(told, "temporal").get("heads"),
        "window": windows.pop(),
        "hidden": len(state[layer]),
        "positions": len(state["temporal.position"]),
    }
    return classifier(state) | {
        "architecture": as_clip(state),
        "activation": "gelu",
        "temporal": "vtn",
        "options": {name: value for name, value in options.items() if value is not None},
    }


_LONGFORMER = {
    r"attention\.self\.all\.": "projections.",
    r"attention\.output\.dense\.": "out.",
    r"attention\.output\.LayerNorm\.": "norm_1.",
    r"intermediate\.dense\.": "mlp.0.",
    r"output\.dense\.": "mlp.2.",
    r"output\.LayerNorm\.": "norm_2.",
}

VTN = Layout(
    "VTN",
    (r"temporal_encoder\..+", r"mlp_head\..+", r"backbone\.blocks\..+"),
    vit_names(r"backbone\.")
    | {
        "cls_token": "temporal.cls",
        r"temporal_encoder\.embeddings\.LayerNorm\.(.+)": r"temporal.norm.\1",
        r"temporal_encoder\.embeddings\.position_embeddings\.weight": "temporal.position",
        r"temporal_encoder\.embeddings\.token_type_embeddings\.weight": "temporal.kind",
        r"mlp_head\.([01])\.(.+)": r"temporal.head.\1.\2",
        r"mlp_head\.4\.(.+)": r"score.fc.\1",
    }
    | {
        rf"temporal_encoder\.encoder\.layer\.(?P<n>\d+)\.{theirs}(?P<rest>.+)": (
            rf"temporal.layers.\g<n>.{ours}\g<rest>"
        )
        for theirs, ours in _LONGFORMER.items()
    },
    left_out={
        r"temporal_encoder\.embeddings\.word_embeddings\..+": "a table of words, which frames don't read",
        r"temporal_encoder\.pooler\..+": "never read",
    },
    prepare=_join_longformer,
    design=_vtn,
    pixels=SLOWFAST,
)
