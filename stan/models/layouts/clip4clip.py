"""CLIP4Clip's layouts, one per similarity header: a CLIP in OpenAI's names under `clip.`, and what follows it.

DRL, CLIP2Video and CenterCLIP are built on CLIP4Clip and share its names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stan.models.layouts.centerclip import clustering
from stan.models.layouts.clip import openai_names
from stan.models.layouts.names import Layout, State, count
from stan.models.layouts.told import layer_norm_eps

EPS = 1e-12
"""Of the LayerNorms that these sources add to CLIP."""
CLIP = (r"clip\.visual\..+", r"clip\.(transformer|ln_final|token_embedding)\..+")
"""Marks of both towers."""
CLIP_NAMES = openai_names(r"clip\.")
SEQUENCE_NAMES = {
    r"frame_position_embeddings\.weight": "temporal.position",
    r"transformerClip\.resblocks\.(.+)": r"temporal.blocks.\1",
}


def layers(state: State, prefix: str) -> dict[str, int]:
    """Return how many blocks under `prefix` start as copies of text blocks, and how many stand behind those."""
    blocks, of_text = count(state, prefix), count(state, "clip.text.transformer.resblocks.")
    return {"layers": min(blocks, of_text), "further": max(0, blocks - of_text)}


def sequence(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the design of frames that pass a transformer, or of plain ones where there is none."""
    if not any(key.startswith("temporal.") for key in state):
        return {"temporal": "mean", "options": {"normalised": True}}
    eps = layer_norm_eps(told, "transformerClip", EPS)
    options = layers(state, "temporal.blocks.") | {"normalised": True, "eps": eps}
    return {"temporal": "sequence_transformer", "options": options}


def _mean_pooling(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    # CenterCLIP's files may have the same names; only its settings tell that tokens are clustered
    return clustering(state, {"cluster_inter": False, **told})


def _tight(state: State, told: Mapping[str, Any]) -> dict[str, Any]:
    options = layers(state, "score.blocks.") | {
        "dropout": 0.1,
        "eps": layer_norm_eps(told, "cross", EPS),
        "bias": True,
    }
    return {"similarity": "tight_transformer", "similarity_options": options}


MEAN_POOLING = Layout("CLIP4Clip (meanP)", CLIP, CLIP_NAMES, design=_mean_pooling)
SEQUENCE = Layout(
    "CLIP4Clip (seqTransf)",
    (*CLIP, r"transformerClip\..+"),
    CLIP_NAMES | SEQUENCE_NAMES,
    design=sequence,
)
TIGHT = Layout(
    "CLIP4Clip (tightTransf)",
    (*CLIP, r"cross\..+"),
    CLIP_NAMES
    | {
        r"cross\.embeddings\.position_embeddings\.weight": "score.position",
        r"cross\.transformer\.resblocks\.(.+)": r"score.blocks.\1",
        r"cross\.pooler\.ln_pool\.(.+)": r"score.norm.\1",
        r"cross\.pooler\.dense\.(.+)": r"score.pool.\1",
        r"similarity_dense\.(.+)": r"score.score.\1",
    },
    design=_tight,
)
