"""UniFormerV2's layouts: an image tower with global blocks beside it and local ones in it, and its classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from stan.models.layouts.names import SLOWFAST, Layout, State, count, needed
from stan.models.layouts.sizes import classifier
from stan.models.layouts.told import part, require
from stan.models.layouts.vit import as_picture

_MODEL = r"(?:backbone\.)?"
_TRANSFORMER = rf"{_MODEL}transformer\."
_BLOCK, _LAYER = rf"{_TRANSFORMER}resblocks\.(\d+)\.", rf"{_TRANSFORMER}dec\.(\d+)\."
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
    frames = part(told, "DATA").get("NUM_FRAMES")
    return (
        classifier(state)
        | {"temporal": "uniformer_v2", "options": _options(state, part(told, "UNIFORMERV2"))}
        | ({"frames": frames} if frames else {})
        | ({"architecture": {"vision_cfg": {"tubelet": 2, "frames_before": 1}}} if joins_frames else {})
    )


def _options(state: State, said: Mapping[str, Any]) -> dict[str, Any]:
    layers, blocks = count(state, "temporal.layers."), count(state, "clip.visual.transformer.resblocks.")
    require(said, {"MLP_FACTOR": (4,), "RETURN_LIST": (list(range(blocks - layers, blocks)),)})
    convolutions = sum(count(state, f"temporal.{place}.") > 0 for place in _PLACES.values())
    options = {
        "layers": layers,
        "heads": said.get("N_HEAD", max(1, len(state["temporal.query"]) // 64)),
        "convolutions": convolutions,
        "mixed": "temporal.balance" in state,
    }
    if convolutions:
        needed(state, _BOTTLENECK)
        options["bottleneck"] = len(state[_BOTTLENECK])
    return options


UNIFORMER_V2 = Layout(
    "UniFormerV2",
    (rf"{_TRANSFORMER}dec\..+",),
    {
        rf"{_MODEL}(conv1\.weight|class_embedding|positional_embedding|ln_pre\..+)": r"clip.visual.\1",
        rf"{_BLOCK}((?:attn|ln_1|ln_2|mlp)\..+)": r"clip.visual.transformer.resblocks.\1.\2",
        rf"{_TRANSFORMER}temporal_cls_token": "temporal.query",
        rf"{_TRANSFORMER}balance": "temporal.balance",
        rf"{_TRANSFORMER}dpe\.(\d+)\.(.+)": r"temporal.neighbours.\1.\2",
    }
    | {rf"{_LAYER}{theirs}\.(.+)": rf"temporal.layers.\1.{ours}.\2" for theirs, ours in _OF_LAYER.items()}
    | {
        rf"{_BLOCK}{theirs}\.pos_embed\.{k}\.(.+)": rf"temporal.{ours}.\1.{name}.\2"
        for theirs, ours in _PLACES.items()
        for k, name in enumerate(_OF_CONVOLUTION)
    }
    | {  # the authors' classifier, and MMAction2's
        rf"{_TRANSFORMER}(?:proj\.0|norm)\.(.+)": r"clip.visual.ln_post.\1",
        rf"(?:{_TRANSFORMER}proj\.2|cls_head\.fc_cls)\.(.+)": r"score.fc.\1",
    },
    prepare=_apart,
    design=_design,
    pixels=SLOWFAST,
)
