"""Presets and numbers of clips in; how fast the encoder is compared with CLIP's own tower and with plain code, out.

Weights and frames are random; everything has its full size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stan import bench
from stan.bench.encoders import (
    FRAMES,
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
from stan.bench.reference_encoder import plain_encode
from stan.config import ModelConfig
from stan.results import provenance

CLIPS = (1, 2, 4)
REPEATS = 5
EQUAL = 1e-4
"""Largest allowed difference between plain code and the encoder in fp32, on embeddings of length one."""


def encode(
    presets: Sequence[str] = tuple(FRAMES),
    clips: Sequence[int] = CLIPS,
    repeats: int = REPEATS,
    device: str = "cpu",
    with_compiled: bool = False,
) -> dict[str, Any]:
    """Time one forward pass by preset, number of clips, precision and encoder; encoders take turns in every repeat.

    `by` names the encoder: `stan`, `tower` (open_clip's own, on the same frames), `plain`
    (`stan.bench.reference_encoder`, fp32) or, if asked for, `compiled`: `stan` with compiled blocks, whose compilation
    isn't counted. Beside median and spread, each row has preset, frames, clips, by, precision, clips_per_second, gmacs
    (of a clip) and share_of_peak (of the matrix rate measured in the same call). Rows of `stan` and `compiled` also
    have efficiency (ratio of multiply-accumulates to the tower's, over ratio of times), speedup over `plain`, and
    difference: the largest difference of any channel from `plain`'s, on embeddings of length one. Raises ValueError for
    a preset that isn't timed.
    """
    models = {name: preset(name) for name in presets}
    peaks, rates = matrix_peaks(device, repeats)
    rows = []
    for name, (config, frames) in models.items():
        rows += of_preset(name, config, frames, clips, repeats, device, rates, with_compiled)
    more = {"peak_mb": provenance.peak_memory_mb()}
    return bench.document("encoding", "by row", peaks + rows, device_name(device), **more)


def of_preset(
    name: str,
    config: ModelConfig,
    frames: int,
    clips: Sequence[int],
    repeats: int,
    device: str,
    rates: dict[str, float],
    with_compiled: bool = False,
) -> list[dict[str, Any]]:
    """Return `encode`'s rows of one model; `rates`: the matrix rates by precision, in GFLOP/s."""
    pair = encoders(config, frames, device)
    inside = _in_precisions(pair, with_compiled)
    return [row for count in clips for row in _rows(name, pair, inside, pair.clips(count), repeats, rates)]


def _in_precisions(pair: Encoders, with_compiled: bool) -> dict[tuple[str, str], Callable[[Tensor], Tensor]]:
    """Return by (encoder, precision) a function from frames in that precision to video embeddings."""
    runs: dict[tuple[str, str], Callable[[Tensor], Tensor]] = {}
    for precision, dtype in PRECISIONS.items():
        model, tower = deepcopy(pair.model).to(dtype), deepcopy(pair.tower).to(dtype)
        runs["stan", precision] = lambda video, model=model: model.encoder(video).video
        if with_compiled:
            model = compiled(model)
            runs["compiled", precision] = lambda video, model=model: model.encoder(video).video
        runs["tower", precision] = lambda video, tower=tower: (
            tower(video.flatten(0, 1)).unflatten(0, video.shape[:2]).mean(1)
        )
    runs["plain", "fp32"] = lambda video: plain_encode(pair.model, video)
    return runs


def _rows(
    name: str,
    pair: Encoders,
    runs: dict[tuple[str, str], Callable[[Tensor], Tensor]],
    video: Tensor,
    repeats: int,
    rates: dict[str, float],
) -> list[dict[str, Any]]:
    videos = {precision: video.to(dtype) for precision, dtype in PRECISIONS.items()}
    calls = {
        key: waited(lambda run=run, key=key: run(videos[key[1]]), pair.device) for key, run in runs.items()
    }
    with torch.inference_mode():
        measured = bench.interleaved(calls, repeats, warm_up=1)
    taken = {key: times for key, (times, _) in measured.items()}
    expected = _unit(measured["plain", "fp32"][1][0])
    rows = []
    for (by, precision), times in taken.items():
        facts = {"preset": name, "frames": pair.frames, "clips": len(video), "by": by, "precision": precision}
        speed = per_second(times, len(video), pair.gmacs[by], rates[precision])
        if by in ("stan", "compiled"):
            difference = float((_unit(measured[by, precision][1][0]) - expected).abs().max())
            assert precision != "fp32" or difference <= EQUAL, f"differs from plain code by {difference}"
            speed |= {
                "efficiency": efficiency(times, taken["tower", precision], pair.gmacs),
                "speedup": float(np.median(taken["plain", "fp32"] / times)),
                "difference": difference,
            }
        label = f"{name}, {len(video)} x {pair.frames} frames, {by} {precision}"
        rows.append(bench.row(label, times, **facts, **speed))
    return rows


def _unit(videos: Tensor) -> Tensor:
    return F.normalize(videos.float(), dim=-1)
