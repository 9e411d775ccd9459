"""A model, a video and a text in; every attention within frames and the pooling, and how the score depends on it, out.

The score is the model's own similarity, differentiated once. Nothing is left behind in the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from stan.common.recording import all_recorded
from stan.explain.attention import require_own_patches
from stan.explain.readout import Readout, of_cls, readout_of
from stan.models.attention import (
    Attention,
    Places,
    attention_heads,
    attention_weights,
    before_projection,
    weights_of,
)
from stan.models.temporal.decoder_layer import DecoderLayer
from stan.models.temporal.stan_layer import IntraFrame
from stan.models.towers.pooling import MeanPool, last_projection

if TYPE_CHECKING:
    from stan.models.dual_encoder import DualEncoder
    from stan.models.text_tower import TextOutput


@dataclass(frozen=True)
class Layer:
    """One layer that mixes a frame's tokens, as it ran on a video, seen from the Q tokens that are read of it.

    Q is 1 for the CLS token and for the pooling; otherwise, it is the number of tokens that the pooling mixes
    (`Readout`).
    """

    query: Float[Tensor, "T heads Q d"] | None
    """Queries of the tokens that are read; None for a mean."""
    key: Float[Tensor, "T heads P d"] | None
    """Keys of the patches; None for a mean."""
    weights: Float[Tensor, "T heads Q P"]
    """Weights of the patches; rows (queries) sum to one together with those of tokens before the patches, a video's one
    query (EVL) over all frames."""
    pull: Float[Tensor, "T heads Q P"]
    """What the score gains, to first order, per unit of attention that a token moves to a patch from all that it
    attends to: w . (v - o). Here w is the score's gradient at the token's mixed values o, and v the patch's values.
    """
    shares: Float[Tensor, "T Q"]
    """How much of what is read each token is; rows sum to one."""


@dataclass(frozen=True)
class Layers:
    """What mixes a frame's tokens in CLIP and in the branch, first to last, and the score that resulted."""

    clip: list[Layer]
    """CLIP's blocks, if their attention can be seen apart, then its pooling, if it has one. Blocks that read patches
    without a place, because the tower has averaged them, are left out."""
    branch: list[Layer]
    score: float
    mixing: list[Float[Tensor, "T S S"]]
    """Attention weights of all tokens in CLIP's blocks, as the mean over heads; rows (queries) sum to one."""
    read: Float[Tensor, "T S"]
    """How much of what CLIP reads of a frame each token is; rows sum to one."""


def layers_of(model: DualEncoder, pixels: Float[Tensor, "T 3 S S"], text: TextOutput) -> Layers:
    """Return the layers of `model` on one video, for its score with one text.

    Raises ValueError for a model whose tokens are not the frame's own.
    """
    tower, pooler = model.clip.visual, model.clip.visual.pooler
    placed = None if tower.averages_after is None else tower.averages_after + 1
    own = list(model.clip.blocks[:placed]) if model.clip.has_parts else []
    copies = [m for m in model.temporal.modules() if isinstance(m, IntraFrame)]
    decoder = [m for m in model.temporal.modules() if isinstance(m, DecoderLayer)]
    blocks = [*own, *(m.block for m in copies)]
    ends = [before_projection(block.attn) for block in blocks]
    poolers = [] if pooler is None else [pooler]
    pooled = [last_projection(one) for one in poolers if not isinstance(one, MeanPool)]
    norms = [block.ln_1 for block in blocks]
    ends += [layer.out for layer in decoder]
    with torch.enable_grad(), all_recorded([*norms, *ends, *poolers, *pooled, *decoder]) as passes:
        video = model.encode_video(pixels[None].to(model.device).requires_grad_())
        require_own_patches(model, len(pixels), passes)
        score = model.similarity(text, video)[0, 0]
        mixed = [passes[end].last_argument for end in [*ends, *pooled]]
        mixed += [] if pooled else [passes[one].last_result for one in poolers]
        # a method may leave out what CLIP pools; then nothing depends on it
        gradients = torch.autograd.grad(score, mixed, materialize_grads=True)
    with torch.no_grad():
        readout, cls = readout_of(tower, passes, len(pixels)), of_cls(tower, len(pixels))
        readers = [readout] * len(own) + [cls] * len(copies)
        places = [None] * len(own) + [m.places for m in copies]
        patches = model.clip.patches
        layers = [
            _attention(block.attn, where, passes[norm].last_result, gradient, reader, patches)
            for block, norm, where, gradient, reader in zip(
                blocks, norms, places, gradients, readers, strict=False
            )
        ]
        pooling = (
            []
            if pooler is None
            else [_pooling(readout, passes[pooler].last_argument, gradients[-1], patches)]
        )
        mixing = [attention_weights(block.attn, passes[block.ln_1].last_result).mean(1) for block in own]
        layers += [
            _asked(layer, *passes[layer].given[-1][:2], gradient, patches)
            for layer, gradient in zip(decoder, gradients[len(blocks) :], strict=False)
        ]
    clip, branch = layers[: len(own)] + pooling, layers[len(own) :]
    return Layers(clip, branch, score.item(), mixing, readout.of_all(model.clip.tokens_per_frame))


