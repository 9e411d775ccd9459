"""Tokens in, tokens mixed by self-attention out, or the weights with which it mixes them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn


def attend(
    attention: nn.MultiheadAttention,
    x: Float[Tensor, "N S D"],
    keys: Bool[Tensor, "N 1 1 S"] | None = None,
    queries: int | None = None,
) -> Float[Tensor, "N Q D"]:
    """Return what `attention(x, x, x)` returns, only for the first `queries` tokens if given.

    `keys` is False for tokens that nothing attends to. Without `queries`, one matrix product computes queries, keys and
    values.
    """
    heads, width = attention.num_heads, attention.embed_dim
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    if queries is None:
        mixed = rearrange(F.linear(x, weight, bias), "n s (three h d) -> three n h s d", three=3, h=heads)
        q, k, v = mixed.unbind(0)
    else:
        q = rearrange(F.linear(x[:, :queries], weight[:width], bias[:width]), "n s (h d) -> n h s d", h=heads)
        mixed = F.linear(x, weight[width:], bias[width:])
        k, v = rearrange(mixed, "n s (two h d) -> two n h s d", two=2, h=heads).unbind(0)
    return attention.out_proj(rearrange(_mix(q, k, v, keys), "n h s d -> n s (h d)"))


def attend_over_time(
    attention: nn.MultiheadAttention, x: Float[Tensor, "B T S D"], mask: Bool[Tensor, "B T"] | None
) -> Float[Tensor, "B T S D"]:
    """Mix each token with those at its own position in all frames that aren't padding.

    No tokens are moved: the heads of all positions stand side by side as the heads of one sequence over time.
    """
    parts = zip(attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3), strict=True)
    size = attention.head_dim
    q, k, v = (rearrange(F.linear(x, *part), "b t s (h d) -> b (s h) t d", d=size) for part in parts)
    mixed = _mix(q, k, v, None if mask is None else mask[:, None, None])
    return attention.out_proj(rearrange(mixed, "b (s h) t d -> b t s (h d)", s=x.shape[2]))


def attention_weights(
    attention: nn.MultiheadAttention, x: Float[Tensor, "N S D"], keys: Bool[Tensor, "N 1 1 S"] | None = None
) -> Float[Tensor, "N heads S S"]:
    """Return the weights with which `attend` mixes `x`; rows (queries) sum to one."""
    q, k, _ = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, -1)
    q, k = (rearrange(y, "n s (h d) -> n h s d", h=attention.num_heads) for y in (q, k))
    return _weights(q, k, keys)


def _mix(q: Tensor, k: Tensor, v: Tensor, keys: Tensor | None) -> Tensor:
    trained = torch.is_grad_enabled() and q.requires_grad
    if q.dtype == torch.bfloat16 and q.device.type == "cpu" and trained:
        # torch's fused kernel is made for long sequences: with a few dozen tokens its bfloat16 gradient on a CPU
        # takes seven times as long as these products
        return _weights(q, k, keys).to(v.dtype) @ v
    return F.scaled_dot_product_attention(q, k, v, attn_mask=keys)


def _weights(q: Tensor, k: Tensor, keys: Tensor | None) -> Tensor:
    logits = q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)
    if keys is not None:
        logits = logits.masked_fill(~keys, float("-inf"))
    return logits.softmax(-1)
