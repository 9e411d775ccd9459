"""X-CLIP's reference outputs in, what our model gives in their place out."""

from __future__ import annotations

import torch

from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.common.recording import recorded
from stan.models.similarity.video_prompts import VideoPrompts
from stan.models.temporal.x_clip import XClip
from stan.training.losses import classification


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    model, given = golden.model(), golden.io
    method, score = model.temporal, model.score
    assert isinstance(method, XClip) and isinstance(score, VideoPrompts) and method.integration is not None
    blocks = dict(model.encoder.blocks(given["video"]))
    last = blocks[model.clip.layers - 1]
    text = model.encode_text(given["token_ids"])
    with recorded(method.integration.blocks[-1]) as mixed:
        video = model.encode_video(given["video"])
    logits = model.logit_scale.exp() * model.similarity(text, video).T
    return {f"block_{i}": tokens for i, tokens in blocks.items()} | {
        "frame_embeddings": model.clip.visual.project(last[:, :, 0]),
        "patch_embeddings": score.patches(last),
        "mit_blocks": mixed.result,
        "video_embedding": video.video,
        "text_embedding": text.text,
        "prompts": score.prompts(text, video),
        "logits": logits,
        "loss_soft_target": classification(logits, given["target"]),
        "loss_label_smoothing": classification(logits, given["label"], smoothing=0.1),
    }


RIVAL = Rival("X-CLIP (microsoft/VideoX)", _outputs, frozenset({"video", "token_ids", "label", "target"}))
