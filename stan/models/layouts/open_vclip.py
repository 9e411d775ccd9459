"""Open-VCLIP's layout: a whole CLIP under `model`, whose frames attend to their neighbours where the config says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stan.models.layouts.clip import openai_names
from stan.models.layouts.names import Layout, State
from stan.models.layouts.told import part

_REACH = {
    "expand_temporal_view": 1,
    "expand_temporal_view_step2": 2,
    "expand_temporal_view_step3": 3,
}
"""Number of frames that are read on each side, by the source's name of it."""
_MODEL = r"(?:model\.)?"


def _said(told: Mapping[str, Any]) -> Any:
    """Return what the config calls the way in which frames see each other; None if it doesn't say."""
    return part(told, "MODEL").get("TEMPORAL_MODELING_TYPE")


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    kind = _said(told)
    if kind not in _REACH:
        known = " or ".join(map(repr, _REACH))
        raise ValueError(
            f"the config beside the checkpoint says TEMPORAL_MODELING_TYPE={kind!r}; here it can only be {known}"
        )
    return {"temporal": "neighbour_attention", "options": {"reach": _REACH[kind], "normalised": True}}


OPEN_VCLIP = Layout(
    "Open-VCLIP",
    (rf"{_MODEL}visual\..+",),
    openai_names(_MODEL),
    left_out={r"raw_model\..+": "the CLIP that it was tuned from, kept beside it"},
    design=_design,
    told=lambda told: _said(told) is not None,
)
"""Its names are those of any CLIP: what makes it one is said in the config beside it."""
