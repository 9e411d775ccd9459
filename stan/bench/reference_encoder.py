"""A STAN model and videos in; their embeddings out, computed plainly and slowly, as a reference for the fast encoder.

The outputs equal those of `stan.models.video_encoder` at STAN's default settings. The code is written like the released
code: attention as two products, tokens moved from layout to layout, and the last layer computed in full.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange, reduce, repeat
from jaxtyping import Float
from torch import Tensor

from stan.models.attention import Attention
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal.stan import Stan
from stan.models.temporal.stan_layer import CrossFrameAttention, IntraFrame, StanLayer
from stan.models.towers.vit import OpenClipVit


@torch.no_grad()
def plain_encode(model: DualEncoder, video: Float[Tensor, "B T 3 H W"]) -> Float[Tensor, "B E"]:
    """Return video embeddings, not normalised, as in evaluation mode."""
    clip, branch, frames, visual = model.clip, model.temporal, video.shape[1], model.clip.visual
    assert isinstance(branch, Stan) and isinstance(visual, OpenClipVit)
    x, side = _embed(visual, rearrange(video, "b t c h w -> (b t) c h w")), None
    for i, block in enumerate(clip.blocks):
        x = x + _attention(block.attn, block.ln_1(x))
        x = x + _mlp(block.mlp, block.ln_2(x))
        if i in branch.reads:
            level = rearrange(x, "(b t) s d -> b t s d", t=frames)
            side = _first(branch, visual, level) if side is None else _merged(side, level)
            layer = branch.layers[branch.reads.index(i)]
            assert isinstance(layer, StanLayer)
            side = _layer(layer, side, frames)
    assert side is not None
    cls = rearrange(x[:, 0], "(b t) d -> b t d", t=frames) + repeat(side[:, 0], "b d -> b t d", t=frames)
    return (visual.ln_post(cls) @ visual.proj).mean(1)


def _embed(visual: OpenClipVit, images: Tensor) -> Float[Tensor, "N S D"]:
    weight = visual.conv1.weight
    patches = rearrange(F.conv2d(images, weight, stride=weight.shape[2:]), "n d h w -> n (h w) d")
    cls = repeat(visual.class_embedding, "d -> n 1 d", n=len(patches))
    return visual.ln_pre(torch.cat([cls, patches], 1) + visual.positional_embedding)


def _first(branch: Stan, visual: OpenClipVit, level: Float[Tensor, "B T S D"]) -> Float[Tensor, "B J D"]:
    """Return all input tokens of the branch: the CLS token, then all frames of patch 0, all frames of patch 1, ..."""
    class_embedding, position = visual.class_embedding, visual.positional_embedding
    frames, patches = level.shape[1], level.shape[2] - 1
    cls = (level[:, :, 0].mean(1, keepdim=True) + class_embedding + position[0]) / 2
    space = repeat(position[1:], "p d -> (p t) d", t=frames)
    time = repeat(branch.time.weight[:frames], "t d -> (p t) d", p=patches)
    return torch.cat([cls, rearrange(level[:, :, 1:], "b t p d -> b (p t) d") + space + time], 1)


def _merged(side: Tensor, level: Float[Tensor, "B T S D"]) -> Float[Tensor, "B J D"]:
    cls = level[:, :, 0].mean(1, keepdim=True)
    return side + torch.cat([cls, rearrange(level[:, :, 1:], "b t p d -> b (p t) d")], 1)


def _layer(layer: StanLayer, side: Float[Tensor, "B J D"], frames: int) -> Float[Tensor, "B J D"]:
    cross, intra = layer.cross_frame, layer.intra_frame
    assert isinstance(cross, CrossFrameAttention) and isinstance(intra, IntraFrame)
    block = intra.block
    cls, patches = side[:, :1], side[:, 1:]
    x = rearrange(patches, "b (p t) d -> (b p) t d", t=frames)
    x = cross.temporal_fc(_attention(cross.attention, cross.norm(x)))
    patches = patches + rearrange(x, "(b p) t d -> b (p t) d", b=len(side))
    x = rearrange(patches, "b (p t) d -> (b t) p d", t=frames)
    x = torch.cat([repeat(cls, "b 1 d -> (b t) 1 d", t=frames), x], 1)
    x = _attention(block.attn, block.ln_1(x))
    mixed = reduce(x[:, :1], "(b t) 1 d -> b 1 d", "mean", t=frames)
    rest = rearrange(x[:, 1:], "(b t) p d -> b (p t) d", t=frames)
    side = torch.cat([cls + mixed, patches + rest], 1)
    return side + _mlp(block.mlp, block.ln_2(side))


def _attention(attention: Attention, x: Float[Tensor, "N S D"]) -> Float[Tensor, "N S D"]:
    mixed = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    q, k, v = rearrange(mixed, "n s (three h d) -> three n h s d", three=3, h=attention.num_heads)
    weights = (q @ k.transpose(-1, -2) * attention.head_dim**-0.5).softmax(-1)
    return attention.out_proj(rearrange(weights @ v, "n h s d -> n s (h d)"))


def _mlp(mlp: Any, x: Tensor) -> Tensor:  # Any: a Sequential doesn't tell its named parts
    return mlp.c_proj(mlp.gelu(mlp.c_fc(x)))
