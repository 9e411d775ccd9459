"""UniFormerV2's reference outputs in, what our model gives in their place out."""

from __future__ import annotations

import torch
from einops import rearrange

from stan.bench.parity.classifier import class_logits
from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.common.recording import all_recorded
from stan.models.temporal.uniformer_v2 import UniformerV2


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    model, given = golden.model(), golden.io["video"]
    method = model.temporal
    assert isinstance(method, UniformerV2)
    blocks = {-1: model.encoder.embed(given), **dict(model.encoder.blocks(given))}
    with all_recorded(method.layers) as passes:
        video = model.encode_video(given)
    ours = {f"tokens_after_block_{i}": rearrange(x, "b t s d -> s (b t) d") for i, x in blocks.items()}
    ours["tokens_before_blocks"] = ours.pop("tokens_after_block_-1")
    for k, layer in enumerate(method.layers):
        ours[f"read_{k}"] = rearrange(passes[layer].given[-1][1], "b t s d -> (t s) b d")
        ours[f"video_token_{k}"] = passes[layer].last_result.transpose(0, 1)
    return ours | {"features": video.video, "logits": class_logits(model, video)}


RIVAL = Rival("UniFormerV2 (OpenGVLab/UniFormerV2)", _outputs, frozenset({"video"}))
