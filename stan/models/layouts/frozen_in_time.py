"""Frozen in Time's layout: a ViT with attention over time in its blocks, and a projection into the texts' space.

BridgeFormer's ViT is the same without attention over time. It was also released as a CLIP, whose names tell nothing:
the source's config beside it does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from stan.models.layouts.clip import openai_names
from stan.models.layouts.names import IMAGENET, Layout, State, needed, single_precision
from stan.models.layouts.sizes import first_times
from stan.models.layouts.told import frames, part
from stan.models.layouts.vit import BLOCK, as_clip, attention_names, vit_names

LOGIT_SCALE = math.log(20)
"""The released recipe divides cosines by 0.05."""


_WITHOUT_TIME = {"temporal": "frozen_in_time", "options": {"over_time": False}}


def _projected(state: State) -> dict[str, Any]:
    needed(state, "clip.visual.proj", "temporal.bias")
    state["clip.visual.proj"] = state["clip.visual.proj"].T
    state["clip.logit_scale"] = torch.tensor(LOGIT_SCALE)
    return {"architecture": as_clip(state), "activation": "gelu"}


def _frozen(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    return _projected(state) | {"frames": first_times(state, told), "temporal": "frozen_in_time"}


def _bridge_former(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    return _projected(state) | _WITHOUT_TIME | _frames(told)


def _of_clip(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    needed(state, "clip.visual.proj")
    state["temporal.bias"] = torch.zeros(state["clip.visual.proj"].shape[1])  # a CLIP's projection has none
    return _WITHOUT_TIME | _frames(told)


def _loader(told: Mapping[str, Any]) -> dict[str, Any]:
    return part(told, "data_loader")


def _frames(told: Mapping[str, Any]) -> dict[str, Any]:
    return frames(part(part(_loader(told), "args"), "video_params"), "num_frames")


def _loads_for_clip(told: Mapping[str, Any]) -> bool:
    return _loader(told).get("type") == "TextVideoDataLoader_CLIP"


_VIT = vit_names(r"video_model\.") | {
    r"vid_proj\.0\.weight": "clip.visual.proj",
    r"vid_proj\.0\.bias": "temporal.bias",
}
_TEXTS = {r"(text_model|text_proj|txt_proj)\..+": "a text tower that is no CLIP's: only videos are embedded"}

FROZEN_IN_TIME = Layout(
    "Frozen in Time",
    (r"video_model\..+", r"vid_proj\.0\.weight"),
    _VIT
    | {
        r"video_model\.temporal_embed": "temporal.time.weight",
        rf"video_model\.{BLOCK}norm3\.(?P<rest>.+)": r"temporal.over_time.\g<n>.norm.\g<rest>",
    }
    | attention_names(rf"video_model\.{BLOCK}timeattn", r"temporal.over_time.\g<n>.attention"),
    left_out=_TEXTS,
    design=_frozen,
    pixels=IMAGENET,
)
BRIDGE_FORMER = Layout(
    "BridgeFormer",
    (r"video_model\.norm1\.weight", r"vid_proj\.0\.weight"),
    {r"video_model\.norm1\.(.+)": r"clip.visual.ln_post.\1"} | _VIT,
    left_out=_TEXTS
    | {
        rf"video_model\.({BLOCK}(bridge|crossattn|norm[4-7])|norm2\.).*|bridge_proj\..+": "answers questions about a"
        " video, in training only"
    },
    design=_bridge_former,
    pixels=IMAGENET,
)
BRIDGE_FORMER_CLIP = Layout(
    "BridgeFormer on a CLIP",
    (r"visual\..+", r"token_embedding\.weight"),
    openai_names(),
    prepare=single_precision,
    design=_of_clip,
    told=_loads_for_clip,
)
