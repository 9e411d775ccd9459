"""Tokens in, tokens mixed by self-attention out, or the weights with which it mixes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

SMALL_HEAD = 512
"""Number of values in a head's queries, or keys, up to which plain products are faster in training on a CPU."""

Keys = Bool[Tensor, "N 1 1 S"] | Float[Tensor, "N 1 1 S"]
"""False for tokens that nothing attends to, or numbers that are added to their logits."""
Places = Int[Tensor, " S"]
"""Where each token of a sequence lies in the picture: 1 + p for patch p, 0 for a token without a place."""


class TowerAttention(nn.Module):
    """A tower's attention that is not torch's own, with its parts under the names of torch's.

    biases: those of queries, keys and values, None where there is none; one that isn't trained is no parameter.
    inner_norm: between the mixed values and the last projection.

    Attention may know where patches lie, by `relative` or by `rotary`. relative: `get_bias()` returns what is added to
    the logits, (1, heads, S, S), where token i lies at place i. own_places: where the tokens of the tower's own
    sequence lie.
    """

    in_proj_weight: Tensor
    q_bias: Tensor
    k_bias: Tensor
    v_bias: Tensor | None
    own_places: Places | None
    rotations: Float[Tensor, "1+P 2*d"]
    own_rotations: Float[Tensor, "S 2*d"]

    def __init__(
        self,
        heads: int,
        in_proj_weight: Float[Tensor, "3*D D"],
        biases: tuple[Tensor | None, Tensor | None, Tensor | None],
        out_proj: nn.Linear,
        inner_norm: nn.Module | None = None,
        relative: nn.Module | None = None,
        own_places: Places | None = None,
    ):
        super().__init__()
        self.num_heads, self.embed_dim = heads, out_proj.in_features
        self.head_dim = self.embed_dim // heads
        self.in_proj_weight = nn.Parameter(in_proj_weight.detach())
        for name, bias in zip(("q_bias", "k_bias", "v_bias"), biases, strict=True):
            if bias is None or isinstance(bias, nn.Parameter):
                self.register_parameter(name, bias)
            else:
                self.register_buffer(name, bias, persistent=False)
        self.inner_norm = nn.Identity() if inner_norm is None else inner_norm
        self.out_proj = out_proj
        self.relative: Any = relative
        self.rotate: Callable[[Tensor, Tensor], Tensor] | None = None
        self.register_buffer("own_places", own_places, persistent=False)

    def rotary(self, rotate: Callable[[Tensor, Tensor], Tensor], sines: Float[Tensor, "P 2*d"]) -> None:
        """Make `rotate(q, table)` turn queries and keys by their places.

        sines: each patch's row of the table, its sines and its cosines.
        """
        still = torch.zeros_like(sines[:1])
        still[:, still.shape[1] // 2 :] = 1
        rotations = torch.cat([still, sines])
        self.rotate = rotate
        self.register_buffer("rotations", rotations, persistent=False)
        self.register_buffer("own_rotations", rotations[self.own_places], persistent=False)

    @property
    def in_proj_bias(self) -> Float[Tensor, " 3*D"] | None:
        return None if self.v_bias is None else torch.cat([self.q_bias, self.k_bias, self.v_bias])

    def turned(self, x: Float[Tensor, "N heads Q d"], places: Places | None) -> Float[Tensor, "N heads Q d"]:
        """Turn queries or keys by the places of their tokens; None: those of the tower's own sequence."""
        if self.rotate is None:
            return x
        table = self.own_rotations if places is None else self.rotations[places]
        return self.rotate(x, table[: x.shape[2]])

    def added(self, keys: Tensor | None, places: Places | None, queries: int | None) -> Tensor | None:
        """Return what is added to the logits: `keys`, together with what relative positions add."""
        if self.relative is None:
            return keys
        bias = self.relative.get_bias()
        if places is not None:
            bias = bias[:, :, places[:, None], places]
        return _with_keys(bias[:, :, :queries], keys)


Attention = nn.MultiheadAttention | TowerAttention


def own_places(attention: Attention) -> Places | None:
    """Return where the tokens of the tower's own sequence lie; None for attention that doesn't know places."""
    return attention.own_places if isinstance(attention, TowerAttention) else None


def attend(
    attention: Attention,
    x: Float[Tensor, "N S D"],
    keys: Keys | None = None,
    queries: int | None = None,
    places: Places | None = None,
) -> Float[Tensor, "N Q D"]:
    """Return what self-attention makes of `x`, only for the first `queries` tokens if given.

    places: where the tokens lie, for a sequence other than the tower's own (its prefix, then all patches); attention
    that doesn't know places ignores them.
    """
    q, k, v = attention_heads(attention, x, places, queries)
    if isinstance(attention, TowerAttention):
        keys = attention.added(keys, places, queries)
    return project_heads(attention, rearrange(_mix(q, k, v, keys), "n h s d -> n s (h d)"))


def attend_over_time(
    attention: Attention, x: Float[Tensor, "B T S D"], mask: Bool[Tensor, "B T"] | None
) -> Float[Tensor, "B T S D"]:
    """Mix each token with those at its own position in all frames that aren't padding.

    No tokens are moved: the heads of all positions stand side by side as the heads of one sequence over time. Tokens at
    one place are all turned alike, which changes nothing.
    """
    size, bias = attention.head_dim, attention.in_proj_bias
    biases = (None, None, None) if bias is None else bias.chunk(3)
    parts = zip(attention.in_proj_weight.chunk(3), biases, strict=True)
    q, k, v = (rearrange(F.linear(x, *part), "b t s (h d) -> b (s h) t d", d=size) for part in parts)
    mixed = _mix(q, k, v, None if mask is None else mask[:, None, None])
    return project_heads(attention, rearrange(mixed, "b (s h) t d -> b t s (h d)", s=x.shape[2]))


def found_by_frame(
    attention: Attention, x: Float[Tensor, "B T S D"], first: int
) -> Float[Tensor, "B T P F D"]:
    """Return what each patch of all frames finds in each frame's patches alone, before the last projection.

    first: number of a frame's tokens before its patches. F = T: the frames that are asked.
    """
    heads = attention_heads(attention, rearrange(x, "b t s d -> (b t) s d"))
    q, k, v = (y[:, :, first:] for y in heads)
    frames = x.shape[1]
    asked = repeat(q, "(b t) h p d -> (b f) h (t p) d", t=frames, f=frames)
    bias = attention.added(None, None, None) if isinstance(attention, TowerAttention) else None
    if bias is not None:
        bias = bias[:, :, first:, first:].repeat(1, 1, frames, 1)
    return rearrange(_mix(asked, k, v, bias), "(b f) h (t p) d -> b t p f (h d)", t=frames, f=frames)


def attend_to_neighbours(
    attention: Attention,
    x: Float[Tensor, "B T S D"],
    mask: Bool[Tensor, "B T"] | None,
    reach: int,
    zeros: bool,
) -> Float[Tensor, "B T S D"]:
    """Mix each frame's tokens with its own and all of the `reach` frames on each side.

    zeros: whether beyond the clip's ends and at padding frames are tokens whose keys and values are zero, which take a
    weight; False: nothing. A neighbour's tokens lie where the frame's own do, for attention that knows places.
    """
    q, k, v = attention_heads(attention, rearrange(x, "b t s d -> (b t) s d"))
    k, v = (
        rearrange(
            _with_neighbours(y.unflatten(0, x.shape[:2]), mask, reach), "b t n h s d -> (b t) h (n s) d"
        )
        for y in (k, v)
    )
    keys = None if zeros else repeat(_there(x, mask, reach), "b t n -> (b t) 1 1 (n s)", s=x.shape[2])
    bias = attention.added(None, None, None) if isinstance(attention, TowerAttention) else None
    if bias is not None:
        keys = _with_keys(bias.repeat(1, 1, 1, 2 * reach + 1), keys)
    mixed = project_heads(attention, rearrange(_mix(q, k, v, keys), "n h s d -> n s (h d)"))
    return mixed.unflatten(0, x.shape[:2])


def _with_neighbours(
    x: Shaped[Tensor, "B T *rest"], mask: Bool[Tensor, "B T"] | None, reach: int
) -> Shaped[Tensor, "B T N *rest"]:
    """Return each frame in the middle of its neighbours; what isn't there is zero."""
    if mask is not None:
        x = x * mask.reshape(*mask.shape, *[1] * (x.ndim - 2))
    padded = F.pad(x, [0, 0] * (x.ndim - 2) + [reach, reach])
    return torch.stack([padded[:, i : i + x.shape[1]] for i in range(2 * reach + 1)], 2)


def _there(
    x: Float[Tensor, "B T S D"], mask: Bool[Tensor, "B T"] | None, reach: int
) -> Bool[Tensor, "B T N"]:
    """Return which of a frame and its neighbours are there; a padding frame has itself, so that it isn't NaN."""
    real = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    own = torch.arange(2 * reach + 1, device=x.device) == reach
    return _with_neighbours(real, mask, reach) | own


def attention_weights(
    attention: Attention,
    x: Float[Tensor, "N S D"],
    keys: Bool[Tensor, "N 1 1 S"] | None = None,
    places: Places | None = None,
) -> Float[Tensor, "N heads S S"]:
    """Return the weights with which `attend` mixes `x`; rows (queries) sum to one."""
    q, k, _ = attention_heads(attention, x, places)
    if isinstance(attention, TowerAttention):
        keys = attention.added(keys, places, None)
    return weights_of(q, k, keys)


def attention_heads(
    attention: Attention,
    x: Float[Tensor, "N S D"],
    places: Places | None = None,
    queries: int | None = None,
) -> tuple[Float[Tensor, "N heads Q d"], Float[Tensor, "N heads S d"], Float[Tensor, "N heads S d"]]:
    """Return the queries, keys and values of `x`; queries and keys are turned by their places.

    queries: how many of the first tokens ask; None: all, and one matrix product computes all three.
    """
    heads, width = attention.num_heads, attention.embed_dim
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    if queries is None:
        mixed = rearrange(F.linear(x, weight, bias), "n s (three h d) -> three n h s d", three=3, h=heads)
        q, k, v = mixed.unbind(0)
    else:
        of_queries, of_rest = (None, None) if bias is None else (bias[:width], bias[width:])
        q = rearrange(F.linear(x[:, :queries], weight[:width], of_queries), "n s (h d) -> n h s d", h=heads)
        mixed = F.linear(x, weight[width:], of_rest)
        k, v = rearrange(mixed, "n s (two h d) -> two n h s d", two=2, h=heads).unbind(0)
    if isinstance(attention, TowerAttention):
        q, k = attention.turned(q, places), attention.turned(k, places)
    return q, k, v


def before_projection(attention: Attention) -> nn.Module:
    """Return the module that reads what the heads have mixed, their channels side by side."""
    return attention.inner_norm if isinstance(attention, TowerAttention) else attention.out_proj


def project_heads(attention: Attention, mixed: Float[Tensor, "*N S D"]) -> Float[Tensor, "*N S D"]:
    """Return what attention makes of its heads' results, their channels side by side."""
    if isinstance(attention, TowerAttention):
        mixed = attention.inner_norm(mixed)
    return attention.out_proj(mixed)


def _mix(q: Tensor, k: Tensor, v: Tensor, keys: Tensor | None) -> Tensor:
    """Mix `v` (N, heads, S, d) by the likeness of `q` to `k`.

    torch's fused kernel is made for long sequences. On a CPU, its gradient takes twice as long as that of plain
    products where a head's tokens are few and narrow, and seven times as long in bfloat16.
    """
    trained = torch.is_grad_enabled() and q.requires_grad
    small = q.dtype == torch.bfloat16 or min(q.shape[-2], k.shape[-2]) * q.shape[-1] <= SMALL_HEAD
    if q.device.type == "cpu" and trained and small:
        return weights_of(q, k, keys).to(v.dtype) @ v
    return F.scaled_dot_product_attention(q, k, v, attn_mask=keys)


def weights_of(
    q: Float[Tensor, "N heads Q d"], k: Float[Tensor, "N heads S d"], keys: Tensor | None = None
) -> Float[Tensor, "N heads Q S"]:
    """Return the likeness of queries to keys as weights; rows (queries) sum to one. keys: as in `attend`."""
    heads = q.shape[:2]
    q, k = q.flatten(0, 1), k.flatten(0, 1)
    # beta=0: only the product counts, and it is scaled without a pass of its own
    logits = torch.baddbmm(q.new_empty(()), q, k.transpose(1, 2), beta=0, alpha=q.shape[-1] ** -0.5)
    return _with_keys(logits.unflatten(0, heads), keys).softmax(-1)


def _with_keys(logits: Float[Tensor, "N heads Q S"], keys: Tensor | None) -> Float[Tensor, "N heads Q S"]:
    """Hide the tokens that nothing attends to, or add to their logits. keys: as in `attend`."""
    if keys is None:
        return logits
    return logits.masked_fill(~keys, float("-inf")) if keys.dtype == torch.bool else logits + keys
