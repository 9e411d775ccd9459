"""EVL's reference outputs in, what our model gives in their place out."""

from __future__ import annotations

import torch

from stan.bench.parity.classifier import class_logits
from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.common.recording import all_recorded
from stan.models.temporal.evl import Evl
from stan.training.losses import classification


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    model, given = golden.model(), golden.io
    method = model.temporal
    assert isinstance(method, Evl)
    with all_recorded([*method.layers, *method.matches]) as passes:
        video = model.encode_video(given["video"])
    logits = class_logits(model, video)
    ours = {f"block_{i}": tokens for i, tokens in model.encoder.blocks(given["video"])}
    for k, layer in enumerate(method.layers):
        ours[f"frame_features_{k}"] = passes[layer].given[-1][1].flatten(1, 2)
        ours[f"decoder_{k}"] = passes[layer].last_result
    for k, matches in enumerate(method.matches):
        of_own_tokens = (0, 0, method.own_tokens, 0)
        ours[f"cross_attention_{k}"] = torch.nn.functional.pad(passes[matches].last_result, of_own_tokens)
    return ours | {
        "features": video.video,
        "logits": logits,
        "loss": classification(logits, given["label"]),
    }


RIVAL = Rival("EVL (OpenGVLab/efficient-video-recognition)", _outputs, frozenset({"video", "label"}))
