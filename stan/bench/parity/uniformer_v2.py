"""UniFormerV2's and InternVideo's reference outputs in, what our models give in their place out."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from stan.bench.parity.classifier import class_logits
from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.bench.parity.space_time import matched, token_major
from stan.common.recording import all_recorded
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal.uniformer_v2 import UniformerV2
from stan.models.video_encoder import VideoOutput


def _passed(model: DualEncoder, given: Tensor) -> tuple[dict[str, Tensor], VideoOutput]:
    """Return CLIP's tokens, what each global block reads and the query behind it; and the video's embeddings."""
    method = model.temporal
    assert isinstance(method, UniformerV2)
    with all_recorded(method.layers) as passes:
        video = model.encode_video(given)
    ours = {f"tokens_after_block_{i}": token_major(x) for i, x in model.encoder.blocks(given)}
    ours["tokens_before_blocks"] = token_major(model.encoder.embed(given))
    for k, layer in enumerate(method.layers):
        ours[f"read_{k}"] = rearrange(passes[layer].given[-1][1], "b t s d -> (t s) b d")
        ours[f"video_token_{k}"] = passes[layer].last_result.transpose(0, 1)
    return ours, video


@torch.no_grad()
def _classified(golden: Golden) -> Outputs:
    model = golden.model()
    ours, video = _passed(model, golden.io["video"])
    return ours | {"features": video.video, "logits": class_logits(model, video)}


@torch.no_grad()
def _with_texts(golden: Golden) -> Outputs:
    model = golden.model()
    ours, _ = _passed(model, golden.io["video"])
    return ours | matched(model, golden)


RIVAL = Rival("UniFormerV2 (OpenGVLab/UniFormerV2)", _classified, frozenset({"video"}))
INTERN_VIDEO = Rival("InternVideo-MM (OpenGVLab/InternVideo)", _with_texts, frozenset({"video", "token_ids"}))
