"""X-Pool's layout: a CLIP, Hugging Face's or OpenAI's, and the pooling of its frames by a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from stan.models.layouts.clip import huggingface_names, join_self_attention, openai_names
from stan.models.layouts.names import Layout, State
from stan.models.layouts.told import flags

_POOLING = {
    r"cross_attn\.q_proj": "query",
    r"cross_attn\.k_proj": "key",
    r"cross_attn\.v_proj": "value",
    r"cross_attn\.out_proj": "out",
    "linear_proj": "linear",
    "layer_norm1": "norm",
    "layer_norm2": "attended_norm",
    "layer_norm3": "pooled_norm",
}


def _as_openai(state: Mapping[str, Tensor]) -> State:
    """Join the projections of Hugging Face's towers and turn their last ones; those of the pooling stay apart."""
    return {
        key: value.T if key.endswith(("visual_projection.weight", "text_projection.weight")) else value
        for key, value in join_self_attention(state).items()
    }


def _design(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    given = flags(told)
    frames = {"frames": given["num_frames"]} if "num_frames" in given else {}
    return frames | {
        "similarity": "text_conditioned_pooling",
        "similarity_options": {
            "heads": given.get("num_mha_heads", 1),
            "dropout": given.get("transformer_dropout", 0.3),
        },
    }


X_POOL = Layout(
    "X-Pool",
    (r"pool_frames\..+", r"clip\..+"),
    {rf"pool_frames\.{theirs}\.(weight|bias)": rf"score.{ours}.\1" for theirs, ours in _POOLING.items()}
    | {r"clip\.visual_projection\.weight": "clip.visual.proj"}
    | huggingface_names(r"clip\.vision_model\.", r"clip\.", r"embeddings\.", r"encoder\.")
    | openai_names(r"clip\."),
    prepare=_as_openai,
    design=_design,
)
