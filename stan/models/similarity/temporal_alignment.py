"""CLIP2Video's temporal alignment block: text tokens and frames in, the mean of their cosine and an aligned one out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import einsum
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.similarity.base import Similarity

if TYPE_CHECKING:
    from stan.models.clip import Clip, TextOutput
    from stan.models.video_encoder import VideoOutput


class TemporalAlignment(Similarity):
    """Averages the cosine with a cosine of differences from shared centres (CLIP2Video, `get_TAB_embedding`).

    A softmax assigns each token or frame to the centres and weighs its differences from them. These are summed over the
    tokens (without the start token) or the frames, normalised, averaged over centres and normalised again. The score is
    the mean of both cosines; in training, each has a loss. The released code reads CLIP's frames, some of them once
    more after a block; here the block reads the temporal method's frames.
    """

    def __init__(self, clip: Clip, *, centres: int = 5, std: float = 1 / 8):
        super().__init__(clip)
        self.weight = nn.Parameter(std * torch.randn(centres, clip.embed_dim))
        self.centre = nn.Parameter(std * torch.randn(centres, clip.embed_dim))

    def forward(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        whole, aligned = self.parts(text, video)
        return (whole + aligned) / 2

    def parts(self, text: TextOutput, video: VideoOutput) -> tuple[Float[Tensor, "texts videos"], ...]:
        whole = F.normalize(text.text, dim=-1) @ F.normalize(video.video, dim=-1).T
        words = self._aligned(text.tokens[:, 1:], text.mask[:, 1:])
        return whole, words @ self._aligned(video.frames, video.mask).T

    def _aligned(self, x: Float[Tensor, "B S E"], real: Bool[Tensor, "B S"]) -> Float[Tensor, "B E"]:
        weights = (x @ self.weight.T).softmax(-1) * real[..., None]
        # the sum over s of weight_k * (x - centre_k), without a tensor of all differences
        sums = einsum(weights, x, "b s k, b s e -> b k e") - weights.sum(1)[..., None] * self.centre
        return F.normalize(F.normalize(sums, dim=-1).mean(1), dim=-1)
