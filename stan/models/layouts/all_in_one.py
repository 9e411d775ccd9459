"""All-in-one's layout: a ViT that texts and frames run through together, of which the frames' side is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stan.models.layouts.names import SLOWFAST, Layout, State, needed
from stan.models.layouts.sizes import first_times
from stan.models.layouts.told import flags
from stan.models.layouts.vit import as_clip, vit_names


def _all_in_one(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    needed(state, "temporal.kinds", "temporal.pooler.weight", "clip.visual.positional_embedding")
    of_images = state.pop("temporal.kinds")[1]  # a text's tokens have row 0
    position = state["clip.visual.positional_embedding"]
    state["clip.visual.positional_embedding"] = position + of_images
    parts = flags(told).get("n_div", 8)
    return {
        "architecture": as_clip(state),
        "activation": "gelu",
        "frames": first_times(state, told),
        "temporal": "token_roll",
        "options": {"share": 1 / parts, "times": True, "shuffled": True, "pooler": True},
    }


ALL_IN_ONE = Layout(
    "All-in-one",
    (r"transformer\.blocks\..+", r"transformer\.temporal_embed"),
    vit_names(r"transformer\.")
    | {
        r"transformer\.temporal_embed": "temporal.time.weight",
        r"token_type_embeddings\.weight": "temporal.kinds",
        r"pooler\.dense\.(.+)": r"temporal.pooler.\1",
    },
    left_out={
        r"text_embeddings\..+": "texts run through the video's own blocks, beside its frames: only videos are embedded",
        r"(mlm|vtm|itm)_score\..+": "a head of pretraining",
    },
    design=_all_in_one,
    pixels=SLOWFAST,
)
