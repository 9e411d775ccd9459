"""DRL's layout: CLIP4Clip's names, and one weigher each for text tokens and frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stan.models.layouts.clip4clip import CLIP, CLIP_NAMES, SEQUENCE_NAMES, sequence
from stan.models.layouts.names import Layout, State, count

WEIGHER_NAMES = {
    r"(text|video)_weight_fc\.(weight|bias)": r"score.\1.0.\2",
    r"(text|video)_weight_fc\.(\d\..+)": r"score.\1.\2",
}
"""Names of weighers of one linear layer, and of several with activations between them."""


def weighing(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the design of the similarity with these weighers."""
    layers = max(count(state, f"score.{side}.") for side in ("text", "video"))
    options = {"layers": layers, "bias": True, "padded_as_zero": True}
    return {"similarity": "token_interaction", "similarity_options": options}


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    return sequence(state, told) | weighing(state, told)


WEIGHTED = Layout(
    "DRL (wti)",
    (*CLIP, r"(text|video)_weight_fc\..+"),
    CLIP_NAMES | SEQUENCE_NAMES | WEIGHER_NAMES,
    design=_design,
)
