"""A model, a video and a text in; every intra-frame attention, and how the score depends on it, out.

The score is the model's own similarity, differentiated once. Nothing is left behind in the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from stan.explain.attention import noted_outputs, require_own_patches
from stan.models.attention import attention_weights
from stan.models.temporal.stan_layer import IntraFrame

if TYPE_CHECKING:
    from stan.models.dual_encoder import DualEncoder
    from stan.models.text_tower import TextOutput


@dataclass(frozen=True)
class Layer:
    """One intra-frame attention, as it ran on a video."""

    query: Float[Tensor, "T heads d"]
    """Query of the CLS token."""
    key: Float[Tensor, "T heads P d"]
    """Keys of the patches."""
    weights: Float[Tensor, "T heads S S"]
    """Attention weights; rows (queries) sum to one."""
    pull: Float[Tensor, "T heads P"]
    """What the score gains, to first order, per unit of attention that the CLS token moves to a patch from all that it
    attends to: w . (v - o). Here w is the score's gradient at the CLS token's mixed values o, and v the patch's values.
    """


@dataclass(frozen=True)
class Layers:
    """Intra-frame attention in CLIP's blocks and in the branch's, first to last, and the score that resulted."""

    clip: list[Layer]
    branch: list[Layer]
    score: float


def layers_of(model: DualEncoder, pixels: Float[Tensor, "T 3 S S"], text: TextOutput) -> Layers:
    """Return the layers of `model` on one video, for its score with one text.

    Raises ValueError for a model that does not read a frame by its CLS token, or whose tokens are not the frame's own.
    """
    if model.clip.visual.attn_pool is not None:
        raise ValueError(
            "there are no gradient maps of a CoCa: a pooler reads its frames, not their CLS; choose a CLIP"
        )
    clip = list(model.clip.blocks)
    blocks = clip + [m.block for m in model.temporal.modules() if isinstance(m, IntraFrame)]
    attentions = [block.attn for block in blocks]
    # the output of the output projection is what is added to the tokens
    watched = [*(a.out_proj for a in attentions), *(block.ln_1 for block in blocks)]
    with torch.enable_grad(), noted_outputs(watched) as seen:
        video = model.encode_video(pixels[None].to(model.device).requires_grad_())
        require_own_patches(model, len(pixels), seen)
        score = model.similarity(text, video)[0, 0]
        gradients = torch.autograd.grad(score, [seen[a.out_proj] for a in attentions])
    with torch.no_grad():
        layers = [
            _layer(block.attn, seen[block.ln_1], gradient[:, 0])
            for block, gradient in zip(blocks, gradients, strict=True)
        ]
    return Layers(layers[: len(clip)], layers[len(clip) :], score.item())


def _layer(
    attention: nn.MultiheadAttention, x: Float[Tensor, "T S D"], gradient: Float[Tensor, "T D"]
) -> Layer:
    """Return one layer. gradient: the score's gradient at what the attention added to the CLS token."""
    mixed = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    heads = rearrange(mixed, "t s (three h d) -> three t h s d", three=3, h=attention.num_heads)
    query, key, value = heads.unbind(0)
    weights = attention_weights(attention, x)
    # take the gradient back through the output projection to the mixed values
    channels = rearrange(gradient @ attention.out_proj.weight, "t (h d) -> t h d", h=attention.num_heads)
    gain = torch.einsum("t h d, t h s d -> t h s", channels, value)
    pull = gain - (weights[:, :, 0] * gain).sum(-1, keepdim=True)
    return Layer(query[:, :, 0], key[:, :, 1:], weights, pull[..., 1:])
