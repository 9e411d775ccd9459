"""ViViT in Hugging Face's layout: joint attention over all tubelets, each with a position of its own, and a classifier.

The names are those of released files, and those that transformers has given the model's parameters since 5.9.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from stan.models.layouts.names import CENTRED, Layout, State, needed
from stan.models.layouts.sizes import classifier, tubelet
from stan.models.layouts.told import layer_norm_eps, require
from stan.models.layouts.vit import EPS, as_clip, as_picture, join

_PATCHES = "vivit.embeddings.patch_embeddings.projection.weight"
_POSITIONS = "clip.visual.positional_embedding"
_BLOCK = r"vivit\.(?:encoder\.layer|layers)\.(?P<n>\d+)\."
_IN_BLOCK = {
    r"layernorm_before\.": "ln_1.",
    r"layernorm_after\.": "ln_2.",
    r"attention\.(?:attention\.query|q_proj)\.": "attn.in_proj_",
    r"attention\.(?:output\.dense|o_proj)\.": "attn.out_proj.",
    r"(?:intermediate\.dense|mlp\.fc1)\.": "mlp.c_fc.",
    r"(?:output\.dense|mlp\.fc2)\.": "mlp.c_proj.",
}
_PROJECTIONS = (("attention.query", "attention.key", "attention.value"), ("q_proj", "k_proj", "v_proj"))


def _as_clips(state: Mapping[str, Tensor]) -> State:
    """Join queries, keys and values, and turn the convolution over tubelets into one over pictures of many channels."""
    needed(state, _PATCHES)
    ours = {**state, _PATCHES: as_picture(state[_PATCHES])}
    for parts in _PROJECTIONS:
        ours = join(ours, [f".attention.{part}." for part in parts], f".attention.{parts[0]}.")
    return ours


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    require(told, {"hidden_act": ("gelu_fast",), "qkv_bias": (True,)})
    needed(state, _POSITIONS)
    if "num_frames" not in told:
        raise ValueError(
            "lacks the number of frames: put the config.json of its release, or one with"
            ' {"num_frames": ..., "num_attention_heads": ...}, beside the checkpoint'
        )
    of_cls, of_tubelets = state[_POSITIONS].flatten(0, 1).split([1, state[_POSITIONS].shape[1] - 1])
    times = told["num_frames"] // tubelet(state)
    if not times or len(of_tubelets) % times:
        raise ValueError(f"{told['num_frames']} frames in config.json don't fit {len(of_tubelets)} positions")
    state["temporal.time.weight"] = of_tubelets.unflatten(0, (times, -1))
    in_space = torch.zeros_like(state["temporal.time.weight"][0])
    state[_POSITIONS] = torch.cat([of_cls, in_space])[None]
    eps = layer_norm_eps(told, "vit", EPS)
    return classifier(state) | {
        "architecture": as_clip(state, eps, act_kwargs={"approximate": "tanh"}),
        "activation": "gelu",
        "heads": told.get("num_attention_heads"),
        "frames": told["num_frames"],
        "temporal": "joint_space_time",
        "options": {"one_cls": True, "time_by_place": True},
    }


HUGGINGFACE_VIVIT = Layout(
    "ViViT in Hugging Face's layout",
    (r"vivit\.embeddings\..+", rf"{_BLOCK}.+"),
    {
        r"vivit\.embeddings\.patch_embeddings\.projection\.(.+)": r"clip.visual.conv1.\1",
        r"vivit\.embeddings\.cls_token": "clip.visual.class_embedding",
        r"vivit\.embeddings\.position_embeddings": _POSITIONS,
        r"vivit\.layernorm\.(.+)": r"clip.visual.ln_post.\1",
        r"classifier\.(.+)": r"score.fc.\1",
    }
    | {
        rf"{_BLOCK}{theirs}(?P<rest>.+)": rf"clip.visual.transformer.resblocks.\g<n>.{ours}\g<rest>"
        for theirs, ours in _IN_BLOCK.items()
    },
    prepare=_as_clips,
    design=_design,
    pixels=CENTRED,
)
