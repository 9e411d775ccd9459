"""Tokens in, tokens mixed by self-attention out, or the weights with which it mixes them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

SMALL_HEAD = 512
"""Number of values in a head's queries up to which plain products are faster in training on a CPU."""


def attend(
    attention: nn.MultiheadAttention,
    x: Float[Tensor, "N S D"],
    keys: Bool[Tensor, "N 1 1 S"] | Float[Tensor, "N 1 1 S"] | None = None,
    queries: int | None = None,
) -> Float[Tensor, "N Q D"]:
    """Return what `attention(x, x, x)` returns, only for the first `queries` tokens if given.

    `keys` is False for tokens that nothing attends to, or holds numbers that are added to their logits. Without
    `queries`, one matrix product computes queries, keys and values.
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
    """Mix `v` (N, heads, S, d) by the likeness of `q` to `k`.

    torch's fused kernel is made for long sequences. On a CPU, its gradient takes twice as long as that of plain
    products where a head's tokens are few and narrow, and seven times as long in bfloat16.
    """
    trained = torch.is_grad_enabled() and q.requires_grad
    small = q.dtype == torch.bfloat16 or q.shape[-2] * q.shape[-1] <= SMALL_HEAD
    if q.device.type == "cpu" and trained and small:
        return _weights(q, k, keys).to(v.dtype) @ v
    return F.scaled_dot_product_attention(q, k, v, attn_mask=keys)


def _weights(q: Tensor, k: Tensor, keys: Tensor | None) -> Tensor:
    heads = q.shape[:2]
    q, k = q.flatten(0, 1), k.flatten(0, 1)
    # beta=0: only the product counts, and it is scaled without a pass of its own
    logits = torch.baddbmm(q.new_empty(()), q, k.transpose(1, 2), beta=0, alpha=q.shape[-1] ** -0.5)
    logits = logits.unflatten(0, heads)
    if keys is not None:
        logits = logits.masked_fill(~keys, float("-inf")) if keys.dtype == torch.bool else logits + keys
    return logits.softmax(-1)
