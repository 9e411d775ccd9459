"""Frozen in Time's layout: a ViT with attention over time in its blocks, and a projection into the texts' space."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from stan.models.layouts.names import IMAGENET, Layout, State, needed
from stan.models.layouts.sizes import first_times
from stan.models.layouts.vit import BLOCK, as_clip, attention_names, vit_names

LOGIT_SCALE = math.log(20)
"""The released recipe divides cosines by 0.05."""


def _frozen(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    needed(state, "clip.visual.proj", "temporal.bias")
    state["clip.visual.proj"] = state["clip.visual.proj"].T
    state["clip.logit_scale"] = torch.tensor(LOGIT_SCALE)
    return {
        "architecture": as_clip(state),
        "activation": "gelu",
        "frames": first_times(state, told),
        "temporal": "frozen_in_time",
    }


FROZEN_IN_TIME = Layout(
    "Frozen in Time",
    (r"video_model\..+", r"vid_proj\.0\.weight"),
    vit_names(r"video_model\.")
    | {
        r"video_model\.temporal_embed": "temporal.time.weight",
        r"vid_proj\.0\.weight": "clip.visual.proj",
        r"vid_proj\.0\.bias": "temporal.bias",
        rf"video_model\.{BLOCK}norm3\.(?P<rest>.+)": r"temporal.over_time.\g<n>.norm.\g<rest>",
    }
    | attention_names(rf"video_model\.{BLOCK}timeattn", r"temporal.over_time.\g<n>.attention"),
    left_out={r"(text_model|txt_proj)\..+": "a text tower that is no CLIP's: only videos are embedded"},
    design=_frozen,
    pixels=IMAGENET,
)
