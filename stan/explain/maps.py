"""Attention layers and their pull on the score in, maps over frames and patches out.

Grad-ECLIP and gradient x attention are in units of the score, so the maps of CLIP and of the branch share one scale and
add up. Raw attention and rollout are shares: they do not depend on the text and explain nothing. A patch counts for the
frame in which its token stands, even if a method such as token roll has moved it there from another frame.

In a CLIP that reads its CLS token, all maps look from there. In any other, they look from the tokens that it reads
(`stan.explain.readout`): what is said below of the CLS token holds for the query of an attention pool and for the mean,
which are the last layer, and for blocks of all tokens that are pooled.
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
    if not layers.mixing:  # CLIP's blocks have no attention, so the pooling is all that there is
        return found
    found += _in_parts(layers, "gradient-attention", gradient_attention)
    for name, part in (("clip", layers.clip), ("branch", layers.branch)):
        found += [RawMap("attention", name, attention(layer)) for layer in part if layer.query is not None][
            -1:
        ]
    return [*found, RawMap("rollout", "clip", rollout(layers))]


def grad_eclip(layer: Layer) -> Float[Tensor, "T P"]:
    """Return Grad-ECLIP (Zhao et al., ICML 2024; Cyang-Zhao/Grad-Eclip) of one layer, usually the last.

    The value of a patch is the sum over heads of ReLU(loosened weight * sum over channels of gradient * value). The
    loosened weight is the cosine of the CLS token's query with the patch's key, stretched to 0..1 over a frame's
    patches, because softmax weights are too sparse to show what else the score would follow. Where the layer is a mean,
    it is 1.
    Three things differ from the source:
    - each head has its own loosened weight and ReLU; the source runs the block as if it had one head, which would be
      another model;
    - values are relative to what the CLS token receives in total (`Layer.pull`): weights sum to one, so what one patch
      gains the others lose;
    - the score is the video's, so the gradient reaches each frame through the temporal method, and all frames share one
      scale.
    """
    return (_loosened(layer) * layer.pull).sum(2).relu().sum(1)


def gradient_attention(layers: list[Layer]) -> Float[Tensor, "T P"]:
    """Return attention times its gradient: the sum over layers and heads of ReLU(weight * pull) in the CLS token's row.

    Several tokens that are read add up before the ReLU: their sum is what the score gains if all of them attend to the
    patch a little more.

    This follows Chefer et al. (ICCV 2021, Transformer-MM-Explainability) with two differences. Layers are added, not
    chained by matrix products, because the branch's mixing over time has no such products. The gradient is taken
    through the softmax: weight * pull is the derivative of the score with respect to the attention's logit.
    """
    found = sum((layer.weights * layer.pull).sum(2).relu().sum(1) for layer in layers)
    assert isinstance(found, Tensor), "there is at least one layer"
    return found


def attention(layer: Layer) -> Float[Tensor, "T P"]:
    """Return raw attention as the mean over heads, from each token that is read by its share."""
    return (layer.shares[:, None, :, None] * layer.weights).sum(2).mean(1)


def rollout(layers: Layers) -> Float[Tensor, "T P"]:
    """Return attention rollout (Abnar and Zuidema 2020).

    It is the product over blocks of (mean over heads + identity) / 2, of which the rows of the tokens that CLIP reads
    are taken, each by its share.
    """
    first = layers.mixing[0]
    identity = torch.eye(first.shape[-1], device=first.device)
    flow = identity
    for mixed in layers.mixing:
        flow = (mixed + identity) / 2 @ flow
    rows = (layers.read[:, None] @ flow)[:, 0]
    return rows[:, -layers.clip[0].weights.shape[-1] :]


def _in_parts(layers: Layers, method: str, of: Callable[[list[Layer]], Float[Tensor, "T P"]]) -> list[RawMap]:
    """Return the sum of both parts, then each part alone; only CLIP's map if there is no branch."""
    clip = RawMap(method, "clip", of(layers.clip))
    if not layers.branch:
        return [clip]
    branch = RawMap(method, "branch", of(layers.branch))
    return [RawMap(method, "both", clip.values + branch.values), clip, branch]


def _loosened(layer: Layer) -> Float[Tensor, "T heads Q P"] | float:
    if layer.query is None or layer.key is None:
        return 1.0
    cosine = F.cosine_similarity(layer.query[:, :, :, None], layer.key[:, :, None], dim=-1)
    low, high = cosine.amin(-1, keepdim=True), cosine.amax(-1, keepdim=True)
    return (cosine - low) / (high - low).clamp(min=1e-12)
