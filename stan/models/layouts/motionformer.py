"""Motionformer's layout: an image ViT over tubelets (timm's names) with trajectory attention, and its classifier.

Of the attention over time, nothing is kept of what changes nothing: the keys' bias, and the projection of values, which
the released code computes and doesn't read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from stan.models.layouts.names import CENTRED, Layout, State, needed
from stan.models.layouts.sizes import classifier, first_times
from stan.models.layouts.told import flags
from stan.models.layouts.vit import as_clip, as_picture, vit_names

_ALONG = r"blocks\.(?P<n>\d+)\.attn\.proj_{}\.(?P<rest>.+)"
_POSITIONS = "clip.visual.positional_embedding"
_PATCHES = "patch_embed_3d.proj.weight"


def _as_pictures(state: Mapping[str, Tensor]) -> State:
    """Turn the convolution over tubelets into one over pictures whose channels are those of all frames."""
    needed(state, _PATCHES)
    if state[_PATCHES].ndim != 5 or state[_PATCHES].shape[2] < 2:
        raise ValueError(
            f"{_PATCHES}: no convolution over tubelets of several frames, as all released models have"
        )
    return {**state, _PATCHES: as_picture(state[_PATCHES])}


def _stretched(state: Mapping[str, Tensor], told: Mapping[str, Any]) -> Tensor:
    """Return the positions (1, 1+P, D) for pictures of the size that is told, stretched as in the source's every pass.

    Motionformer-HR's files hold those of smaller pictures.
    """
    positions, patch = state[_POSITIONS], state["clip.visual.conv1.weight"].shape[-1]
    side = told.get("vision", {}).get("image_size", 0) // patch
    if not side or side**2 + 1 == positions.shape[1]:
        return positions
    before = math.isqrt(positions.shape[1] - 1)
    of_patches = rearrange(positions[:, 1:], "1 (h w) d -> 1 d h w", h=before)
    stretched = F.interpolate(of_patches, scale_factor=side / before, mode="bicubic")
    return torch.cat([positions[:, :1], rearrange(stretched, "1 d h w -> 1 (h w) d")], 1)


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    needed(state, _POSITIONS, "clip.visual.conv1.weight")
    state[_POSITIONS] = _stretched(state, told)
    own_values = flags(told).get("use_original_code", True)
    for name in [name for name in state if ".key_value." in name]:
        key, value = state.pop(name).unflatten(0, (2, state[_POSITIONS].shape[-1]))
        if not name.endswith(".bias"):
            state[name.replace(".key_value.", ".key.")] = key
        if not own_values:
            state[name.replace(".key_value.", ".value.")] = value
    return classifier(state) | {
        "architecture": as_clip(state),
        "activation": "gelu",
        "frames": first_times(state, told),
        "temporal": "trajectory_attention",
        "options": {
            "one_cls": True,
            "own_values": own_values,
            "pooler": "temporal.pooler.weight" in state,
            "last_block": True,
        },
    }


MOTIONFORMER = Layout(
    "Motionformer",
    (_ALONG.format("kv"), r"patch_embed_3d\..+"),
    {
        r"patch_embed_3d\.proj\.(weight|bias)": r"clip.visual.conv1.\1",
        "temp_embed": "temporal.time.weight",
        r"pre_logits\.fc\.(.+)": r"temporal.pooler.\1",
        r"head\.(.+)": r"score.fc.\1",
        _ALONG.format("q"): r"temporal.along.\g<n>.query.\g<rest>",
        _ALONG.format("kv"): r"temporal.along.\g<n>.key_value.\g<rest>",
    }
    | vit_names(""),
    left_out={r"patch_embed\.proj\..+": "embeds single frames; films are embedded as tubelets"},
    prepare=_as_pictures,
    design=_design,
    pixels=CENTRED,
)
