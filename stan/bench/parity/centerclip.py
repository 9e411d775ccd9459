"""CenterCLIP's reference outputs in, ours beside them out: clustering by K-medoids, then the mean over segments."""

from __future__ import annotations

import torch
from einops import rearrange

from stan.bench.parity.clip4clip import INPUTS, contrastive
from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.common.recording import recorded
from stan.models.temporal.center_clip import CenterClip, medoids

ROUNDING = (
    "in a cluster of two both tokens are equally central, and the released matrix product lets rounding decide, which"
    " differs from machine to machine; exact. holds the same with exact distances"
)


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    io, model = golden.io, golden.model()
    method, text, video = model.temporal, model.encode_text(io["token_ids"]), io["video"]
    assert isinstance(method, CenterClip)
    before = model.encoder.levels(video)[method.block - 1]
    with recorded(model.clip.blocks[method.block]) as after:
        model.encode_video(video)
    real = io["video_mask"].bool()
    patches = rearrange(before[:, :, 1:], "b (n t) p d -> (b n) (t p) d", t=method.segment)
    chosen = medoids(patches, patches.new_ones(patches.shape[:2], dtype=torch.bool), method.clusters)
    ours = {
        "text_embedding": text.text,
        "tokens_before": before,
        "exact.tokens_after": rearrange(after.argument, "(b n) s d -> b n s d", b=len(video)),
        "exact.medoid_ids": rearrange(chosen, "(b n) k -> b n k", b=len(video)),
        "exact.segments": model.encode_video(video).frames[:, :: method.segment],
    }
    for case, mask in (("full", torch.ones_like(real)), ("masked", real)):
        embedded = model.encode_video(video, mask)
        logits = model.logit_scale.exp() * model.similarity(text, embedded)
        ours |= {
            f"{case}.segment_mask": method.segment_mask(mask),
            f"exact.{case}.video_pooled": embedded.video,
            f"exact.{case}.logits": logits,
            f"exact.{case}.loss": contrastive(logits),
        }
    return ours


RIVAL = Rival("CenterCLIP (mzhaoshuai/CenterCLIP)", _outputs, INPUTS, {r"released\..+": ROUNDING})
