"""DRL's weighted token-wise interaction: text tokens and frames in, the weighted mean of their best matches out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from einops import einsum
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.similarity.base import PairSimilarity

if TYPE_CHECKING:
    from stan.models.clip import Clip, TextOutput
    from stan.models.video_encoder import VideoOutput

STD = 0.02


class TokenInteraction(PairSimilarity):
    """Averages the match of each token's best frame and of each frame's best token (DRL, `wti_interaction`).

    s = 1/2 (sum_t w_t max_v <t, v> + sum_v w_v max_t <t, v>). The learned weights are a softmax of Linear-ReLU-Linear;
    all linear layers start from N(0, .02^2).
    """

    def __init__(self, clip: Clip):
        super().__init__(clip)
        self.text, self.video = _weigher(clip.embed_dim), _weigher(clip.embed_dim)

    def pairs(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        tokens, frames = F.normalize(text.tokens, dim=-1), F.normalize(video.frames, dim=-1)
        match = einsum(tokens, frames, "a t e, b v e -> a b t v")
        best_frame = match.masked_fill(~video.mask[:, None], -1).amax(3)  # no cosine is below -1
        best_token = match.masked_fill(~text.mask[:, None, :, None], -1).amax(2)
        of_tokens = einsum(best_frame, _weights(self.text, text.tokens, text.mask), "a b t, a t -> a b")
        of_frames = einsum(best_token, _weights(self.video, video.frames, video.mask), "a b v, b v -> a b")
        return (of_tokens + of_frames) / 2


def _weigher(width: int) -> nn.Sequential:
    # a bias of the last layer would shift all logits equally, which a softmax ignores
    first, last = nn.Linear(width, width), nn.Linear(width, 1, bias=False)
    for linear in (first, last):
        nn.init.normal_(linear.weight, std=STD)
    nn.init.zeros_(first.bias)
    return nn.Sequential(first, nn.ReLU(), last)


def _weights(
    weigher: nn.Module, x: Float[Tensor, "B S E"], real: Bool[Tensor, "B S"]
) -> Float[Tensor, "B S"]:
    return weigher(x)[..., 0].masked_fill(~real, float("-inf")).softmax(-1)
