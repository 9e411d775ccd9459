"""Both releases of STAN: towers under Hugging Face's names, and the branch beside the image tower.

The first release calls its branch `timesFPN` and has no text tower in its image model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from stan.models.layouts.clip import (
    huggingface_block,
    huggingface_names,
    join_projections,
    transpose_projections,
)
from stan.models.layouts.drl import WEIGHER_NAMES, weighing
from stan.models.layouts.names import Layout, State, count, needed

LOGIT_SCALE = math.log(100)  # the released recipe divides cosines by a fixed 0.01

_LAYER = r"backbone\.{branch}_{part}_layers\.(?P<n>\d+)"
_CROSS_FRAME = {
    r"layer_norm1\.(?P<rest>.+)": r"norm.\g<rest>",
    r"self_attn\.(?P<rest>.+)": r"attention.\g<rest>",
    r"layers\.(?P<rest>.+)": r"over_time.\g<rest>",
    r"temporal_fc\.(?P<rest>.+)": r"temporal_fc.\g<rest>",
}


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    needed(state, "temporal.time.weight")
    transpose_projections(state, told)
    state["clip.logit_scale"] = torch.tensor(LOGIT_SCALE)
    layers = count(state, "temporal.layers.")
    options: dict[str, Any] = {"layers": layers, "max_frames": len(state["temporal.time.weight"])}
    if "temporal.layers.0.cross_frame.over_time.weight" in state:
        options |= {"cross_frame": "convolution", "convolution": "dense"}
    return {"temporal": "stan", "options": options}


def _names(branch: str) -> dict[str, str]:
    """Return the names of the towers and of a branch, which is called `branch` there."""
    return (
        huggingface_names(r"backbone\.", r"text_backbone\.", "", "")
        | {
            r"backbone\.visual_projection\.weight": "clip.visual.proj",
            rf"backbone\.{branch}_time_embed\.(.+)": r"temporal.time.\1",
        }
        | huggingface_block(
            _LAYER.format(branch=branch, part="S"), r"temporal.layers.\g<n>.intra_frame.block"
        )
        | {
            rf"{_LAYER.format(branch=branch, part='T')}\.{theirs}": rf"temporal.layers.\g<n>.cross_frame.{ours}"
            for theirs, ours in _CROSS_FRAME.items()
        }
    )


_LEFT_OUT = {
    r"adapter\.(text|video)_weight_fc\.(weight|bias)": "of the released head `drl_wti`, which isn't whole here"
}
RELEASED = Layout(
    "the released STAN",
    (r"text_backbone\..+|backbone\.(layers\.|STAN_).+",),
    _names("STAN"),
    left_out=_LEFT_OUT,
    prepare=join_projections,
    design=_design,
)
FIRST = Layout(
    "STAN's first released code",
    (r"backbone\.timesFPN_.+",),
    _names("timesFPN"),
    left_out=_LEFT_OUT
    | {r"backbone\.timesFPN_(pos_embed\.weight|cls_token)": "the first released code never reads it"},
    prepare=join_projections,
    design=_design,
)


def _weighing_design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    return _design(state, told) | weighing(state, told)


HEAD = Layout(
    "the head drl_wti of the released STAN",
    tuple(rf"adapter\.{side}_weight_fc\.{part}" for side in ("text", "video") for part in ("weight", "bias")),
    {rf"adapter\.{theirs}": ours for theirs, ours in WEIGHER_NAMES.items()},
    design=weighing,
)
"""The head alone, no file that is released by itself; Mug's heads hold no weights."""
WEIGHING = replace(
    RELEASED,
    words="the released STAN with the head drl_wti",
    marks=RELEASED.marks + HEAD.marks,
    names={**RELEASED.names, **HEAD.names},
    left_out={},
    design=_weighing_design,
)
