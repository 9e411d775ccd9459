"""A query of a video and the tokens of its frames in, the query after attention and an MLP out (EVL, UniFormerV2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stan.models.blocks import quick_gelu
from stan.models.temporal.dropout import Dropout, DropPath
from stan.models.temporal.video_tokens import draw_as_flax

if TYPE_CHECKING:
    from stan.models.clip import Clip


class DecoderLayer(nn.Module):
    """Attention of the query to all tokens of real frames, then an MLP, with a norm before each.

    dropout: share of the channels inside the MLP that training drops. drop_path: share of the videos for which training
    drops what attention adds, or what the MLP adds.
    """

    def __init__(self, width: int, heads: int, dropout: float, drop_path: float = 0.0):
        super().__init__()
        self.heads = heads
        self.query_norm, self.token_norm, self.mlp_norm = (nn.LayerNorm(width) for _ in range(3))
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout, self.drop_path = Dropout(dropout), DropPath(drop_path)
        self.apply(draw_as_flax)
        for linear in (self.query, self.key, self.value, self.out):
            nn.init.zeros_(linear.bias)

    def forward(
        self,
        query: Float[Tensor, "B 1 D"],
        tokens: Float[Tensor, "B T S D"],
        mask: Bool[Tensor, "B T"] | None,
    ) -> Float[Tensor, "B 1 D"]:
        q, k, v = self.attention_heads(query, tokens)
        keys = None if mask is None else repeat(mask, "b t -> b 1 1 (t s)", s=tokens.shape[2])
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=keys)
        query = query + self.drop_path(self.out(rearrange(found, "b h n c -> b n (h c)")))
        return query + self.drop_path(self.down(self.dropout(quick_gelu(self.up(self.mlp_norm(query))))))

    def attention_heads(
        self, query: Float[Tensor, "B 1 D"], tokens: Float[Tensor, "B T S D"]
    ) -> tuple[Float[Tensor, "B heads 1 d"], Float[Tensor, "B heads T*S d"], Float[Tensor, "B heads T*S d"]]:
        """Return the query, and keys and values of all frames' tokens."""
        y = self.token_norm(rearrange(tokens, "b t s d -> b (t s) d"))
        given = (self.query(self.query_norm(query)), self.key(y), self.value(y))
        q, k, v = (rearrange(x, "b n (h d) -> b h n d", h=self.heads) for x in given)
        return q, k, v


def heads_of_query(clip: Clip, heads: int | None, method: str) -> int:
    """Return `heads`, None for as many as CLIP has. Raises ValueError, naming `method`, if they don't fit its width."""
    heads = clip.heads if heads is None else heads
    if heads < 1 or clip.width % heads:
        raise ValueError(f"{method}: heads={heads} don't divide CLIP's {clip.width} channels")
    return heads
