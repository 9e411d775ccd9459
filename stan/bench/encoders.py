"""A preset in; its encoder and open_clip's own image tower with the same random weights, ready to be timed, out."""

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
from stan.config import ModelConfig
from stan.models.clip import image_tower
from stan.models.dual_encoder import DualEncoder, build
from stan.models.factory import PRESETS
from stan.training.compile import compile_blocks

FRAMES = {"stan-self-b32": 12, "stan-self-b16": 8}
"""As the paper's tables of retrieval and of recognition have them."""

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}

PEAK_SIDE = {"cpu": 2048, "cuda": 8192}
"""Of the square matrices whose product tells the highest rate to be had."""


@dataclass(frozen=True)
class Encoders:
    """Both in evaluation mode on `device`, in fp32."""

    model: DualEncoder
    tower: nn.Module
    frames: int
    gmacs: dict[str, float]
    """{"stan", "compiled", "tower", "plain"}: of one clip, all that is really computed."""
    device: torch.device

    def clips(self, count: int, seed: int = 0) -> Float[Tensor, "B T 3 S S"]:
        size, generator = self.model.clip.image_size, torch.Generator().manual_seed(seed)
        return torch.randn(count, self.frames, 3, size, size, generator=generator).to(self.device)


def preset(name: str) -> tuple[ModelConfig, int]:
    """Config with OpenAI's activation and random weights, and frames. Raises ValueError for another preset."""
    if name not in FRAMES:
        raise ValueError(f"no preset {name!r} to time; choose {', '.join(FRAMES)}")
    config, _ = PRESETS[name]
    return replace(config, backbone=f"{config.backbone}-quickgelu", pretrained="random"), FRAMES[name]


def encoders(config: ModelConfig, frames: int, device: str = "cpu", seed: int = 0) -> Encoders:
    """What starts at zero is moved, so that all of it can be told from the outputs."""
    torch.manual_seed(seed)
    model = build(config, frames).eval()
    for parameter in model.temporal.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    tower = image_tower(config.backbone).eval()
    tower.load_state_dict(model.clip.visual.state_dict())
    cost = of_model(config, frames)
    alone = of_model(replace(config, temporal="mean", options={}), frames)
    gmacs = {"tower": alone["gmacs_run"], "plain": cost["gmacs_all"]}
    gmacs |= dict.fromkeys(("stan", "compiled"), cost["gmacs_run"])
    return Encoders(model.to(device), tower.to(device), frames, gmacs, torch.device(device))


def compiled(model: DualEncoder) -> DualEncoder:
    """A copy that compiles itself when it is first called, and for other numbers of clips again."""
    copy = deepcopy(model)
    compile_blocks(copy)
    return copy


def device_name(device: str) -> str:
    """`cpu`, or a GPU with its model."""
    return f"{device}, {torch.cuda.get_device_name(device)}" if device.startswith("cuda") else device


def waited(call: Callable[[], Any], device: torch.device) -> Callable[[int], Any]:
    """The call as `interleaved` takes it, ended when the device is done."""

    def run(_: int) -> Any:
        result = call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return result

    return run


def matrix_peaks(device: str, repeats: int) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """`matrix_peak`'s row of each precision, and the rates by precision."""
    rows = [matrix_peak(device, precision, repeats) for precision in PRECISIONS]
    return rows, {row["precision"]: row["gflops"] for row in rows}


def matrix_peak(device: str, precision: str, repeats: int) -> dict[str, Any]:
    """A row with the median rate of a large product of square matrices, in GFLOP/s."""
    side, dtype = PEAK_SIDE[torch.device(device).type], PRECISIONS[precision]
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    with torch.inference_mode():
        taken, _ = bench.interleaved({"": waited(lambda: a @ b, a.device)}, repeats)[""]
    rate = 2 * side**3 / float(np.median(taken)) / 1e6
    return bench.row(f"matrix product, {precision}", taken, precision=precision, gflops=rate, side=side)


def per_second(
    taken: Float[np.ndarray, " repeats"], clips: int, gmacs: float, peak: float
) -> dict[str, float]:
    """Clips per second at the median time, and the share of the peak rate (GFLOP/s) that this is."""
    rate = 1000 * clips / float(np.median(taken))
    return {"clips_per_second": rate, "gmacs": gmacs, "share_of_peak": 2 * gmacs * rate / peak}


def efficiency(
    stan: Float[np.ndarray, " repeats"], tower: Float[np.ndarray, " repeats"], gmacs: dict[str, float]
) -> float:
    """Ratio of multiply-accumulates over ratio of times, the median over the pairs of repeats."""
    return gmacs["stan"] / gmacs["tower"] / float(np.median(stan / tower))
