"""Video transformers that start from an image ViT (timm's names), not from a CLIP: TimeSformer, Frozen in Time.

A CLIP's image tower stands for the ViT: without the norm before the blocks, with the bias of the patches in their
positions, with exact GELU and a layer norm eps of 1e-6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from stan.models.layouts.names import IMAGENET, SLOWFAST, Layout, State, count, listed
from stan.models.layouts.told import layer_norm_eps, require

EPS = 1e-6
LOGIT_SCALE = math.log(20)  # Frozen's recipe divides cosines by 0.05
_BLOCK = r"blocks\.(?P<n>\d+)\."
_ATTENTION = {
    r"qkv\.(?P<rest>weight|bias)": r"in_proj_\g<rest>",
    r"proj\.(?P<rest>weight|bias)": r"out_proj.\g<rest>",
}


def attention_names(theirs: str, ours: str) -> dict[str, str]:
    """Return the names of an attention's two projections behind these beginnings."""
    return {rf"{theirs}\.{part}": rf"{ours}.{name}" for part, name in _ATTENTION.items()}


def vit_names(prefix: str) -> dict[str, str]:
    """Return the names of a ViT behind `prefix`, a pattern without groups."""
    visual = "clip.visual"
    parts = {
        r"norm(?P<k>[12])\.(?P<rest>.+)": r"ln_\g<k>.\g<rest>",
        r"mlp\.fc1\.(?P<rest>.+)": r"mlp.c_fc.\g<rest>",
        r"mlp\.fc2\.(?P<rest>.+)": r"mlp.c_proj.\g<rest>",
    } | attention_names("attn", "attn")
    return {
        rf"{prefix}patch_embed\.proj\.(weight|bias)": rf"{visual}.conv1.\1",
        rf"{prefix}cls_token": f"{visual}.class_embedding",
        rf"{prefix}pos_embed": f"{visual}.positional_embedding",
        rf"{prefix}norm\.(.+)": rf"{visual}.ln_post.\1",
    } | {
        rf"{prefix}{_BLOCK}{part}": rf"{visual}.transformer.resblocks.\g<n>.{name}"
        for part, name in parts.items()
    }


def needed(state: Mapping[str, Tensor], *names: str) -> None:
    """Raise ValueError, naming them, if any of `names` is missing."""
    lacking = [name for name in names if name not in state]
    if lacking:
        raise ValueError(f"lacks {listed(lacking)}: no checkpoint of a whole model")


def as_clip(state: State, eps: float = EPS, **activation: Any) -> dict[str, Any]:
    """Turn a ViT's first tensors into a CLIP's, in place, and return the parts of the architecture that it implies."""
    visual = "clip.visual."
    names = (
        "conv1.bias",
        "class_embedding",
        "positional_embedding",
        "transformer.resblocks.0.mlp.c_fc.weight",
    )
    needed(state, *(visual + name for name in names))
    state[f"{visual}positional_embedding"] = state[f"{visual}positional_embedding"].flatten(0, 1)
    bias_into_positions(state)
    state[f"{visual}class_embedding"] = state[f"{visual}class_embedding"].flatten()
    matrix = state[f"{visual}transformer.resblocks.0.mlp.c_fc.weight"]
    hidden, width = len(matrix), matrix.shape[1]
    vision = {"no_ln_pre": True, "norm_kwargs": {"eps": eps}} | activation
    if hidden != 4 * width:
        vision["mlp_ratio"] = (hidden + 0.5) / width  # open_clip rounds down
    return {"vision_cfg": vision}


def as_picture(tubelets: Tensor) -> Tensor:
    """Turn a convolution's weights over tubelets, (D, 3, z, h, w), into those over pictures of all their frames."""
    return rearrange(tubelets, "d c z h w -> d (z c) h w")


def join(state: Mapping[str, Tensor], parts: Sequence[str], joined: str) -> State:
    """Join tensors whose names differ in one of `parts`, in their order, under the name with `joined` in its place.

    Raises ValueError, naming it, if one of them is missing.
    """
    ours = dict(state)
    for name in state:
        if parts[0] in name:
            names = [name.replace(parts[0], part) for part in parts]
            needed(state, *names)
            ours[name.replace(parts[0], joined)] = torch.cat([ours.pop(one) for one in names])
    return ours


