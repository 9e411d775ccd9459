"""X-CLIP's reference outputs in, what our model gives in their place out."""

from __future__ import annotations

import torch

from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.bench.parity.recorded import recorded
from stan.training.losses import classification


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    model, given = golden.model(), golden.io
    blocks = dict(model.encoder.blocks(given["video"]))
    last = blocks[model.clip.layers - 1]
    text = model.encode_text(given["token_ids"])
    with recorded(model.temporal.integration.blocks[-1]) as mixed:
        video = model.encode_video(given["video"])
    logits = model.logit_scale.exp() * model.similarity(text, video).T
    return {f"block_{i}": tokens for i, tokens in blocks.items()} | {
        "frame_embeddings": model.clip.project(last[:, :, 0]),
        "patch_embeddings": model.score.patches(last),
        "mit_blocks": torch.cat(mixed),
        "video_embedding": video.video,
        "text_embedding": text.text,
        "prompts": model.score.prompts(text, video),
        "logits": logits,
        "loss_soft_target": classification(logits, given["target"]),
        "loss_label_smoothing": classification(logits, given["label"], smoothing=0.1),
    }


RIVAL = Rival("X-CLIP (microsoft/VideoX)", _outputs, frozenset({"video", "token_ids", "label", "target"}))
