"""Reference outputs of methods whose tokens lie in space and time in, such as TimeSformer's; ours for each out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from stan.bench.parity.classifier import class_logits
from stan.bench.parity.golden import Golden, Outputs, Rival
from stan.common.recording import recorded
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal.token_learner import TokenLearner


def patch_major(x: Float[Tensor, "B T S D"]) -> Float[Tensor, "B J D"]:
    """Return the CLS token, of which every frame holds a copy, then patch 0 of all frames, patch 1, ..."""
    return torch.cat([x[:, 0, :1], rearrange(x[:, :, 1:], "b t p d -> b (p t) d")], 1)


def frame_major(x: Float[Tensor, "B T S D"]) -> Float[Tensor, "B J D"]:
    """Return the CLS token, of which every frame holds a copy, then all patches of frame 0, of frame 1, ..."""
    return torch.cat([x[:, 0, :1], rearrange(x[:, :, 1:], "b t p d -> b (t p) d")], 1)


def _tokens(
    model: DualEncoder, video: Tensor, ordered: Callable[[Tensor], Tensor]
) -> Iterator[tuple[str, Tensor]]:
    """Yield the tokens before the blocks, with their times, and after each of them."""
    cls, patches = model.encoder.embed(video).split([1, model.clip.patches], 2)
    timed = model.temporal.get_submodule("time")(patches)
    yield "tokens_before_blocks", ordered(torch.cat([cls, timed], 2))
    for i, x in model.encoder.blocks(video):
        yield f"tokens_after_block_{i}", ordered(x)


@torch.no_grad()
def _classified(ordered: Callable[[Tensor], Tensor], golden: Golden) -> Outputs:
    model, video = golden.model(), golden.io["video"]
    embedded = model.encode_video(video)
    return dict(_tokens(model, video, ordered)) | {
        "features": embedded.video,
        "logits": class_logits(model, embedded),
    }


def _clips_tokens(
    model: DualEncoder, video: Tensor, ordered: Callable[[Tensor], Tensor]
) -> dict[str, Tensor]:
    """Return the tokens before the blocks and after each of them, where their times are CLIP's own or none."""
    after = {f"tokens_after_block_{i}": ordered(x) for i, x in model.encoder.blocks(video)}
    return {"tokens_before_blocks": ordered(model.encoder.embed(video))} | after


@torch.no_grad()
def _with_texts(ordered: Callable[[Tensor], Tensor], golden: Golden) -> Outputs:
    model = golden.model()
    return _clips_tokens(model, golden.io["video"], ordered) | matched(model, golden)


def matched(model: DualEncoder, golden: Golden) -> dict[str, Tensor]:
    """Return both embeddings and the logits of videos and texts."""
    text, video = model.encode_text(golden.io["token_ids"]), model.encode_video(golden.io["video"])
    return {
        "video_embedding": video.video,
        "text_embedding": text.text,
        "logits": model.logit_scale.exp() * model.similarity(text, video).T,
    }


@torch.no_grad()
def _clip_vip(golden: Golden) -> Outputs:
    def ordered(x: Float[Tensor, "B T S D"]) -> Float[Tensor, "B J D"]:
        """Return the CLS token and the proxies, which every frame holds copies of, then the patches."""
        shared, patches = x.split([1 + len(model.temporal.proxies), model.clip.patches], 2)
        return torch.cat([shared[:, 0], _in_one_row(patches)], 1)

    model, video = golden.model(), golden.io["video"]
    *blocks, (_, last) = model.encoder.blocks(video)
    ours = {f"tokens_after_block_{i}": ordered(x) for i, x in blocks} | matched(model, golden)
    return ours | {
        "tokens_before_blocks": ordered(model.encoder.embed(video)),
        "patches_after_blocks": _in_one_row(last[:, :, 1:]),
    }


@torch.no_grad()
def _open_vclip(golden: Golden) -> Outputs:
    model, video, prompts = golden.model(), golden.io["video"], golden.io["prompt_ids"]
    each = F.normalize(model.encode_text(prompts.flatten(0, 1)).text, dim=-1).unflatten(0, prompts.shape[:2])
    classes, embedded = F.normalize(each.mean(0), dim=-1), model.encode_video(video)
    ours = {f"tokens_after_block_{i}": token_major(x) for i, x in model.encoder.blocks(video)}
    return ours | {
        "tokens_before_blocks": token_major(model.encoder.embed(video)),
        "dynamic_classifier": classes,
        "img_encode": F.normalize(embedded.frames, dim=-1).flatten(0, 1),
        "video_embedding": embedded.video,
        # cosines are averaged over frames: the mean of their directions isn't made as long as one again
        "pred": model.logit_scale.exp() * embedded.video @ classes.T,
    }


