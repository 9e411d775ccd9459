"""X-CLIP's layouts: its authors' release, and Hugging Face's `XCLIPModel`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stan.models.layouts.clip import (
    huggingface_names,
    join_self_attention,
    openai_names,
    transpose_projections,
)
from stan.models.layouts.names import IMAGENET, Layout, State, count, needed

_TIME = "temporal.integration.time.weight"
_MESSAGE = {"fc": "write", "ln": "norm", "attn": "attention"}
_INTEGRATION = {
    r"(?:self_)?attn": "self_attn",
    r"(?:ln_|layer_norm)1": "norm1",
    r"(?:ln_|layer_norm)2": "norm2",
    r"mlp\.(?:c_fc|fc1)": "linear1",
    r"mlp\.(?:c_proj|fc2)": "linear2",
}
_PROMPT_LAYER = {
    r"cross_attn\.q_proj": "query",
    r"cross_attn\.k_proj": "key",
    r"cross_attn\.v_proj": "value",
    r"cross_attn\.proj": "out",
    "norm1": "norm_1",
    "norm3": "norm_2",
    r"mlp\.0": "up",
    r"mlp\.3": "down",
}


def _names(blocks: str, integration: str, norm: str) -> dict[str, str]:
    """Return the names of what X-CLIP adds to a CLIP.

    blocks, integration: patterns of what stands before the numbers of the image tower's and the MIT's blocks. norm:
    what the prompts' first LayerNorm is called.
    """
    names = {
        rf"{blocks}(\d+)\.message_{theirs}\.(.+)": rf"temporal.messages.\1.{ours}.\2"
        for theirs, ours in _MESSAGE.items()
    }
    names |= {
        rf"{integration}(\d+)\.{theirs}\.(.+)": rf"temporal.integration.blocks.\1.{ours}.\2"
        for theirs, ours in _INTEGRATION.items()
    }
    names |= {
        rf"prompts_generator\.decoder\.(\d+)\.{theirs}\.(.+)": rf"score.layers.\1.{ours}.\2"
        for theirs, ours in _PROMPT_LAYER.items()
    }
    return names | {
        r"mit\.(?:positional|position)_embedding": _TIME,
        rf"prompts_generator\.{norm}\.(.+)": r"score.norm.\1",
        r"prompts_generator\.alpha": "score.alpha",
        r"prompts_visual_(?:ln|layernorm)\.(.+)": r"score.patch_norm.\1",
        r"prompts_visual_proj(?:ection)?": "score.patch_proj",
    }


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    needed(state, _TIME)
    state[_TIME] = state[_TIME].squeeze(0)
    of_integration = told.get("mit_heads") or told.get("vision_config", {}).get("mit_num_attention_heads")
    of_prompts = told.get("prompts_heads") or told.get("prompt_num_attention_heads")
    return {
        "temporal": "x_clip",
        "options": {"layers": count(state, "temporal.integration.blocks."), "heads": of_integration},
        "frames": len(state[_TIME]),
        "similarity": "video_prompts",
        "similarity_options": {
            "layers": count(state, "score.layers."),
            "heads": of_prompts,
            "reads": "patches",
        },
    }


def _huggingface_design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    transpose_projections(state, told)
    return _design(state, told)


RELEASED = Layout(
    "the released X-CLIP",
    (r"visual\..+\.message_fc\..+", r"mit\..+", r"prompts_generator\..+"),
    _names(r"visual\.transformer\.resblocks\.", r"mit\.resblocks\.", "norm") | openai_names(),
    design=_design,
    pixels=IMAGENET,
)
HUGGINGFACE = Layout(
    "X-CLIP in Hugging Face's layout",
    (r"vision_model\..+\.message_fc\..+", r"mit\..+", r"prompts_generator\..+"),
    _names(r"vision_model\.encoder\.layers\.", r"mit\.encoder\.layers\.", "layernorm")
    | huggingface_names(r"vision_model\.", "", r"embeddings\.", r"encoder\.")
    | {
        r"vision_model\.pre_layernorm\.(.+)": r"clip.visual.ln_pre.\1",
        r"visual_projection\.weight": "clip.visual.proj",
        "logit_scale": "clip.logit_scale",
    },
    prepare=join_self_attention,
    design=_huggingface_design,
    pixels=IMAGENET,
)
