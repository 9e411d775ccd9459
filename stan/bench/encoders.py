"""A preset in; its encoder, and open_clip's own image tower with the same random weights, out, ready to be timed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from stan import bench
from stan.bench.flops import of_model
from stan.common.tensors import device_named
from stan.config import ModelConfig
from stan.models import backbones
from stan.models.dual_encoder import DualEncoder, build
from stan.models.factory import PRESETS
from stan.models.towers import image_tower
from stan.training.compile import compile_blocks

FRAMES = {"stan-self-b32": 12, "stan-self-b16": 8}
"""Frames per clip by preset, as in the paper's tables of retrieval and of recognition."""

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}

PEAK_SIDE = {"cpu": 2048, "cuda": 8192}
"""Side of the square matrices whose product tells the highest rate that a device reaches."""


@dataclass(frozen=True)
class Encoders:
    """A model and the image tower to compare it with, both in evaluation mode on `device`, in fp32."""

    model: DualEncoder
    tower: nn.Module
    frames: int
    gmacs: dict[str, float]
    """{"stan", "compiled", "tower", "plain"}: 10^9 multiply-accumulates per clip that are really computed."""
    device: torch.device

    def clips(self, count: int) -> Float[Tensor, "B T 3 S S"]:
        size, generator = self.model.clip.image_size, torch.Generator().manual_seed(0)
        return torch.randn(count, self.frames, 3, size, size, generator=generator).to(self.device)


def preset(name: str) -> tuple[ModelConfig, int]:
    """Return a preset's config, with OpenAI's activation and random weights, and its frames per clip.

    Raises ValueError for a preset that isn't timed.
    """
    if name not in FRAMES:
        raise ValueError(f"no preset {name!r} to time; choose {', '.join(FRAMES)}")
    config, _ = PRESETS[name]
    return replace(config, backbone=f"{config.backbone}-quickgelu", pretrained="random"), FRAMES[name]


def encoders(config: ModelConfig, frames: int, device: str = "cpu") -> Encoders:
    """Build a model and its image tower with equal random weights.

    Parameters of the temporal method that start at zero are randomised, so that all of it shows in the outputs.
    """
    torch.manual_seed(0)
    model = build(config, frames).eval()
    for parameter in model.temporal.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    tower = backbones.image_tower(config.backbone).eval()
    # wrapping takes a tower's parts over and may rename them, so a copy is wrapped
    model.clip.visual.load_state_dict(image_tower(deepcopy(tower)).state_dict())
    cost = of_model(config, frames)
    alone = of_model(replace(config, temporal="mean", options={}), frames)
    gmacs = {"tower": alone["gmacs_run"], "plain": cost["gmacs_all"]}
    gmacs |= dict.fromkeys(("stan", "compiled"), cost["gmacs_run"])
    return Encoders(model.to(device), tower.to(device), frames, gmacs, device_named(device))


def compiled(model: DualEncoder) -> DualEncoder:
    """Return a copy that compiles itself when it is first called, and again for other numbers of clips."""
    copy = deepcopy(model)
    compile_blocks(copy)
    return copy


def device_name(device: str) -> str:
    """Return `cpu`, or for a GPU the device with the GPU's model name."""
    return f"{device}, {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else device


def waited(call: Callable[[], Any], device: torch.device) -> Callable[[int], Any]:
    """Wrap a call for `interleaved`, so that it returns only when the device is done."""

    def run(_: int) -> Any:
        result = call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return result

    return run


def matrix_peaks(device: str, repeats: int) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return `matrix_peak`'s row for each precision, and the rates by precision, in GFLOP/s."""
    rows = [matrix_peak(device, precision, repeats) for precision in PRECISIONS]
    return rows, {row["precision"]: row["gflops"] for row in rows}


def matrix_peak(device: str, precision: str, repeats: int) -> dict[str, Any]:
    """Return a row with the median rate of a large product of square matrices, in GFLOP/s."""
    side, dtype = PEAK_SIDE[device_named(device).type], PRECISIONS[precision]
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    with torch.inference_mode():
        taken, _ = bench.interleaved({"": waited(lambda: a @ b, a.device)}, repeats)[""]
    rate = 2 * side**3 / float(np.median(taken)) / 1e6
    return bench.row(f"matrix product, {precision}", taken, precision=precision, gflops=rate, side=side)


def per_second(
    taken: Float[np.ndarray, " repeats"], clips: int, gmacs: float, peak: float
) -> dict[str, float]:
    """Return the clips per second at the median time, gmacs per clip, and the share of the peak rate (`peak`, GFLOP/s).

    taken: milliseconds; gmacs: 10^9 multiply-accumulates per clip.
    """
    rate = 1000 * clips / float(np.median(taken))
    return {"clips_per_second": rate, "gmacs": gmacs, "share_of_peak": 2 * gmacs * rate / peak}


def efficiency(
    stan: Float[np.ndarray, " repeats"], tower: Float[np.ndarray, " repeats"], gmacs: dict[str, float]
) -> float:
    """Return the ratio of multiply-accumulates over the ratio of times, with the median over the pairs of repeats."""
    return gmacs["stan"] / gmacs["tower"] / float(np.median(stan / tower))
