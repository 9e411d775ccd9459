"""CLIP2Video's layout: CLIP4Clip's names, the temporal difference block and, mostly, the temporal alignment block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stan.models.layouts.clip4clip import CLIP, CLIP_NAMES, EPS, SEQUENCE_NAMES, layers
from stan.models.layouts.names import Layout, State
from stan.models.layouts.told import layer_norm_eps, require

SUPPORTED = {
    "temporal_type": ("TDB",),
    "temporal_proj": ("sigmoid_selfA",),
    "center_type": ("TAB", "", None),
    "center_proj": ("TAB_TDB", "", None),
    "center_weight": (0.5,),
}
"""The source's settings that ours reproduces."""


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    require(told, SUPPORTED)
    options = layers(state, "temporal.blocks.") | {
        "normalised": True,
        "eps": layer_norm_eps(told, "transformerClip", EPS),
        "first_frame_mask": True,
    }
    design: dict[str, Any] = {"temporal": "temporal_difference", "options": options}
    aligns = [key for key in state if key.startswith("score.")]
    if not aligns:
        return design
    centres = next((len(state[key]) for key in aligns if key in ("score.weight", "score.centre")), 5)
    of_similarity = {
        "centres": centres,
        "resampled": True,
        "eps": layer_norm_eps(told, "actionClip", EPS),
    }
    return design | {"similarity": "temporal_alignment", "similarity_options": of_similarity}


DIFFERENCE_AND_ALIGNMENT = Layout(
    "CLIP2Video",
    (*CLIP, r"frame2t_attention\..+"),
    CLIP_NAMES
    | SEQUENCE_NAMES
    | {
        r"type_position_embeddings\.weight": "temporal.kind",
        r"frame2t_attention\.resblocks\.(.+)": r"temporal.difference.\1",
        r"trans_layernorm\.(.+)": r"temporal.norm.\1",
        "weight_center": "score.weight",
        "emb_center": "score.centre",
        r"actionClip\.resblocks\.(.+)": r"score.blocks.\1",
    },
    design=_design,
)
