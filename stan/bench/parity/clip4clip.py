"""CLIP4Clip's reference outputs in, ours beside them out: meanP, seqTransf and tightTransf."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.common.recording import recorded
from stan.models.dual_encoder import DualEncoder
from stan.models.similarity.tight_transformer import TightTransformer
from stan.models.temporal.frame_blocks import mix, placed
from stan.models.temporal.sequence_transformer import SequenceTransformer
from stan.training.losses import contrastive_mean

INPUTS = frozenset({"video", "video_mask", "token_ids", "text_mask"})


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    io, model = golden.io, golden.model()
    ours = {
        "clip_frames": frames_of_clip(model, io["video"]),
        "text_embedding": model.encode_text(io["token_ids"]).text,
    }
    real = io["video_mask"].bool()
    for case, mask in (("full", torch.ones_like(real)), ("masked", real)):
        ours |= {f"{case}.{name}": tensor for name, tensor in _of_case(model, golden, mask)}
    return ours


def frames_of_clip(model: DualEncoder, video: Float[Tensor, "B T 3 H W"]) -> Float[Tensor, "B T E"]:
    """Return each frame's embedding by CLIP's blocks, before what follows them."""
    *_, (_, last) = model.encoder.blocks(video)
    return model.clip.visual.project(last[:, :, 0])


def contrastive(logits: Float[Tensor, "N B"]) -> Float[Tensor, ""]:
    """Return the loss of the first pairs, as many as there are, whose texts and videos have the same number."""
    pairs = min(logits.shape)
    return contrastive_mean(logits[:pairs, :pairs], torch.eye(pairs, dtype=torch.bool))


def _of_case(model: DualEncoder, golden: Golden, mask: Tensor) -> Iterator[tuple[str, Tensor]]:
    io, temporal, score = golden.io, model.temporal, model.score
    text, video = model.encode_text(io["token_ids"]), model.encode_video(io["video"], mask)
    if isinstance(temporal, SequenceTransformer):
        frames = placed(frames_of_clip(model, io["video"]), temporal.position)
        yield "transformer_output", mix(temporal.blocks, frames, mask)
    if isinstance(score, TightTransformer):
        yield "cross_hidden", score.mixed(text, video)
        with recorded(score.score) as pooled:
            cosines = model.similarity(text, video)
        yield "cross_pooled", pooled.argument
    else:
        cosines = model.similarity(text, video)
    logits = model.logit_scale.exp() * cosines
    yield from {
        "frames": video.frames,
        "video_pooled": video.video,
        "logits": logits,
        "loss": contrastive(logits),
    }.items()


RIVAL = Rival("CLIP4Clip (ArrowLuo/CLIP4Clip)", _outputs, INPUTS)
