"""Tokens that an image tower's pooling mixes in; the token that it makes of them, or its attention's heads, out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from open_clip.transformer import AttentionalPooler
from torch import Tensor, nn


class MeanPool(nn.Module):
    """The mean over tokens."""

    def forward(self, tokens: Float[Tensor, "*N R C"]) -> Float[Tensor, "*N C"]:
        return tokens.mean(-2)


def averaged(x: Float[Tensor, "*N S D"], prefix: int) -> Float[Tensor, "*N S D"]:
    """Return the tokens with the mean of all patches in place of each."""
    patches = x[..., prefix:, :]
    return torch.cat([x[..., :prefix, :], patches.mean(-2, keepdim=True).expand_as(patches)], -2)


class FirstQueryPool(nn.Module):
    """What the first query of a CoCa's attentional pooler makes of the tokens. Parameters keep open_clip's names."""

    def __init__(self, pooler: AttentionalPooler):
        super().__init__()
        self.query, self.attn = pooler.query, pooler.attn
        self.ln_q, self.ln_k = pooler.ln_q, pooler.ln_k

    def forward(self, tokens: Float[Tensor, "N R D"]) -> Float[Tensor, "N E"]:
        query, key, value = self.heads(tokens)
        mixed = F.scaled_dot_product_attention(query.expand(tokens.shape[0], -1, -1, -1), key, value)
        return self.attn.out_proj(rearrange(mixed, "n h 1 d -> n (h d)"))

    def heads(self, tokens: Float[Tensor, "N R D"]) -> PoolHeads:
        attention, tokens = self.attn, self.ln_k(tokens)
        whole = attention.in_proj_weight  # None where tokens and queries differ in width
        separate = attention.q_proj_weight, attention.k_proj_weight, attention.v_proj_weight
        weights = separate if whole is None else whole.chunk(3)
        read = self.ln_q(self.query[:1])[None], tokens, tokens
        parts = zip(read, weights, attention.in_proj_bias.chunk(3), strict=True)
        return PoolHeads(*(_in_heads(F.linear(*part), attention.num_heads) for part in parts))


if TYPE_CHECKING:
    from timm.layers import AttentionPoolLatent

    AttentionPool = FirstQueryPool | AttentionPoolLatent
else:  # only timm's own towers import timm, which takes seconds
    AttentionPool = nn.Module


class PoolHeads(NamedTuple):
    """An attention pool's one query, and keys and values of the tokens that it reads."""

    query: Float[Tensor, "1 heads 1 d"]
    key: Float[Tensor, "N heads R d"]
    value: Float[Tensor, "N heads R d"]


def pool_heads(pool: AttentionPool, tokens: Float[Tensor, "N R D"]) -> PoolHeads:
    """Return what the pool's attention works on."""
    if isinstance(pool, FirstQueryPool):
        return pool.heads(tokens)
    if pool.pos_embed is not None:
        tokens = tokens + pool.pos_embed
    query = _in_heads(pool.q(pool.latent[:, :1]), pool.num_heads)
    key, value = (_in_heads(part, pool.num_heads) for part in pool.kv(tokens).chunk(2, -1))
    return PoolHeads(pool.q_norm(query), pool.k_norm(key), value)


def last_projection(pool: AttentionPool) -> nn.Module:
    """Return the module that reads what the pool has mixed: the heads' channels side by side."""
    return pool.attn.out_proj if isinstance(pool, FirstQueryPool) else pool.proj


def _in_heads(x: Float[Tensor, "N R D"], heads: int) -> Float[Tensor, "N heads R d"]:
    return rearrange(x, "n r (h d) -> n h r d", h=heads)
