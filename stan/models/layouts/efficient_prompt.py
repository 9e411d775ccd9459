"""Efficient-Prompt's layout: a CLIP in OpenAI's names under `clipmodel.`, text vectors by place, and the blocks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from stan.models.layouts.clip import openai_names
from stan.models.layouts.names import Layout, State, count, needed
from stan.models.layouts.told import flags, require

VECTORS, HEADS = 16, 8
"""Learned vectors on each side and heads of the blocks where the config doesn't say: those of the README's command."""
TEMPERATURE = 0.07
"""The released code divides cosines by it; CLIP's own logit scale stands unused in the file."""


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    require(told, {"temporal": (1, True), "featnorm": (1, True)})
    given = flags(told)
    needed(state, "temporal.position", "clip.logit_scale")
    state["clip.logit_scale"] = torch.tensor(-math.log(given.get("temperature", TEMPERATURE)))
    options = {
        "prefix": given.get("prefix", VECTORS),
        "suffix": given.get("postfix", VECTORS),
        "layers": count(state, "temporal.blocks."),
        "heads": given.get("tfm_heads", HEADS),
        "table": True,
    }
    frames = given.get("frames", len(state["temporal.position"]))
    return {"temporal": "efficient_prompting", "options": options, "frames": frames}


EFFICIENT_PROMPT = Layout(
    "Efficient-Prompt",
    (r"clipmodel\..+", r"temporalModelling\..+"),
    openai_names(r"clipmodel\.")
    | {
        r"embedding\.weight": "temporal.table",
        r"temporalEmbedding\.weight": "temporal.position",
        r"temporalModelling\.resblocks\.(.+)": r"temporal.blocks.\1",
    },
    design=_design,
)
