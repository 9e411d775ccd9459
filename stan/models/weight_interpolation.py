"""A CLIP and the weights that it started from in; the same CLIP with weights between the two, for a while, out.

Weights between a CLIP's own and those tuned on new data keep more of what the CLIP knew: WiSE-FT (Wortsman et al.,
2022, arXiv 2109.01903), and for videos Open-VCLIP (Weng et al., 2023, arXiv 2302.00624).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from stan.config import Experiment
from stan.models.clip import Clip
from stan.models.dual_encoder import build

TOWERS = ("visual.", "text.")
"""The sources interpolate the logit scale, too. It changes no order of videos, and stays here as the recipe sets it."""

_OF_CLIP = "encoder.clip."
"""What the names of a CLIP's weights begin with in a checkpoint."""
Weights = Mapping[str, Tensor]
"""A CLIP's parameters, or some of them, by name."""


def trained(clip: Clip) -> dict[str, Tensor]:
    """Return copies of those weights of the towers that are trained."""
    return {
        name: parameter.detach().clone()
        for name, parameter in clip.named_parameters()
        if name.startswith(TOWERS) and parameter.requires_grad
    }


def changed(clip: Clip, start: Clip) -> dict[str, Tensor]:
    """Return `start`'s weights of the towers where `clip`, which is built alike, has others."""
    ours = dict(clip.named_parameters())
    return {
        name: parameter.detach()
        for name, parameter in start.named_parameters()
        if name.startswith(TOWERS) and not torch.equal(ours[name], parameter)
    }


def started_from(experiment: Experiment) -> Clip:
    """Return the CLIP that an experiment's training starts from. Raises ValueError for one of random weights."""
    if experiment.model.pretrained == "random":
        raise ValueError(
            f"{experiment.id} started from random weights: there is no CLIP's knowledge to go back to"
        )
    return build(experiment.model, experiment.data.frames).clip


def distance(clip: Clip, start: Weights) -> float:
    """Return how far `clip` is from the weights named in `start`, as a share of their length (Euclidean)."""
    way = sum(
        float((clip.get_parameter(name).detach() - tensor).square().sum()) for name, tensor in start.items()
    )
    return math.sqrt(way / sum(float(tensor.square().sum()) for tensor in start.values()))


def require_share(share: float) -> None:
    """Raise ValueError for a share of CLIP's own weights outside 0 to 1."""
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share:g}: a share of CLIP's own weights is from 0 (as trained) to 1")


@contextmanager
def moved_back(clip: Clip, start: Weights, share: float) -> Generator[None]:
    """Within this context, the weights named in `start` are share * start + (1 - share) * the CLIP's own.

    Gradients that are computed within it are those at the moved weights. They are added to the parameters' own.
    """
    own = {name: clip.get_parameter(name).detach().clone() for name in start}
    with torch.no_grad():
        for name, tensor in start.items():
            clip.get_parameter(name).lerp_(tensor.to(own[name]), share)
    try:
        yield
    finally:
        with torch.no_grad():
            for name, tensor in own.items():
                clip.get_parameter(name).copy_(tensor)


def between(state: Weights, start: Weights, share: float) -> dict[str, Tensor]:
    """Return a model's tensors with those of its CLIP's towers moved back by `share` towards `start`, a CLIP's own.

    state: names as in a checkpoint, `encoder.clip.visual...` or `visual...`. Raises ValueError for a share outside 0 to
    1, for a tensor that `start` has in another shape, and if `start` has none of them.
    """
    require_share(share)
    moved = {}
    for name, tensor in state.items():
        own = start.get(name.removeprefix(_OF_CLIP))
        if own is None or not name.removeprefix(_OF_CLIP).startswith(TOWERS):
            continue
        if own.shape != tensor.shape:
            raise ValueError(
                f"{name} is {tuple(tensor.shape)}, and {tuple(own.shape)} in the CLIP to go back to: name the CLIP that"
                " these weights were trained from"
            )
        moved[name] = tensor.lerp(own.detach().to(tensor), share)
    if not moved:
        raise ValueError(
            "it holds no weights of a CLIP's towers that training could change: nothing goes back"
        )
    return {**state, **moved}
