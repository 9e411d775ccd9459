"""An image ViT's tensors (timm's names) in, those of a CLIP's image tower out, for what starts from no CLIP.

A CLIP's image tower stands for the ViT: without the norm before the blocks, with the bias of the patches in their
positions, with exact GELU and a layer norm eps of 1e-6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from einops import rearrange
from torch import Tensor

from stan.models.layouts.names import State, needed

EPS = 1e-6
BLOCK = r"blocks\.(?P<n>\d+)\."
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
        rf"{prefix}{BLOCK}{part}": rf"{visual}.transformer.resblocks.\g<n>.{name}"
        for part, name in parts.items()
    }


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


def bias_into_positions(state: State) -> None:
    """Add the bias of the patches' embedding, which a CLIP's hasn't, to the patches' positions (S, D), in place."""
    positions, bias = state["clip.visual.positional_embedding"].clone(), state.pop("clip.visual.conv1.bias")
    if bias.shape != positions.shape[1:]:
        raise ValueError(
            f"has another shape of the patches' bias, {tuple(bias.shape)}: it belongs to another model"
        )
    positions[1:] += bias
    state["clip.visual.positional_embedding"] = positions
