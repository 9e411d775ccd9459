"""A model and inputs in; what goes into and comes out of modules, and the quantities that many sources share, out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stan.models.dual_encoder import DualEncoder
from stan.models.temporal.base import Temporal
from stan.models.video_encoder import VideoEncoder
from stan.training.losses import contrastive_mean


@contextmanager
def outputs_of(module: nn.Module) -> Generator[list[Tensor]]:
    """Within this context, collect what the module returns."""
    found: list[Tensor] = []
    handle = module.register_forward_hook(lambda _, __, output: found.append(output))
    try:
        yield found
    finally:
        handle.remove()


@contextmanager
def inputs_of(module: nn.Module) -> Generator[list[Tensor]]:
    """Within this context, collect the module's first argument."""
    found: list[Tensor] = []
    handle = module.register_forward_pre_hook(lambda _, given: found.append(given[0]))
    try:
        yield found
    finally:
        handle.remove()


def frames_of_clip(model: DualEncoder, video: Float[Tensor, "B T 3 H W"]) -> Float[Tensor, "B T E"]:
    """Return each frame's embedding by the model's CLIP alone, not normalised."""
    clip = model.clip
    return VideoEncoder(clip, Temporal(clip, video.shape[1]))(video).frames


def contrastive(logits: Float[Tensor, "N B"]) -> Float[Tensor, ""]:
    """Return the loss of the first pairs, as many as there are, whose texts and videos have the same number."""
    pairs = min(logits.shape)
    return contrastive_mean(logits[:pairs, :pairs], torch.eye(pairs, dtype=torch.bool))
