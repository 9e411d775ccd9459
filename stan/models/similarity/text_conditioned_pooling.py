"""Captions and frames in, the cosine of each caption with the frames that it asks for out (X-Pool)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from stan.models.similarity.base import PairSimilarity
from stan.models.temporal.dropout import share_of_values

if TYPE_CHECKING:
    from stan.models.clip import Clip
    from stan.models.text_tower import TextOutput
    from stan.models.video_encoder import VideoOutput


class TextConditionedPooling(PairSimilarity):
    """Each caption pools the frames anew: cos(caption, norm(y + linear(y))), y = norm(attention(caption, frames)).

    From X-Pool, `modules/transformer.py`. The caption's embedding is the only query; caption and frames pass one
    LayerNorm first. All linear layers start as the identity, biases at zero.

    heads: of the attention, 1 in the source. dropout: share of the last linear layer's outputs that training drops, .3
    or .4 in the source. Raises ValueError if the heads don't divide the embedding.
    """

    def __init__(self, clip: Clip, *, heads: int = 1, dropout: float = 0.0):
        super().__init__(clip)
        width = clip.embed_dim
        if heads < 1 or width % heads:
            raise ValueError(f"text_conditioned_pooling: heads={heads} don't divide the {width} channels")
        self.heads = heads
        self.norm, self.attended_norm, self.pooled_norm = (nn.LayerNorm(width) for _ in range(3))
        self.query, self.key, self.value, self.out, self.linear = (nn.Linear(width, width) for _ in range(5))
        for linear in (self.query, self.key, self.value, self.out, self.linear):
            nn.init.eye_(linear.weight)
            nn.init.zeros_(linear.bias)
        self.dropout = nn.Dropout(share_of_values(dropout))

    def pairs(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "texts videos"]:
        """Return the scores of all pairs at once."""
        pooled = F.normalize(self.pooled(text, video), dim=-1)
        return torch.einsum("b n e, n e -> n b", pooled, F.normalize(text.text, dim=-1))

    def pooled(self, text: TextOutput, video: VideoOutput) -> Float[Tensor, "videos texts E"]:
        """Return each video's embedding for each caption. Padding frames aren't attended to."""
        frames = self.norm(video.frames)
        query = repeat(
            self.query(self.norm(text.text)), "n (h c) -> b h n c", b=frames.shape[0], h=self.heads
        )
        key, value = (
            rearrange(layer(frames), "b t (h c) -> b h t c", h=self.heads) for layer in (self.key, self.value)
        )
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=video.mask[:, None, None])
        attended = self.attended_norm(self.out(rearrange(found, "b h n c -> b n (h c)")))
        return self.pooled_norm(attended + self.dropout(self.linear(attended)))
