"""Numbers of clips in; time and memory of a training step, compared with one of CLIP's own image tower, out.

Both have the same frames and the same loss: InfoNCE of the videos against fixed random texts. Every weight is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stan import bench
from stan.bench.encoders import (
    PRECISIONS,
    Encoders,
    compiled,
    device_name,
    efficiency,
    encoders,
    matrix_peaks,
    per_second,
    preset,
    waited,
)
from stan.common.tensors import numel
from stan.config import ModelConfig, TrainConfig
from stan.models.video_encoder import VideoEncoder
from stan.results import provenance
from stan.training.losses import info_nce
from stan.training.optim import optimizer

PRESET = "stan-self-b32"
CLIPS = (1, 2, 4)
REPEATS = 3
MEMORY_CLIPS = 16
TEMPERATURE = 0.01
"""The released temperature for MSR-VTT."""
PASSES = 3
"""Cost of a step in forward passes: the forward pass, and a backward pass with twice as many products."""
BYTES_PER_WEIGHT = 16
"""The weight, its gradient and Adam's two moments, all in fp32."""


def train(
    name: str = PRESET,
    clips: Sequence[int] = CLIPS,
    repeats: int = REPEATS,
    device: str = "cpu",
    with_compiled: bool = False,
) -> dict[str, Any]:
    """Time one step (forward, loss, backward, AdamW) by number of clips, precision and trained model.

    `by` names the model: `stan`, `tower` (open_clip's own, with embeddings averaged over frames) or, if asked for,
    `compiled`. bf16 means autocast, with weights in fp32. Rows are as in `stan.bench.encode`. `memory` tells by
    precision what a step of 16 clips holds, in MB (see `held`), for `stan` and `tower`, and the ratio of the two.
    Raises ValueError for a preset that isn't timed.
    """
    config, frames = preset(name)
    peaks, rates = matrix_peaks(device, repeats)
    rows, memory = of_preset(name, config, frames, clips, repeats, device, rates, with_compiled)
    more = {"memory": memory, "peak_mb": provenance.peak_memory_mb()}
    return bench.document("training step", "by row", peaks + rows, device_name(device), **more)


def of_preset(
    name: str,
    config: ModelConfig,
    frames: int,
    clips: Sequence[int],
    repeats: int,
    device: str,
    rates: dict[str, float],
    with_compiled: bool = False,
) -> tuple[list[dict[str, Any]], dict[str, dict[str, float]]]:
    """Return `train`'s rows and memory for one model; `rates`: the matrix rates by precision, in GFLOP/s."""
    pair = encoders(config, frames, device)
    memory = {}
    for precision in PRECISIONS:
        mb = {by: held(trained, pair, precision) / 1e6 for by, trained in _trained(pair).items()}
        memory[precision] = mb | {"clips": MEMORY_CLIPS, "ratio": mb["stan"] / mb["tower"]}
    rows = []
    for count in clips:
        calls = {
            (by, precision): waited(step(trained, pair.clips(count), precision), pair.device)
            for precision in PRECISIONS
            for by, trained in _trained(pair, with_compiled).items()
        }
        measured = bench.interleaved(calls, repeats, warm_up=1)
        for (by, precision), (taken, _) in measured.items():
            facts = {"preset": name, "frames": frames, "clips": count, "by": by, "precision": precision}
            speed = per_second(taken, count, PASSES * pair.gmacs[by], rates[precision])
            if by in ("stan", "compiled"):
                speed["efficiency"] = efficiency(taken, measured["tower", precision][0], pair.gmacs)
            label = f"{name}, {count} x {frames} frames, {by} {precision}"
            rows.append(bench.row(label, taken, **facts, **speed))
    return rows, memory


class Pooled(nn.Module):
    """An image tower that embeds a video as the mean of its frames' embeddings."""

    def __init__(self, tower: nn.Module):
        super().__init__()
        self.tower = tower

    def forward(self, video: Float[Tensor, "B T 3 S S"]) -> Float[Tensor, "B E"]:
        return self.tower(video.flatten(0, 1)).unflatten(0, video.shape[:2]).mean(1)


class VideoTower(nn.Module):
    """A video encoder that returns only video embeddings, not those of frames; its text tower isn't trained."""

    def __init__(self, encoder: VideoEncoder):
        super().__init__()
        self.encoder = encoder
        encoder.clip.text.requires_grad_(False)
        encoder.clip.logit_scale.requires_grad_(False)

    def forward(self, video: Float[Tensor, "B T 3 S S"]) -> Float[Tensor, "B E"]:
        return self.encoder(video).video


def _trained(pair: Encoders, with_compiled: bool = False) -> dict[str, nn.Module]:
    """Return copies in training mode, so that each of them has been trained for equally long."""
    copies = {"stan": VideoTower(deepcopy(pair.model.encoder)), "tower": Pooled(deepcopy(pair.tower))}
    if with_compiled:
        copies["compiled"] = VideoTower(compiled(pair.model).encoder)
    return {by: copy.train() for by, copy in copies.items()}


def _weights(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def step(module: nn.Module, video: Float[Tensor, "B T 3 S S"], precision: str) -> Callable[[], float]:
    """Return a function that takes one step on these videos at every call and returns the loss."""
    descent = optimizer([{"params": _weights(module)}], TrainConfig(lr=2e-6))

    def run() -> float:
        loss = _loss(module, video, precision)
        loss.backward()
        descent.step()
        descent.zero_grad()
        return loss.item()

    return run


def _loss(module: nn.Module, video: Tensor, precision: str) -> Float[Tensor, ""]:
    dtype = PRECISIONS[precision]
    with torch.autocast(video.device.type, dtype, enabled=dtype != torch.float32):
        videos = module(video)
    generator = torch.Generator().manual_seed(1)
    texts = torch.randn(videos.shape, generator=generator).to(video.device)
    similarity = F.normalize(texts, dim=-1) @ F.normalize(videos.float(), dim=-1).T
    return info_nce(similarity / TEMPERATURE, torch.eye(len(videos), dtype=torch.bool, device=video.device))


def held(module: nn.Module, pair: Encoders, precision: str) -> float:
    """Return the bytes of a step of MEMORY_CLIPS clips when backward begins: weights, gradients, moments, and what
    forward keeps for backward.

    What forward keeps is counted, tensor by tensor, for one and for two clips; each further clip adds the same again.
    Short-lived tensors aren't counted, nor is what the allocator holds beside them.
    """
    weights = _weights(module)
    one, two = (
        kept(lambda n=n: _loss(module, pair.clips(n), precision), list(module.parameters())) for n in (1, 2)
    )
    fixed = BYTES_PER_WEIGHT * numel(weights)
    return fixed + one + (MEMORY_CLIPS - 1) * (two - one)


def kept(forward: Callable[[], Tensor], weights: Sequence[Tensor]) -> int:
    """Return the bytes that `forward` keeps for the backward pass, without `weights`; shared memory counts once."""
    aside = {weight.untyped_storage().data_ptr() for weight in weights}
    sizes: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        loss = forward()  # held until everything is counted, so that no place in memory is used twice
    assert loss.requires_grad
    return sum(size for place, size in sizes.items() if place not in aside)
