"""ActionCLIP's layouts: a CLIP, and beside it what fuses frames, which has another form for each `sim_header`.

Text4Vis has the same transformer behind an image tower, and leaves out the text tower, which it doesn't train. BIKE's
files have ActionCLIP's names; the config beside them says that words weigh frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stan.models.layouts.clip import openai_names
from stan.models.layouts.names import Layout, State, count, needed, single_precision
from stan.models.layouts.told import flags, frames, part

_CLIP = r"(?:model_state_dict\.)?"
_FUSION = r"fusion_model_state_dict\.(?:module\.)?"
_POSITIONS = rf"{_FUSION}frame_position_embeddings\.weight"
_SHIFTED = rf"{_CLIP}visual\.transformer\.resblocks\.(\d+)\.net\."
EPS = 1e-12
"""Of the fusion's layer norms, as released."""


def _transformer(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    needed(state, "clip.text.ln_final.weight")
    return _fusion(state, told, len(state["clip.text.ln_final.weight"]))


def _text4vis(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    needed(state, "temporal.position", "clip.visual.proj")
    position = state["temporal.position"]
    design = _fusion(state, told, position.shape[1])
    return design | {"options": design["options"] | {"positions": len(position)}}


def _fusion(state: State, told: Mapping[str, Any], width: int) -> dict[str, Any]:
    """Return the design of a transformer over frames. width: of the text tower, which tells the number of heads."""
    heads = part(told, "fusion").get("heads") or part(told, "text").get("heads")
    eps = told.get("layer_norm_eps")
    options = {
        "layers": count(state, "temporal.blocks."),
        "heads": heads or max(1, width // 64),
        "eps": eps.get("fusion", EPS) if isinstance(eps, Mapping) else EPS,
        "activation": "quick_gelu",
    }
    return {"temporal": "actionclip", "options": options}


def _bike(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    fused = _transformer(state, told) if any(key.startswith("temporal.") for key in state) else {}
    return (
        fused
        | frames(part(told, "data"), "num_segments")
        | {"similarity": "concept_spotting", "similarity_options": {"padded": True}}
    )


def _spots_concepts(told: Mapping[str, Any]) -> bool:
    return part(told, "network").get("interaction") == "VCS"


def _convolution(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    return {"temporal": "actionclip_shift", "options": {"transposed": False}}


def _shift(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    return {"temporal": "temporal_shift", "options": {"divisor": flags(told).get("n_div", 8)}}


_FUSED = {rf"{_FUSION}transformer\.resblocks\.(.+)": r"temporal.blocks.\1", _POSITIONS: "temporal.position"}

BIKE = Layout(
    "BIKE",
    (rf"{_CLIP}visual\..+",),
    _FUSED | openai_names(_CLIP),
    prepare=single_precision,
    design=_bike,
    told=_spots_concepts,
)
TRANSFORMER = Layout(
    "the released ActionCLIP (Transf)",
    (rf"{_CLIP}visual\..+", rf"{_FUSION}transformer\..+"),
    _FUSED | openai_names(_CLIP),
    prepare=single_precision,
    design=_transformer,
)
TEXT4VIS = Layout(
    "Text4Vis (Transf)",
    (r"visual\..+", r"fusion_model\.transformer\..+"),
    {
        r"fusion_model\.transformer\.resblocks\.(.+)": r"temporal.blocks.\1",
        r"fusion_model\.frame_position_embeddings\.weight": "temporal.position",
    }
    | openai_names(),
    prepare=single_precision,
    design=_text4vis,
)
CONVOLUTION = Layout(
    "the released ActionCLIP (Conv_1D)",
    (rf"{_CLIP}visual\..+", rf"{_FUSION}(?:shift|frame_position_embeddings)\..+"),
    {rf"{_FUSION}shift\.(.+)": r"temporal.shift.\1"} | openai_names(_CLIP),
    left_out={_POSITIONS: "not used by Conv_1D"},
    prepare=single_precision,
    design=_convolution,
)
SHIFT = Layout(
    "the released ActionCLIP (tsm, meanP)",
    (rf"{_SHIFTED}.+",),
    {rf"{_SHIFTED}(.+)": r"clip.visual.transformer.resblocks.\1.\2"} | openai_names(_CLIP),
    prepare=single_precision,
    design=_shift,
)
MEAN = Layout(
    "the released ActionCLIP (meanP)",
    (r"model_state_dict\.visual\..+",),
    openai_names(r"model_state_dict\."),
    prepare=single_precision,
)
