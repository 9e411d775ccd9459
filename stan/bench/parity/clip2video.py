"""CLIP2Video's reference outputs in, ours beside them out: its difference block and its alignment block."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from stan.bench.parity.clip4clip import INPUTS, contrastive, frames_of_clip
from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.models.dual_encoder import DualEncoder
from stan.models.similarity.temporal_alignment import TemporalAlignment
from stan.models.temporal.temporal_difference import TemporalDifference
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput

MIXED_UP = (
    "a fault of the source: the masks of a batch are laid out head by head but read video by video, so that a video is"
    " masked by another's mask; masked_one_by_one. holds the same without it"
)


@torch.no_grad()
def _outputs(golden: Golden) -> Outputs:
    io, model = golden.io, golden.model()
    score, text = model.score, model.encode_text(io["token_ids"])
    assert isinstance(score, TemporalAlignment)
    clip_frames = frames_of_clip(model, io["video"])
    ours = {
        "clip_frames": clip_frames,
        "text_embedding": text.text,
        "text_tokens": text.tokens,
        "tab_text": score.aligned(text.tokens[:, 1:], text.mask[:, 1:]),
    }
    real = io["video_mask"].bool()
    cases = {"full": torch.ones_like(real), "masked": real, "masked_one_by_one": real}
    for case, mask in cases.items():
        video = model.encode_video(io["video"], mask)
        found = _of_case(model, text, video, clip_frames)
        ours |= {f"{case}.{name}": tensor for name, tensor in found}
    return ours


def _of_case(
    model: DualEncoder, text: TextOutput, video: VideoOutput, clip_frames: Tensor
) -> Iterator[tuple[str, Tensor]]:
    temporal, score, scale, mask = model.temporal, model.score, model.logit_scale.exp(), video.mask
    assert isinstance(temporal, TemporalDifference) and isinstance(score, TemporalAlignment)
    yield "turns_mask", temporal.turns_mask(mask)[:, :-1]
    yield "differences", temporal.differences(clip_frames, mask)[:, :-1]
    yield "frames", video.frames
    yield "tab_frames", score.resampled(clip_frames, mask)[0]
    yield "tab_video", video.context
    yield "tab_video_of_clip_frames_alone", score.aligned(clip_frames, mask)
    whole, aligned = (scale * part for part in score.parts(text, video))
    yield "logits_tdb", whole
    yield "logits", scale * model.similarity(text, video)
    yield "loss_tdb", contrastive(whole)
    yield "loss_tab", contrastive(aligned)


RIVAL = Rival(
    "CLIP2Video (CryhanFang/CLIP2Video)",
    _outputs,
    INPUTS,
    {
        r"masked\.(differences|frames|logits|logits_tdb|loss_tab|loss_tdb|tab_frames|tab_video)": MIXED_UP,
    },
)
