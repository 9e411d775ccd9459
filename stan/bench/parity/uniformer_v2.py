"""UniFormerV2's and InternVideo's reference outputs in, what our models give in their place out."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from stan.bench.parity.classifier import class_logits
from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.common.recording import all_recorded
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal.uniformer_v2 import UniformerV2
from stan.models.video_encoder import VideoOutput


def _passed(model: DualEncoder, given: Tensor) -> tuple[dict[str, Tensor], VideoOutput]:
    """Return CLIP's tokens, what each global block reads and the query behind it; and the video's embeddings."""
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
    return ours, video


@torch.no_grad()
def _classified(golden: Golden) -> Outputs:
    model = golden.model()
    ours, video = _passed(model, golden.io["video"])
    return ours | {"features": video.video, "logits": class_logits(model, video)}


@torch.no_grad()
def _matched(golden: Golden) -> Outputs:
    model = golden.model()
    ours, video = _passed(model, golden.io["video"])
    text = model.encode_text(golden.io["token_ids"])
    logits = model.logit_scale.exp() * model.similarity(text, video).T
    return ours | {"video_embedding": video.video, "text_embedding": text.text, "logits": logits}


RIVAL = Rival("UniFormerV2 (OpenGVLab/UniFormerV2)", _classified, frozenset({"video"}))
INTERN_VIDEO = Rival("InternVideo-MM (OpenGVLab/InternVideo)", _matched, frozenset({"video", "token_ids"}))
