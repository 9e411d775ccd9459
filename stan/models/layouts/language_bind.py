"""LanguageBind's layout for videos: Hugging Face's CLIP whose image tower attends over time in each of its blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from stan.data.preprocessing import PixelSettings
from stan.models.layouts.clip import huggingface_names, join_projections, transpose_projections
from stan.models.layouts.names import Layout, State, count, needed
from stan.models.layouts.sizes import first_times

_VISION = r"vision_model\."
_ENCODER = r"encoder\.(?:base_model\.model\.)?"
"""What stands before the layers; the name in brackets is peft's."""
_LAYER = rf"{_VISION}{_ENCODER}layers\.(?P<n>\d+)\."
_OVER_TIME = {
    r"temporal_layer_norm1\.": "norm.",
    r"temporal_attn\.in_proj_": "attention.in_proj_",
    r"temporal_attn\.out_proj\.": "attention.out_proj.",
}
_TIMES = "temporal.later_times."
_LOW, _HIGH = "lora_A.default.weight", "lora_B.default.weight"
"""Ends of the names of LoRA's two matrices, (rank, D) and (D, rank); those of queries, keys and values are joined."""


def _joined(state: Mapping[str, Tensor]) -> State:
    """Join the projections; where newer versions of peft keep a matrix as `base_layer`, it gets its own name again."""
    return join_projections({key.replace(".base_layer.", "."): value for key, value in state.items()})


def _merge(state: State, told: Mapping[str, Any]) -> None:
    """Add what LoRA learned beside a matrix, alpha / rank B A, to that matrix, in place."""
    for low in [name for name in state if name.endswith(_LOW)]:
        high, matrix = low.replace(_LOW, _HIGH), low.replace(_LOW, "weight")
        needed(state, high, matrix)
        alpha = told.get("vision_config", {}).get("lora_alpha")
        if alpha is None:
            raise ValueError(
                "holds LoRA matrices, and the config.json beside it tells no lora_alpha in vision_config, by which"
                " they are scaled: put the config.json of the same release there"
            )
        parts = 3 if "in_proj" in low else 1
        a, b = state.pop(low).chunk(parts), state.pop(high).chunk(parts)
        try:
            learned = torch.cat([y @ x for x, y in zip(a, b, strict=True)])
            state[matrix] = state[matrix] + alpha / len(a[0]) * learned
        except (RuntimeError, ValueError):
            raise ValueError(
                f"has another shape of {low} or {high} than {matrix} needs (our names)"
            ) from None


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    transpose_projections(state, told)
    _merge(state, told)
    frames = first_times(state, told)
    later = range(1, count(state, "clip.visual.transformer.resblocks."))
    needed(state, *(f"{_TIMES}{n}.weight" for n in later))
    for n in later:  # ours count from the second block
        state[f"{_TIMES}{n - 1}.weight"] = state.pop(f"{_TIMES}{n}.weight").flatten(0, -2)[:frames]
    return {"temporal": "divided_space_time", "options": {"language_bind": True}, "frames": frames}


LANGUAGE_BIND = Layout(
    "LanguageBind for videos",
    (rf"{_LAYER}temporal_attn\..+", r"text_model\..+"),
    {
        rf"{_VISION}{_ENCODER}layers\.0\.temporal_embedding": "temporal.time.weight",
        rf"{_LAYER}temporal_embedding": rf"{_TIMES}\g<n>.weight",
        r"visual_projection\.weight": "clip.visual.proj",
        "logit_scale": "clip.logit_scale",
    }
    | {
        rf"{_LAYER}{theirs}(?P<rest>.+)": rf"temporal.over_time.\g<n>.{ours}\g<rest>"
        for theirs, ours in _OVER_TIME.items()
    }
    | huggingface_names(_VISION, "", r"embeddings\.", _ENCODER),
    prepare=_joined,
    design=_design,
    pixels=PixelSettings(interpolation="bilinear"),
)
