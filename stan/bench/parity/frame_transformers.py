"""VTN's and ViViT's reference outputs in, what our model gives in their place out."""

from __future__ import annotations

import torch

from stan.bench.parity.classifier import class_logits
from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.common.recording import recorded


@torch.no_grad()
def _vtn(golden: Golden) -> Outputs:
    model = golden.model()
    with (
        recorded(model.clip.visual.ln_post) as frames,
        recorded(model.temporal.layers[-1]) as mixed,
    ):
        video = model.encode_video(golden.io["video"])
    return {
        "frame_features": frames.result,
        "temporal_out": mixed.result,
        "logits": class_logits(model, video),
    }


@torch.no_grad()
def _vivit(golden: Golden) -> Outputs:
    model = golden.model()
    with recorded(model.temporal.blocks[0]) as first, recorded(model.temporal.blocks[-1]) as last:
        video = model.encode_video(golden.io["video"])
    return {
        "temporal_in": first.argument,
        "temporal_out": model.temporal.norm(last.result),
        "features": video.video,
        "logits": class_logits(model, video),
    }


VTN = Rival(
    "VTN (bomri/SlowFast)",
    _vtn,
    frozenset({"video", "position_ids"}),
    padded=frozenset({"temporal_out"}),  # to whole windows
)
VIVIT = Rival("ViViT's factorised encoder (google-research/scenic)", _vivit, frozenset({"video"}))
