"""Attention layers with their pull on the score in; maps over frames and patches out.

Grad-ECLIP and gradient x attention are in units of the score, so the maps of CLIP and of the branch stand on one
scale and add up; raw attention and rollout are shares, know nothing of the text, and explain nothing. A patch counts
in the frame where its token stands, though a method such as token roll may have brought it from another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stan.explain.gradient_maps import Layer, Layers

EXPLANATIONS = ("grad-eclip", "gradient-attention")
"""Methods that follow the score; the others only follow attention."""


@dataclass(frozen=True)
class RawMap:
    """A map before it is tested: method, part (clip, branch, both) and values, higher where more is said to matter."""

    method: str
    part: str
    values: Float[Tensor, "T P"]

    @property
    def name(self) -> str:
        return f"{self.method}-{self.part}"


def maps_of(layers: Layers) -> list[RawMap]:
    """Every map there is, the default first: Grad-ECLIP of all parts together."""
    found = _in_parts(layers, "grad-eclip", lambda part: grad_eclip(part[-1]))
    found += _in_parts(layers, "gradient-attention", gradient_attention)
    parts = [("clip", layers.clip), ("branch", layers.branch)]
    found += [RawMap("attention", name, _to_patches(part[-1]).mean(1)) for name, part in parts if part]
    return [*found, RawMap("rollout", "clip", rollout(layers.clip))]


def grad_eclip(layer: Layer) -> Float[Tensor, "T P"]:
    """Grad-ECLIP (Zhao et al., ICML 2024; Cyang-Zhao/Grad-Eclip) of one layer, usually the last: of a patch,
    sum over heads of ReLU(loosened weight * sum over channels of gradient * value).

    The loosened weight is the cosine of the CLS's query with the patch's key, stretched to 0..1 over a frame's patches:
    softmax weights are too sparse to show what else the score would follow. Here, unlike there:
    - each head has its own loosened weight and ReLU; the source runs the block as if it had one head, which would
      be another model;
    - values are taken relative to what the CLS receives in all (`Layer.pull`): weights sum to one, so what one patch
      gains the others lose;
    - the score is the video's, so the gradient reaches each frame through the temporal method, and all frames
      share one scale.
    """
    cosine = F.cosine_similarity(layer.query[:, :, None], layer.key, dim=-1)  # (T, heads, P)
    low, high = cosine.amin(-1, keepdim=True), cosine.amax(-1, keepdim=True)
    loosened = (cosine - low) / (high - low).clamp(min=1e-12)
    return (loosened * layer.pull).relu().sum(1)


def gradient_attention(layers: list[Layer]) -> Float[Tensor, "T P"]:
    """Attention times its gradient: the sum over layers and heads of ReLU(weight * pull) in the CLS's row.

    After Chefer et al. (ICCV 2021, Transformer-MM-Explainability), with two differences: layers are added rather than
    chained by matrix products, which the branch's mixing over time has none of; and the gradient is taken through
    the softmax (weight * pull is the score's derivative by the attention's logit).
    """
    return sum((_to_patches(layer) * layer.pull).relu().sum(1) for layer in layers)


def rollout(layers: list[Layer]) -> Float[Tensor, "T P"]:
    """Attention rollout (Abnar and Zuidema 2020): the product over blocks of (mean over heads + identity) / 2."""
    size = layers[0].weights.shape[-1]
    identity = torch.eye(size, device=layers[0].weights.device)
    flow = identity
    for layer in layers:
        flow = (layer.weights.mean(1) + identity) / 2 @ flow
    return flow[:, 0, 1:]


def _in_parts(layers: Layers, method: str, of: Callable[[list[Layer]], Float[Tensor, "T P"]]) -> list[RawMap]:
    """The sum of both parts, then each alone; CLIP alone where there is no branch."""
    clip = RawMap(method, "clip", of(layers.clip))
    if not layers.branch:
        return [clip]
    branch = RawMap(method, "branch", of(layers.branch))
    return [RawMap(method, "both", clip.values + branch.values), clip, branch]


def _to_patches(layer: Layer) -> Float[Tensor, "T heads P"]:
    return layer.weights[:, :, 0, 1:]
