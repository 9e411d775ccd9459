"""STAN's two releases: the branch's tokens and parts, embeddings of both towers, and Mug's scores."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from einops import rearrange
from torch import Tensor

from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.common.recording import recorded
from stan.models import similarity
from stan.models.convert import RELEASED_HEADS
from stan.models.temporal.stan import Stan

HEADS = ("mug_simple", "mug_full")


@torch.no_grad()
def _first(golden: Golden) -> Outputs:
    model, video = golden.model(), golden.io["video"]
    assert isinstance(model.temporal, Stan)
    layers = list(model.temporal.layers)
    with ExitStack() as stack:
        whole = [stack.enter_context(recorded(layer)) for layer in layers]
        across = [stack.enter_context(recorded(layer.get_submodule("cross_frame"))) for layer in layers]
        model.temporal.branch_tokens(model.encoder.levels(video))
    embedded = model.encode_video(video)
    ours = {"frame_embeddings": embedded.frames, "video_embedding": embedded.video}
    for k in range(len(layers)):
        cls, patches, *_ = whole[k].given[0]
        ours |= {
            f"cross_frame_{k}_in": _patch_major(cls, patches),
            f"cross_frame_{k}_out": _patch_major(cls, across[k].result),
            f"branch_tokens_{k}": _patch_major(*whole[k].results[0]),
        }
    return ours


def _patch_major(cls: Tensor, patches: Tensor) -> Tensor:
    return torch.cat([cls, rearrange(patches, "b t p d -> b (p t) d")], 1)


@torch.no_grad()
def _released(golden: Golden) -> Outputs:
    model, io = golden.model(), golden.io
    video, text = model.encode_video(io["video"]), model.encode_text(io["token_ids"])
    scores = {name: similarity.build(name, model.clip, RELEASED_HEADS.get(name)) for name in HEADS}
    return {
        "frame_embeddings": video.frames,
        "video_embedding": video.video,
        "branch_tokens": model.temporal.branch_tokens(model.encoder.levels(io["video"])),
        "text_embedding": text.text,
        "text_token_embeddings": text.tokens,
    } | {name: score(text, video) for name, score in scores.items()}


FIRST = Rival("STAN's first released code, attention and convolution", _first, frozenset({"video"}))
RELEASED = Rival("STAN and Mug's heads, released code", _released, frozenset({"video", "token_ids"}))
