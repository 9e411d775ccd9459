"""Mug-STAN's heads: their reference outputs in, ours beside them out."""

from __future__ import annotations

from typing import Any

import torch

from stan.bench.parity.golden import CHECKPOINT, Golden, Outputs, Rival
from stan.models.backbones import from_config
from stan.models.checkpoint import fill
from stan.models.clip import Clip
from stan.models.layouts.stan import HEAD
from stan.models.similarity import build
from stan.models.similarity.base import Similarity
from stan.models.temporal.base import mean_over_frames
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput

HEADS = {
    "mug_frame_token_simple": ("mug_simple", {}),
    "mug_frame_token": ("mug_full", {"released": True}),
    "mug_frame_text": ("mug_simple", {"whole_text": True}),
}
"""Our similarity and its options, by the source's mode."""


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    io = golden.io
    tokens, frames, words = io["text_tokens"], io["frame_embeddings"], io["text_mask"].bool()
    ends = words.sum(1) - 1
    text = TextOutput(tokens, tokens[torch.arange(len(tokens)), ends], words)
    real = torch.ones(frames.shape[:2], dtype=torch.bool)
    video = VideoOutput(frames, mean_over_frames(frames, real), real)
    clip = from_config(_clip(tokens.shape[-1], tokens.shape[1]))
    tau = {"tau": golden.settings["flags"]["tau"]}
    ours = {mode: build(name, clip, options | tau)(text, video) for mode, (name, options) in HEADS.items()}
    return ours | {"drl_wti": _weighing(golden, clip)(text, video)}


def _weighing(golden: Golden, clip: Clip) -> Similarity:
    state, _ = HEAD.renamed(golden.checkpoint())
    design = HEAD.design(state, {})
    score = build(design["similarity"], clip, design["similarity_options"])
    fill(score, {key.removeprefix("score."): x for key, x in state.items()}, golden.folder / CHECKPOINT)
    return score


def _clip(width: int, length: int) -> dict[str, Any]:
    """Return a CLIP of the embeddings' width: the heads read nothing else of it."""
    small = {"width": width, "layers": 1}
    return {
        "embed_dim": width,
        "vision_cfg": small | {"image_size": 8, "patch_size": 8, "head_width": width},
        "text_cfg": small | {"context_length": length, "vocab_size": 2, "heads": 1},
    }


RIVAL = Rival(
    "Mug-STAN's heads (farewellthree/STAN)",
    _outputs,
    frozenset({"text_tokens", "frame_embeddings", "text_mask"}),
)
