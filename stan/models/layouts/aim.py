"""AIM's layout: CLIP's image tower with adapters and times, and a classifier of the mean over frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stan.models.layouts.names import Layout, State, needed
from stan.models.layouts.sizes import classifier

_BLOCK = r"backbone\.transformer\.resblocks\.(\d+)\."
_ADAPTERS = {
    "T_Adapter": "over_time",
    "S_Adapter": "within",
    "MLP_Adapter": "beside_mlp",
    "T_Adapter_in": "before_time",
}
_PARTS = {"D_fc1": "down", "D_fc2": "up"}
_TIME, _FIRST = "temporal.time.weight", "temporal.over_time.0.down.weight"


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    needed(state, _TIME, _FIRST)
    state[_TIME] = state[_TIME].squeeze(0)
    adapted_input = any(key.startswith("temporal.before_time.") for key in state)
    options = {
        "ratio": len(state[_FIRST]) / state[_FIRST].shape[-1],
        "adapted_input": adapted_input,
        # the only released setting with an adapted input, for Something-Something, has scale 1
        "scale": told.get("adapter_scale", 1.0 if adapted_input else 0.5),
        "time_before_norm": True,
    }
    return classifier(state) | {"temporal": "aim", "options": options, "frames": len(state[_TIME])}


RELEASED = Layout(
    "the released AIM",
    (rf"{_BLOCK}(?:T|S|MLP)_Adapter\..+",),
    {
        rf"{_BLOCK}{adapter}\.{part}\.(.+)": rf"temporal.{ours}.\1.{name}.\2"
        for adapter, ours in _ADAPTERS.items()
        for part, name in _PARTS.items()
    }
    | {
        rf"{_BLOCK}((?:ln_1|attn|ln_2|mlp)\..+)": r"clip.visual.transformer.resblocks.\1.\2",
        r"backbone\.temporal_embedding": _TIME,
        r"backbone\.(class_embedding|positional_embedding|conv1\..+|ln_pre\..+|ln_post\..+)": r"clip.visual.\1",
        r"cls_head\.fc_cls\.(.+)": r"score.fc.\1",
    },
    design=_design,
)
