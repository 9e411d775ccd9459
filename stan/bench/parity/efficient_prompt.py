"""Efficient-Prompt's reference outputs in, ours beside them out: prompted texts and frames mixed over time."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from stan.bench.parity.clip4clip import frames_of_clip
from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.models.temporal.efficient_prompting import EfficientPrompting


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    io, model = golden.io, golden.model()
    method, ids = model.temporal, io["token_ids"]
    assert isinstance(method, EfficientPrompting)
    end = ids.argmax(1)
    source, _ = method.sources(ids.shape[1], end)
    text, video = model.encode_text(ids), model.encode_video(io["video"])
    return {
        "frame_features": frames_of_clip(model, io["video"]),
        "temporal_out": video.frames,
        "video_embedding": video.video,
        "prompted_tokens": method.text_tokens(model.clip.text.token_embedding(ids), end)[0],
        "prompted_ids": F.pad(ids, (0, len(method.table))).gather(1, source),
        "text_embedding": text.text,
        "logits": (model.logit_scale.exp() * model.similarity(text, video)).T,
    }


RIVAL = Rival("Efficient-Prompt, A6 (ju-chen/Efficient-Prompt)", _outputs, frozenset({"video", "token_ids"}))