def classifier(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the part of a design that a linear classifier (`score.fc`) implies."""
    needed(state, "score.fc.weight", "score.fc.bias")
    return {
        "similarity": "linear_classifier",
        "similarity_options": {"classes": len(state["score.fc.bias"])},
    }


def bias_into_positions(state: State) -> None:
    """Add the bias of the patches' embedding, which a CLIP's hasn't, to the patches' positions (S, D), in place."""
    positions, bias = state["clip.visual.positional_embedding"].clone(), state.pop("clip.visual.conv1.bias")
    if bias.shape != positions.shape[1:]:
        raise ValueError(
            f"has another shape of the patches' bias, {tuple(bias.shape)}: it belongs to another model"
        )
    positions[1:] += bias
    state["clip.visual.positional_embedding"] = positions


def tubelet(state: Mapping[str, Tensor]) -> int:
    """Return the number of frames that the patches' embedding reads at once."""
    needed(state, "clip.visual.conv1.weight")
    return state["clip.visual.conv1.weight"].shape[1] // 3


def first_times(state: State, told: Mapping[str, Any]) -> int:
    """Cut the table of times to the model's number of frames, in place, and return that number.

    Raises ValueError for more frames than the table has.
    """
    needed(state, "temporal.time.weight")
    times, together = state["temporal.time.weight"].flatten(0, -2), tubelet(state)
    frames = told.get("frames", together * len(times))
    if frames > together * len(times):
        raise ValueError(
            f"{frames} frames in config.json, but the table of times is for {together * len(times)}"
        )
    state["temporal.time.weight"] = times[: frames // together]
    return frames


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
        rf"{_BLOCK}{theirs}\.(?P<rest>.+)": rf"temporal.over_time.\g<n>.{ours}.\g<rest>"
        for theirs, ours in {"temporal_norm1": "norm", "temporal_fc": "temporal_fc"}.items()
    }
    | attention_names(rf"{_BLOCK}temporal_attn", r"temporal.over_time.\g<n>.attention"),
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
        rf"video_model\.{_BLOCK}norm3\.(?P<rest>.+)": r"temporal.over_time.\g<n>.norm.\g<rest>",
    }
    | attention_names(rf"video_model\.{_BLOCK}timeattn", r"temporal.over_time.\g<n>.attention"),
    left_out={r"(text_model|txt_proj)\..+": "a text tower that is no CLIP's: only videos are embedded"},
    design=_frozen,
    pixels=IMAGENET,
)


_LONGFORMERS = ("query", "key", "value", "query_global", "key_global", "value_global")
"""The six projections of each of the Longformer's attentions."""


def _join_longformer(state: Mapping[str, Tensor]) -> State:
    return join(state, [f".attention.self.{part}." for part in _LONGFORMERS], ".attention.self.all.")


def _vtn(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    layer = "temporal.layers.0.mlp.0.bias"
    needed(state, "temporal.cls", "temporal.position", layer)
    state["temporal.cls"] = state["temporal.cls"].flatten()
    flags, of_layers = told.get("flags", {}), told.get("temporal", {})
    windows = {*flags.get("attention_window", [18])}
    if len(windows) > 1:
        raise ValueError(f"the layers' windows {sorted(windows)} differ: vtn has one for all of them")
    options = {
        "layers": count(state, "temporal.layers."),
        "heads": of_layers.get("heads"),
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


def _all_in_one(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    needed(state, "temporal.kinds", "temporal.pooler.weight", "clip.visual.positional_embedding")
    of_images = state.pop("temporal.kinds")[1]  # a text's tokens have row 0
    position = state["clip.visual.positional_embedding"]
    state["clip.visual.positional_embedding"] = position + of_images
    parts = told.get("flags", {}).get("n_div", 8)
    return {
        "architecture": as_clip(state),
        "activation": "gelu",
        "frames": first_times(state, told),
        "temporal": "token_roll",
        "options": {"share": 1 / parts, "times": True, "shuffled": True, "pooler": True},
    }


ALL_IN_ONE = Layout(
    "All-in-one",
    (r"transformer\.blocks\..+", r"transformer\.temporal_embed"),
    vit_names(r"transformer\.")
    | {
        r"transformer\.temporal_embed": "temporal.time.weight",
        r"token_type_embeddings\.weight": "temporal.kinds",
        r"pooler\.dense\.(.+)": r"temporal.pooler.\1",
    },
    left_out={
        r"text_embeddings\..+": "texts run through the video's own blocks, beside its frames: only videos are embedded",
        r"(mlm|vtm|itm)_score\..+": "a head of pretraining",
    },
    design=_all_in_one,
    pixels=SLOWFAST,
)
