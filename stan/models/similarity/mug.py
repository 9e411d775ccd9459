"""Mug's two parameter-free heads: text tokens and frames in, scores by how well they match each other out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Bool, Float
from torch import Tensor

from stan.models.similarity.base import PairSimilarity

if TYPE_CHECKING:
    from stan.models.clip import Clip
    from stan.models.text_tower import TextOutput
    from stan.models.video_encoder import VideoOutput


class _Mutual(NamedTuple):
    """How well each token and each frame matches the other side, and its weight; both follow from the cosines."""

    token: Float[Tensor, "A B L"]
    """a_i: the weighted mean of token i's cosines to all frames."""
    frame: Float[Tensor, "A B T"]
    """b_j: the weighted mean of frame j's cosines to all tokens."""
    token_weight: Float[Tensor, "A B L"]
    frame_weight: Float[Tensor, "A B T"]


class MugSimple(PairSimilarity):
    """1/2 (sum_i w_i a_i + sum_j u_j b_j): averages the scores themselves (Mug-STAN, `mug_frame_token_simple`).

    whole_text: True lets the whole text's embedding stand for its tokens (`mug_frame_text`).
    """

    def __init__(self, clip: Clip, *, tau: float = 100.0, whole_text: bool = False):
        super().__init__(clip)
        if tau < 0:
            raise ValueError(f"mug: tau={tau}: it can't be negative")
        self.tau = tau
        self.whole_text = whole_text

    def pairs(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        if self.whole_text:
            alone = text.text[:, None]
            text = text._replace(tokens=alone, mask=torch.ones_like(alone[..., 0], dtype=torch.bool))
        found = _mutual(*_normalised(text, video), text.mask, video.mask, self.tau, text.mask)
        of_text = (found.token_weight * found.token).sum(-1)
        return (of_text + (found.frame_weight * found.frame).sum(-1)) / 2


class MugFull(MugSimple):
    """<sum_i w_i t_i, sum_j u_j v_j>: the same weights average the embeddings (Mug-STAN, `mug_frame_token`).

    released: True also gives weights w_i to the padding after the end token, by the plain mean of its cosines. The
        released head does so; its scores therefore depend on how far the texts are padded.
    """

    def __init__(self, clip: Clip, *, tau: float = 100.0, released: bool = False):
        super().__init__(clip, tau=tau)
        self.released = released

    def pairs(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        tokens, frames = _normalised(text, video)
        weighed = torch.ones_like(text.mask) if self.released else text.mask
        found = _mutual(tokens, frames, text.mask, video.mask, self.tau, weighed)
        of_text = einsum(found.token_weight, tokens, "a b t, a t e -> a b e")
        return (of_text * einsum(found.frame_weight, frames, "a b v, b v e -> a b e")).sum(-1)


def _normalised(
    text: TextOutput, video: VideoOutput
) -> tuple[Float[Tensor, "A L E"], Float[Tensor, "B T E"]]:
    return F.normalize(text.tokens, dim=-1), F.normalize(video.frames, dim=-1)


def _mutual(
    tokens: Float[Tensor, "A L E"],
    frames: Float[Tensor, "B T E"],
    words: Bool[Tensor, "A L"],
    real: Bool[Tensor, "B T"],
    tau: float,
    weighed: Bool[Tensor, "A L"],
) -> _Mutual:
    """Match tokens and frames. `weighed` is True for the tokens that may have a weight."""
    cosine = einsum(tokens, frames, "a t e, b v e -> a b t v")
    words = words[:, None, :, None].expand_as(cosine)
    real = real[:, None].expand_as(cosine)
    token = (_softmax(tau * cosine * words, real, 3) * cosine).sum(3)
    frame = (_softmax(tau * cosine, words, 2) * cosine).sum(2)
    return _Mutual(
        token, frame, _softmax(tau * token, weighed[:, None], 2), _softmax(tau * frame, real[:, :, 0], 2)
    )


def _softmax(x: Tensor, real: Tensor, axis: int) -> Tensor:
    return x.masked_fill(~real, float("-inf")).softmax(axis)