def _attention(
    attention: Attention,
    places: Places | None,
    x: Float[Tensor, "T S D"],
    gradient: Float[Tensor, "T _ D"],
    readout: Readout,
    patches: int,
) -> Layer:
    """Return one block's attention. gradient: the score's at what its heads mixed, for all tokens or the CLS alone."""
    query, key, value = attention_heads(attention, x, places)
    weights = readout.of_read(attention_weights(attention, x, places=places))
    channels = readout.of_read(rearrange(gradient, "t s (h d) -> t h s d", h=attention.num_heads))
    return Layer(
        readout.of_read(query),
        key[:, :, -patches:],
        weights[..., -patches:],
        _pull(weights, channels, value)[..., -patches:],
        readout.shares,
    )


def _asked(
    layer: DecoderLayer,
    query: Float[Tensor, "1 1 D"],
    tokens: Float[Tensor, "1 T S D"],
    gradient: Float[Tensor, "1 1 D"],
    patches: int,
) -> Layer:
    """Return what a video's query asks of all frames, frame by frame. gradient: the score's at what its heads mixed."""
    q, k, value = layer.attention_heads(query, tokens)
    weights = weights_of(q, k)
    channels = rearrange(gradient, "1 q (h d) -> 1 h q d", h=layer.heads)
    frames = tokens.shape[1]

    def by_frame(x: Float[Tensor, "1 heads Q T*S"]) -> Float[Tensor, "T heads Q P"]:
        return rearrange(x, "1 h q (t s) -> t h q s", t=frames)[..., -patches:]

    return Layer(
        q.expand(frames, -1, -1, -1),
        rearrange(k, "1 h (t s) d -> t h s d", t=frames)[:, :, -patches:],
        by_frame(weights),
        by_frame(_pull(weights, channels, value)),
        weights.new_ones(frames, 1),
    )


def _pooling(
    readout: Readout, tokens: Float[Tensor, "*T R D"], gradient: Float[Tensor, "*T _"], patches: int
) -> Layer:
    """Return the pooling. gradient: the score's at what the pooling mixed."""
    weights, heads = readout.weights[:, :, None], readout.heads
    value = tokens.flatten(0, -3)[:, None] if heads is None else heads.value
    channels = gradient.reshape(*value.shape[:2], 1, -1)
    return Layer(
        None if heads is None else heads.query.expand(len(value), -1, -1, -1),
        None if heads is None else heads.key[:, :, -patches:],
        weights[..., -patches:],
        _pull(weights, channels, value)[..., -patches:],
        weights.new_ones(len(weights), 1),
    )


def _pull(
    weights: Float[Tensor, "T heads Q S"],
    channels: Float[Tensor, "T heads Q d"],
    value: Float[Tensor, "T heads S d"],
) -> Float[Tensor, "T heads Q S"]:
    """Return what the score gains as attention moves to each token. channels: its gradient at the mixed values."""
    gain = torch.einsum("t h q d, t h s d -> t h q s", channels, value)
    return gain - (weights * gain).sum(-1, keepdim=True)
