"""Attention layers and their pull on the score in, maps over frames and patches out.

Grad-ECLIP and gradient x attention are in units of the score, so the maps of CLIP and of the branch share one scale and
add up. Raw attention and rollout are shares: they do not depend on the text and explain nothing. A patch counts for the
frame in which its token stands, even if a method such as token roll has moved it there from another frame.
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
"""Methods whose maps follow the score. The others only follow attention."""


@dataclass(frozen=True)
class RawMap:
    """A map that is not tested yet: method, part (clip, branch or both) and values.

    Values are higher for patches that matter more according to the method.
    """

    method: str
    part: str
    values: Float[Tensor, "T P"]

    @property
    def name(self) -> str:
        return f"{self.method}-{self.part}"


def maps_of(layers: Layers) -> list[RawMap]:
    """Return all maps. The first is the default: Grad-ECLIP of all parts together."""
    found = _in_parts(layers, "grad-eclip", lambda part: grad_eclip(part[-1]))
    found += _in_parts(layers, "gradient-attention", gradient_attention)
    parts = [("clip", layers.clip), ("branch", layers.branch)]
    found += [RawMap("attention", name, _to_patches(part[-1]).mean(1)) for name, part in parts if part]
    return [*found, RawMap("rollout", "clip", rollout(layers.clip))]


def grad_eclip(layer: Layer) -> Float[Tensor, "T P"]:
    """Return Grad-ECLIP (Zhao et al., ICML 2024; Cyang-Zhao/Grad-Eclip) of one layer, usually the last.

    The value of a patch is the sum over heads of ReLU(loosened weight * sum over channels of gradient * value). The
    loosened weight is the cosine of the CLS token's query with the patch's key, stretched to 0..1 over a frame's
    patches, because softmax weights are too sparse to show what else the score would follow.
    Three things differ from the source:
    - each head has its own loosened weight and ReLU; the source runs the block as if it had one head, which would be
      another model;
    - values are relative to what the CLS token receives in total (`Layer.pull`): weights sum to one, so what one patch
      gains the others lose;
    - the score is the video's, so the gradient reaches each frame through the temporal method, and all frames share one
      scale.
    """
    cosine = F.cosine_similarity(layer.query[:, :, None], layer.key, dim=-1)  # (T, heads, P)
    low, high = cosine.amin(-1, keepdim=True), cosine.amax(-1, keepdim=True)
    loosened = (cosine - low) / (high - low).clamp(min=1e-12)
    return (loosened * layer.pull).relu().sum(1)


def gradient_attention(layers: list[Layer]) -> Float[Tensor, "T P"]:
    """Return attention times its gradient: the sum over layers and heads of ReLU(weight * pull) in the CLS token's row.

    This follows Chefer et al. (ICCV 2021, Transformer-MM-Explainability) with two differences. Layers are added, not
    chained by matrix products, because the branch's mixing over time has no such products. The gradient is taken
    through the softmax: weight * pull is the derivative of the score with respect to the attention's logit.
    """
    found = sum((_to_patches(layer) * layer.pull).relu().sum(1) for layer in layers)
    assert isinstance(found, Tensor), "there is at least one layer"
    return found


def rollout(layers: list[Layer]) -> Float[Tensor, "T P"]:
    """Return attention rollout (Abnar and Zuidema 2020).

    It is the product over blocks of (mean over heads + identity) / 2.
    """
    size = layers[0].weights.shape[-1]
    identity = torch.eye(size, device=layers[0].weights.device)
    flow = identity
    for layer in layers:
        flow = (layer.weights.mean(1) + identity) / 2 @ flow
    return flow[:, 0, 1:]


def _in_parts(layers: Layers, method: str, of: Callable[[list[Layer]], Float[Tensor, "T P"]]) -> list[RawMap]:
    """Return the sum of both parts, then each part alone; only CLIP's map if there is no branch."""
    clip = RawMap(method, "clip", of(layers.clip))
    if not layers.branch:
        return [clip]
    branch = RawMap(method, "branch", of(layers.branch))
    return [RawMap(method, "both", clip.values + branch.values), clip, branch]


def _to_patches(layer: Layer) -> Float[Tensor, "T heads P"]:
    return layer.weights[:, :, 0, 1:]
