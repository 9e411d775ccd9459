"""ST-Adapter's reference outputs in, what our model gives in their place out."""

from __future__ import annotations

import torch

from stan.bench.parity.classifier import class_logits
from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.models.temporal.base import mean_over_frames
from stan.training.losses import classification


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    model, given = golden.model(), golden.io
    blocks = dict(model.encoder.blocks(given["video"]))
    video = model.encode_video(given["video"])
    logits = class_logits(model, video)
    return {f"block_{i}": tokens for i, tokens in blocks.items()} | {
        "pooled": mean_over_frames(blocks[model.clip.layers - 1][:, :, 0], None),
        "video_embedding": video.video,
        "logits": logits,
        "loss": classification(logits, given["label"]),
    }


RIVAL = Rival("ST-Adapter (linziyi96/st-adapter)", _outputs, frozenset({"video", "label"}))
