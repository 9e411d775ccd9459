"""TimeSformer's reference outputs in, what our model gives in their place out."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from stan.bench.parity.classifier import class_logits
from stan.bench.parity.golden import Golden, Outputs, Rival


def patch_major(x: Float[Tensor, "B T S D"]) -> Float[Tensor, "B J D"]:
    """Return the CLS token, of which every frame holds a copy, then patch 0 of all frames, patch 1, ..."""
    return torch.cat([x[:, 0, :1], rearrange(x[:, :, 1:], "b t p d -> b (p t) d")], 1)


@torch.no_grad()
def _timesformer(golden: Golden) -> Outputs:
    model, video = golden.model(), golden.io["video"]
    cls, patches = model.encoder.embed(video).split([1, model.clip.patches], 2)
    timed = torch.cat([cls, model.temporal.time(patches)], 2)
    blocks = {f"tokens_after_block_{i}": patch_major(x) for i, x in model.encoder.blocks(video)}
    embedded = model.encode_video(video)
    return blocks | {
        "tokens_before_blocks": patch_major(timed),
        "features": embedded.video,
        "logits": class_logits(model, embedded),
    }


TIMESFORMER = Rival("TimeSformer (facebookresearch/TimeSformer)", _timesformer, frozenset({"video"}))
