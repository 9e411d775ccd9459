"""A video and texts in; their scores when the frames run backwards, stand still or are shuffled, out.

This is the counterpart of `stan.results.frame_order` for one video: does the order of its frames matter to the model,
and how certain is that? Each frame is decoded once. CLIP's levels of a frame are computed once, for all orders in which
it is shown.
Letters: Q queries, T frames, N orders.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from stan.common.durations import milliseconds
from stan.common.tensors import joined
from stan.evaluation.calibration import temperature_of
from stan.evaluation.frame_order import AS_GIVEN, arrangements
from stan.evaluation.statistics import INTERVAL
from stan.evaluation.zero_shot import distinct
from stan.models.dual_encoder import DualEncoder
from stan.models.video_encoder import VideoOutput

DRAWS = 99
"""Number of shuffled orders. With 99, the smallest p is 0.01."""

SURE = 0.05
ORDERS_AT_ONCE = 16
ROUNDING = 1e-5
"""Scores that differ by less count as equal, because the same frames are summed in another order."""


@torch.inference_mode()
def probe(
    model: DualEncoder,
    video: str | Path | Float[Tensor, "T 3 S S"],
    queries: str | Sequence[str] = (),
    *,
    labels: Sequence[str] = (),
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """Return scores of each query, and the best of `labels`, for `video` (a file or prepared frames) in every order.

    {"video", "frames", "draws", "seed", "queries": [{"query", "forwards", "reversed", "frozen", "shuffled": {"mean",
    "interval", "scores"}, "change", "p", "blind", "sure", "says"}], "labels": [{"order", "label", "probability",
    "share"}], "ms"}.

    queries: scores are the model's similarities (cosines). "frozen" shows the middle frame throughout. "shuffled" holds
    `draws` orders drawn with `seed`; its "interval" holds 95 % of their scores. "change" is the forwards score minus
    the mean of the shuffled ones. "p" is from `permutation_test`, and "sure" means that it is at most 0.05. "blind"
    means that no order changes the score at all.
    labels: the best label in every order, and its probability. For the shuffled orders, it is the label that is best
    most often, with its mean probability and the share of orders in which it is best.

    Raises ValueError if nothing is asked, and for fewer than 19 draws, which can never be sure. Raises VideoError for a
    video that cannot be decoded.
    """
    queries = [queries] if isinstance(queries, str) else list(queries)
    queries, (labels, _) = [query.strip() for query in queries if query.strip()], distinct(labels)
    if not queries and not labels:
        raise ValueError("nothing is asked: give a sentence, or labels")
    if draws < 1 / SURE - 1:
        raise ValueError(f"{draws} shuffled orders can never be sure: take at least {round(1 / SURE - 1)}")
    started = time.perf_counter()
    frames = video if isinstance(video, Tensor) else model.decode(video)[0].to(model.device)
    orders = _orders(len(frames), draws, seed)
    shown = _in_orders(model, frames, np.concatenate(list(orders.values())))
    encoded = time.perf_counter()
    text = model.encode_text([*queries, *labels])
    scores = model.similarity(text, shown).float().cpu()  # (Q + C, N)
    by_order = _split(scores, {name: len(order) for name, order in orders.items()})
    found = {
        "video": None if isinstance(video, Tensor) else str(video),
        "frames": len(frames),
        "draws": draws,
        "seed": seed,
        "queries": [
            _measured(query, {name: part[i].numpy() for name, part in by_order.items()})
            for i, query in enumerate(queries)
        ],
        "labels": [
            _recognised(name, part[len(queries) :], labels, temperature_of(model)[0])
            for name, part in by_order.items()
            if labels
        ],
    }
    ended = time.perf_counter()
    return found | {"ms": {"encode": milliseconds(encoded - started), "score": milliseconds(ended - encoded)}}


def _orders(frames: int, draws: int, seed: int) -> dict[str, Int[np.ndarray, "N T"]]:
    """Return the orders in which a time probe shows a split, here for one clip: one of each kind, and all shuffled."""
    orders = arrangements(frames, draws, seed)
    return {
        "forwards": orders[AS_GIVEN][:1],
        "reversed": orders["reversed"][:1],
        "frozen": orders["frozen"][:1],
        "shuffled": orders["shuffled"],
    }


def _in_orders(
    model: DualEncoder, frames: Float[Tensor, "T 3 S S"], orders: Int[np.ndarray, "N T"]
) -> VideoOutput:
    """Embed the video with its frames in each order, from what CLIP's unchanged blocks make of each frame."""
    frames = frames.to(model.device)
    levels = model.encoder.levels(frames[None])
    parts = torch.from_numpy(np.ascontiguousarray(orders)).split(ORDERS_AT_ONCE)
    return joined([model.encoder.picked(frames, levels, part) for part in parts])


def _split(scores: Float[Tensor, "texts N"], counts: dict[str, int]) -> dict[str, Float[Tensor, "texts n"]]:
    return dict(zip(counts, scores.split(list(counts.values()), dim=1), strict=True))


def _measured(query: str, scores: dict[str, Float[np.ndarray, " n"]]) -> dict[str, Any]:
    shuffled = scores.pop("shuffled").astype(float)
    single = {name: float(value[0]) for name, value in scores.items()}
    change, p = single["forwards"] - shuffled.mean(), permutation_test(single["forwards"], shuffled)
    of_shuffled = {
        "mean": float(shuffled.mean()),
        "interval": np.percentile(shuffled, INTERVAL).tolist(),
        "scores": shuffled.tolist(),
    }
    blind = bool(np.ptp([single["forwards"], single["reversed"], *shuffled]) < ROUNDING)
    return {
        "query": query,
        **single,
        "shuffled": of_shuffled,
        "change": change,
        "p": p,
        "blind": blind,
        "sure": p <= SURE,
        "says": _words(single["forwards"], change, of_shuffled["interval"], p, blind),
    }


def permutation_test(value: float, drawn: Float[np.ndarray, " n"]) -> float:
    """Return the share of all values, including `value`, that lie at least as far from their mean as `value` does.

    The test is exact: if order means nothing, the true order is one of many equal ones, and the result is at most p in
    a share p of cases.
    """
    distances = np.abs(np.array([value, *drawn]) - np.mean([value, *drawn]))
    return float((distances >= distances[0] - ROUNDING).mean())


def _words(forwards: float, change: float, interval: list[float], p: float, blind: bool) -> str:
    if blind:
        return "The order of frames changes nothing: the model is blind to it here."
    range_ = f"{interval[0]:.2f} to {interval[1]:.2f} in most shuffled orders, {forwards:.2f} in the true one"
    if p > SURE:
        return f"Order changes the score ({range_}), but the true order doesn't stand out (p = {p:.2g})."
    return (
        f"Time matters: the true order scores {'higher' if change > 0 else 'lower'} ({range_}; p = {p:.2g})."
    )


def _recognised(
    order: str, scores: Float[Tensor, "C n"], labels: list[str], temperature: float
) -> dict[str, Any]:
    chances = (scores / temperature).softmax(0)
    wins = torch.bincount(chances.argmax(0), minlength=len(labels))
    best = int(wins.argmax())
    share = float(wins[best] / wins.sum())
    return {"order": order, "label": labels[best], "probability": float(chances[best].mean()), "share": share}
