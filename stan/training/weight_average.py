"""A model and the trained weights after one epoch and another in; the mean over the epochs, held by the model, out.

Stochastic weight averaging (SWA; Izmailov et al., 2018, arXiv 1803.05407), as Open-VCLIP tests its models. From the
first averaged epoch on, the mean so far is validated and kept after each epoch; before, that epoch's own weights are.
So the last value on validation is that of the weights that are tested. None of the means is chosen: the last is the one
that the recipe asks for.

Statistics of batch norms are averaged like weights. The paper measures them anew, by one more pass over the training
videos.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from stan.models.dual_encoder import DualEncoder
from stan.training.optim import changing


def share_of(epoch: int, first: int) -> float:
    """Return the share of an epoch, counted from 0, in the mean that begins with epoch `first`, counted from 1.

    It is 1 up to `first`, and always if `first` is 0, for no mean.
    """
    return 1 / max(1, epoch + 2 - first) if first else 1.0


@torch.no_grad()
def take_in(model: DualEncoder, weights: Mapping[str, Tensor], share: float) -> None:
    """Move what training changes in `model` by a share of the way to `weights`; a share of 1 copies them exactly.

    weights: by name, whole tensors. Numbers of steps that batch norms count are taken as they are.
    """
    for name, own in changing(model).items():
        own.copy_(own.lerp(weights[name], share) if own.is_floating_point() else weights[name])
