"""CLIP4Clip's reference outputs in, ours beside them out: meanP, seqTransf and tightTransf."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from stan.bench.parity.captured import contrastive, frames_of_clip, inputs_of, outputs_of
from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.models.dual_encoder import DualEncoder
from stan.models.similarity.tight_transformer import TightTransformer
from stan.models.temporal.sequence_transformer import SequenceTransformer

INPUTS = frozenset({"video", "video_mask", "token_ids", "text_mask"})


@torch.no_grad()
def outputs(golden: Golden) -> Outputs:
    io, model = golden.io, golden.model()
    ours = {
        "clip_frames": frames_of_clip(model, io["video"]),
        "text_embedding": model.encode_text(io["token_ids"]).text,
    }
    real = io["video_mask"].bool()
    for case, mask in (("full", torch.ones_like(real)), ("masked", real)):
        ours |= {f"{case}.{name}": tensor for name, tensor in _of_case(model, golden, mask)}
    return ours


def _of_case(model: DualEncoder, golden: Golden, mask: Tensor) -> Iterator[tuple[str, Tensor]]:
    io, temporal, score = golden.io, model.temporal, model.score
    if isinstance(temporal, SequenceTransformer):
        with outputs_of(temporal.blocks[-1]) as mixed:
            video = model.encode_video(io["video"], mask)
        yield "transformer_output", torch.cat(mixed)
    else:
        video = model.encode_video(io["video"], mask)
    text = model.encode_text(io["token_ids"])
    if isinstance(score, TightTransformer):
        with outputs_of(score.blocks[-1]) as hidden, inputs_of(score.score) as pooled:
            cosines = model.similarity(text, video)
        yield "cross_hidden", torch.cat(hidden)
        yield "cross_pooled", torch.cat(pooled)
    else:
        cosines = model.similarity(text, video)
    logits = model.logit_scale.exp() * cosines
    yield from {
        "frames": video.frames,
        "video_pooled": video.video,
        "logits": logits,
        "loss": contrastive(logits),
    }.items()


CLIP4CLIP = Rival("CLIP4Clip (ArrowLuo/CLIP4Clip)", outputs, INPUTS)
