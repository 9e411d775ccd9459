"""CLIP-ViP's layout: Hugging Face's CLIP with proxy tokens and times among the image tower's embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stan.models.layouts.clip import huggingface_names, join_projections, transpose_projections
from stan.models.layouts.names import Layout, State, needed
from stan.models.layouts.sizes import first_times

_EMBEDDINGS = r"clipmodel\.vision_model\.embeddings\."
_PROXIES, _POSITIONS = "temporal.proxies", "clip.visual.positional_embedding"


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    transpose_projections(state, told)
    needed(state, _PROXIES, _POSITIONS)
    state[_PROXIES] = state[_PROXIES] + state[_POSITIONS][0]  # they stand where the CLS token stands
    return {
        "frames": first_times(state, told),
        "temporal": "clip_vip",
        "options": {"proxies": len(state[_PROXIES])},
    }


CLIP_VIP = Layout(
    "CLIP-ViP",
    (rf"{_EMBEDDINGS}added_cls", r"clipmodel\..+"),
    {
        rf"{_EMBEDDINGS}added_cls": _PROXIES,
        rf"{_EMBEDDINGS}temporal_embedding": "temporal.time.weight",
        r"clipmodel\.visual_projection\.weight": "clip.visual.proj",
        r"clipmodel\.logit_scale": "clip.logit_scale",
    }
    | huggingface_names(r"clipmodel\.vision_model\.", r"clipmodel\.", r"embeddings\.", r"encoder\."),
    prepare=join_projections,
    design=_design,
)