def token_major(x: Float[Tensor, "B T S D"]) -> Float[Tensor, "S BT D"]:
    """Return token 0 of all frames of all videos, then token 1, ..., as CLIP's blocks hold them in OpenAI's code."""
    return rearrange(x, "b t s d -> s (b t) d")


@torch.no_grad()
def _frozen(golden: Golden) -> Outputs:
    model, video = golden.model(), golden.io["video"]
    with recorded(model.clip.visual.ln_post) as normed:
        embedded = model.encode_video(video)
    return dict(_tokens(model, video, frame_major)) | {
        "features": normed.result[:, 0],
        "video_embedding": embedded.video,
    }


@torch.no_grad()
def _bridge_former(golden: Golden) -> Outputs:
    model, video = golden.model(), golden.io["video"]
    tokens = _clips_tokens(model, video, frame_major)
    with recorded(model.clip.visual.ln_post) as normed:
        embedded = model.encode_video(video)
    if "token_ids" not in golden.io:
        return tokens | {"features": normed.result[:, 0], "video_embedding": embedded.video}
    text = model.encode_text(golden.io["token_ids"])
    return tokens | {
        "video_embedding": embedded.video,
        "text_embedding": text.text,
        "similarity": model.similarity(text, embedded),
    }


@torch.no_grad()
def _token_learner(golden: Golden) -> Outputs:
    model, video = golden.model(), golden.io["video"]
    temporal = model.temporal
    assert isinstance(temporal, TokenLearner)
    blocks = dict(model.encoder.blocks(video))
    embedded = model.encode_video(video)
    ours = {f"tokens_after_block_{i}": _in_one_row(x) for i, x in blocks.items()}
    start = temporal.placed(model.encoder.embed(video)[:, :, 1:])
    given = blocks[temporal.block - 1] if temporal.block else start
    return ours | {
        "tokens_before_blocks": _in_one_row(start),
        "learned_tokens": temporal.pooled(given).flatten(0, 1),
        "encoded": _in_one_row(model.clip.visual.normalise(blocks[model.clip.layers - 1])),
        "features": embedded.video,
        "logits": class_logits(model, embedded),
    }


def _in_one_row(x: Float[Tensor, "B T S D"]) -> Float[Tensor, "B TS D"]:
    return rearrange(x, "b t s d -> b (t s) d")


TIMESFORMER = Rival(
    "TimeSformer (facebookresearch/TimeSformer)", partial(_classified, patch_major), frozenset({"video"})
)
MOTIONFORMER = Rival(
    "Motionformer (facebookresearch/Motionformer)", partial(_classified, frame_major), frozenset({"video"})
)
LANGUAGE_BIND = Rival(
    "LanguageBind (PKU-YuanGroup/LanguageBind)",
    partial(_with_texts, partial(torch.flatten, start_dim=0, end_dim=1)),
    frozenset({"video", "token_ids"}),
)
VICLIP = Rival(
    "ViCLIP (OpenGVLab/InternVideo)", partial(_with_texts, patch_major), frozenset({"video", "token_ids"})
)
VIDEO_CLIP_XL = Rival(
    "VideoCLIP-XL (alibaba-pai/VideoCLIP-XL)",
    partial(_with_texts, patch_major),
    frozenset({"video", "token_ids"}),
)
CLIP_VIP = Rival("CLIP-ViP (microsoft/XPretrain)", _clip_vip, frozenset({"video", "token_ids"}))
OPEN_VCLIP = Rival("Open-VCLIP (wengzejia1/Open-VCLIP)", _open_vclip, frozenset({"video", "prompt_ids"}))
FROZEN_IN_TIME = Rival("Frozen in Time (m-bain/frozen-in-time)", _frozen, frozenset({"video"}))
BRIDGE_FORMER = Rival("BridgeFormer (TencentARC/MCQ)", _bridge_former, frozenset({"video", "token_ids"}))
TOKEN_LEARNER = Rival("TokenLearner (google-research/scenic)", _token_learner, frozenset({"video"}))
