"""AIM's reference outputs in, what our model gives in their place out."""

from __future__ import annotations

import torch

from stan.bench.parity.classifier import class_logits
from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.training.losses import classification


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    model, given = golden.model(), golden.io
    blocks = {f"block_{i}": tokens for i, tokens in model.encoder.blocks(given["video"])}
    start, video = model.encoder.embed(given["video"]), model.encode_video(given["video"])
    logits = class_logits(model, video)
    model.temporal.time.weight.zero_()
    untimed = model.encode_video(given["video"])
    return blocks | {
        "before_blocks": start,
        "frame_features": video.frames,
        "logits": logits,
        "loss": classification(logits, given["label"]),
        "untimed.frame_features": untimed.frames,
        "untimed.logits": class_logits(model, untimed),
    }


RIVAL = Rival("AIM (taoyang1122/adapt-image-models)", _outputs, frozenset({"video", "label"}))
