"""UniFormerV2's layouts: an image tower with global blocks beside it and local ones in it.

Its authors' files end in a classifier. InternVideo's pretrained models are the same beside CLIP's text tower.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from stan.models.layouts.clip import TEXT
from stan.models.layouts.names import SLOWFAST, Layout, State, count, needed
from stan.models.layouts.sizes import classifier
from stan.models.layouts.told import part, require
from stan.models.layouts.vit import as_picture

_OF_LAYER = {
    r"attn\.query": "query",
    r"attn\.key": "key",
    r"attn\.value": "value",
    r"attn\.out_proj": "out",
    r"mlp\.c_fc": "up",
    r"mlp\.c_proj": "down",
    "ln_1": "query_norm",
    "ln_2": "mlp_norm",
    "ln_3": "token_norm",
}
_OF_CONVOLUTION = ("norm", "down", "over_time", "up")
_PATCHES, _BOTTLENECK = "clip.visual.conv1.weight", "temporal.before_attention.0.down.bias"
_PLACES = {"lmhra1": "before_attention", "lmhra2": "before_mlp"}


def _apart(state: Mapping[str, Tensor]) -> State:
    """Take the global blocks' projections of queries, keys and values apart."""
    ours = dict(state)
    for name in [key for key in state if ".dec." in key and ".attn.in_proj_" in key]:
        for one, tensor in zip(("query", "key", "value"), ours.pop(name).unflatten(0, (3, -1)), strict=True):
            ours[name.replace("in_proj_", f"{one}.")] = tensor
    return ours


def _flat(state: State) -> None:
    """Take away the dimensions of one element that convolutions over space and the query have there, in place."""
    for name in state:
        if name.startswith("temporal.before_") and (".down.weight" in name or ".up.weight" in name):
            state[name] = state[name].flatten(1)
    state["temporal.query"] = state["temporal.query"].flatten()


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    needed(state, "temporal.query", _PATCHES)
    _flat(state)
    joins_frames = state[_PATCHES].shape[2] > 1
    state[_PATCHES] = as_picture(state[_PATCHES])
    return {"temporal": "uniformer_v2", "options": _options(state, told)} | (
        {"architecture": {"vision_cfg": {"tubelet": 2, "frames_before": 1}}} if joins_frames else {}
    )


def _with_classifier(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    return _design(state, told) | classifier(state)


def _with_texts(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    return _design(state, told) | {"frames": told.get("frames", INTERN_VIDEO_FRAMES)}


def _options(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    said, of_tower = part(told, "UNIFORMERV2"), part(told, "vision").get("heads")
    layers, blocks = count(state, "temporal.layers."), count(state, "clip.visual.transformer.resblocks.")
    require(said, {"MLP_FACTOR": (4,), "RETURN_LIST": (list(range(blocks - layers, blocks)),)})
    convolutions = sum(count(state, f"temporal.{place}.") > 0 for place in _PLACES.values())
    options = {
        "layers": layers,
        "heads": said.get("N_HEAD") or of_tower or max(1, len(state["temporal.query"]) // 64),
        "convolutions": convolutions,
        "mixed": "temporal.balance" in state,
    }
    if convolutions:
        needed(state, _BOTTLENECK)
        options["bottleneck"] = len(state[_BOTTLENECK])
    return options


def _tower(prefix: str) -> dict[str, str]:
    """Return the names of the image tower with its blocks behind `prefix`, a pattern without groups."""
    transformer = rf"{prefix}transformer\."
    block, layer = rf"{transformer}resblocks\.(\d+)\.", rf"{transformer}dec\.(\d+)\."
    return (
        {
            rf"{prefix}(conv1\.weight|class_embedding|positional_embedding|ln_pre\..+)": r"clip.visual.\1",
            rf"{block}((?:attn|ln_1|ln_2|mlp)\..+)": r"clip.visual.transformer.resblocks.\1.\2",
            rf"{transformer}temporal_cls_token": "temporal.query",
            rf"{transformer}balance": "temporal.balance",
            rf"{transformer}dpe\.(\d+)\.(.+)": r"temporal.neighbours.\1.\2",
        }
        | {rf"{layer}{theirs}\.(.+)": rf"temporal.layers.\1.{ours}.\2" for theirs, ours in _OF_LAYER.items()}
        | {
            rf"{block}{theirs}\.pos_embed\.{k}\.(.+)": rf"temporal.{ours}.\1.{name}.\2"
            for theirs, ours in _PLACES.items()
            for k, name in enumerate(_OF_CONVOLUTION)
        }
    )


_MODEL = r"(?:backbone\.)?"
UNIFORMER_V2 = Layout(
    "UniFormerV2",
    (rf"{_MODEL}transformer\.dec\..+",),
    _tower(_MODEL)
    | {  # the authors' classifier, and MMAction2's
        rf"{_MODEL}transformer\.(?:proj\.0|norm)\.(.+)": r"clip.visual.ln_post.\1",
        rf"(?:{_MODEL}transformer\.proj\.2|cls_head\.fc_cls)\.(.+)": r"score.fc.\1",
    },
    prepare=_apart,
    design=_with_classifier,
    pixels=SLOWFAST,
)
INTERN_VIDEO_FRAMES = 8
"""What InternVideo's code builds its models for; no file says it."""
INTERN_VIDEO = Layout(
    "InternVideo-MM",
    (r"clip\.visual\.transformer\.dec\..+",),
    _tower(r"clip\.visual\.")
    | {r"clip\.visual_ln_post\.(.+)": r"clip.visual.ln_post.\1", r"clip\.visual_proj": "clip.visual.proj"}
    | {rf"clip\.({TEXT})": r"clip.text.\1", r"clip\.logit_scale": "clip.logit_scale"},
    left_out={
        r"clip\.(text_)?mask_embedding": "stood for masked words in pretraining",
        r"(?!clip\.).+": "part of pretraining, which the source leaves out, too",
    },
    prepare=_apart,
    design=_with_texts,
)
