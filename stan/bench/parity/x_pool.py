"""X-Pool's reference outputs in, ours beside them out."""

from __future__ import annotations

import torch

from stan.bench.parity.clip4clip import contrastive
from stan.bench.parity.golden import Golden, Outputs, Rival


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    model, io = golden.model(), golden.io
    text, video = model.encode_text(io["token_ids"]), model.encode_video(io["video"])
    similarity = model.similarity(text, video)
    logits = model.logit_scale.exp() * similarity
    return {
        "text_embedding": text.text,
        "frame_embeddings": video.frames,
        "pooled": model.score.pooled(text, video),
        "similarity": similarity,
        "logits": logits,
        "loss": contrastive(logits),
    }


RIVAL = Rival("X-Pool (layer6ai-labs/xpool)", _outputs, frozenset({"video", "token_ids"}))
