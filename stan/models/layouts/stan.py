"""The released STAN's layout: both towers under Hugging Face's names, and the branch beside the image tower."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from stan.models.layouts.clip import (
    huggingface_block,
    huggingface_names,
    join_projections,
    transpose_projections,
)
from stan.models.layouts.names import Layout, State, count

LOGIT_SCALE = math.log(100)  # the released recipe divides cosines by a fixed 0.01

_LAYER = r"backbone\.STAN_{}_layers\.(?P<n>\d+)"
_CROSS_FRAME = {
    r"layer_norm1\.(?P<rest>.+)": r"norm.\g<rest>",
    r"self_attn\.(?P<rest>.+)": r"attention.\g<rest>",
    r"temporal_fc\.(?P<rest>.+)": r"temporal_fc.\g<rest>",
}


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    time = state.get("temporal.time.weight")
    if time is None:
        raise ValueError("lacks temporal.time.weight (our name): no checkpoint of a whole STAN")
    transpose_projections(state, told)
    state["clip.logit_scale"] = torch.tensor(LOGIT_SCALE)
    layers = count(state, "temporal.layers.")
    return {"temporal": "stan", "options": {"layers": layers, "max_frames": len(time)}}


RELEASED = Layout(
    "the released STAN",
    (r"text_backbone\..+|backbone\.(layers\.|STAN_).+",),
    huggingface_names(r"backbone\.", r"text_backbone\.", "", "")
    | {
        r"backbone\.visual_projection\.weight": "clip.visual.proj",
        r"backbone\.STAN_time_embed\.(.+)": r"temporal.time.\1",
    }
    | huggingface_block(_LAYER.format("S"), r"temporal.layers.\g<n>.intra_frame.block")
    | {
        rf"{_LAYER.format('T')}\.{theirs}": rf"temporal.layers.\g<n>.cross_frame.{ours}"
        for theirs, ours in _CROSS_FRAME.items()
    },
    left_out={
        r"adapter\.(text|video)_weight_fc\.(weight|bias)": "the released head `drl_wti`, no part of the towers (its Mug"
        " heads hold no weights)"
    },
    prepare=join_projections,
    design=_design,
)
