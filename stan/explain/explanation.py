"""A model, a video and a sentence in; tested maps that explain their score, and the effect of each word, out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from stan.explain.attention import NOTE, shown
from stan.explain.faithfulness import BASELINE, DRAWS, STEPS, Faithfulness, faithfulness, scorer
from stan.explain.gradient_maps import layers_of
from stan.explain.maps import EXPLANATIONS, maps_of

if TYPE_CHECKING:
    from stan.models.dual_encoder import DualEncoder

NOT_BETTER = "Not better than random maps: the score follows what it marks no more than any other patches."


@dataclass(frozen=True)
class Map:
    """Where the score comes from according to one method, and whether a test confirms it."""

    method: str
    """grad-eclip, gradient-attention, attention or rollout."""
    part: str
    """clip, branch or both."""
    values: Float[np.ndarray, "T h w"]
    """Values of 0 or more: units of the score for an explanation, shares of attention otherwise."""
    faithfulness: Faithfulness
    is_explanation: bool
    """False for attention and rollout, which do not depend on the text."""

    @property
    def notes(self) -> list[str]:
        """Notes that have to stand beside the map's picture."""
        return [NOTE] * (not self.is_explanation) + [NOT_BETTER] * (not self.faithfulness["better"])


@dataclass(frozen=True)
class Explanation:
    """Why a video and a sentence score as they do."""

    query: str
    score: float
    pixels: UInt8[np.ndarray, "T S S 3"]
    times: Float[np.ndarray, " T"]
    """Time of each frame in seconds."""
    maps: dict[str, Map]
    """Maps by METHOD-PART. The first is the default: Grad-ECLIP of all parts."""
    words: list[dict[str, Any]]
    """One {"word", "change"} per word: how the score changes if the word is left out, so negative for a word that
    helps."""

    @property
    def default(self) -> Map:
        return next(iter(self.maps.values()))

    @property
    def difference(self) -> Float[np.ndarray, "T h w"] | None:
        """Grad-ECLIP of the branch minus that of CLIP; None if there is no branch."""
        if "grad-eclip-branch" not in self.maps:
            return None
        return self.maps["grad-eclip-branch"].values - self.maps["grad-eclip-clip"].values

    def document(self) -> dict[str, Any]:
        """Return everything but the pixels as JSON values."""
        maps = [
            {"name": name, **{key: getattr(one, key) for key in _MAP_KEYS}, "values": one.values.tolist()}
            for name, one in self.maps.items()
        ]
        return {
            "query": self.query,
            "score": self.score,
            "times": self.times.tolist(),
            "default": next(iter(self.maps)),
            "baseline": BASELINE,
            "maps": maps,
            "difference": None if self.difference is None else self.difference.tolist(),
            "words": self.words,
        }


_MAP_KEYS = ("method", "part", "is_explanation", "faithfulness", "notes")


def explain(
    model: DualEncoder,
    path: str | Path,
    query: str,
    frames: int | None = None,
    *,
    steps: int = STEPS,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Explanation:
    """Explain why `model` scores the video at `path` as it does with `query`.

    frames: number of frames of the video; None means the model's own number.
    steps, draws, seed, progress: as in `faithfulness`, which takes nearly all the time.
    Raises VideoError for a file that cannot be decoded. Raises ValueError for an empty query, for more frames than the
    model has positions for, and for a temporal method whose blocks read other tokens than each frame's own.
    """
    pixels, times = model.decode(path, frames)
    maps, score = explain_pixels(model, pixels, query, steps=steps, draws=draws, seed=seed, progress=progress)
    words = leave_one_out(model, pixels, query)
    return Explanation(query, score, shown(pixels, model.clip), times, maps, words)


def explain_pixels(
    model: DualEncoder, pixels: Float[Tensor, "T 3 S S"], query: str, **testing: Any
) -> tuple[dict[str, Map], float]:
    """Return the tested maps of frames as the model reads them, by name, and the score.

    testing: as in `faithfulness`.
    """
    if not query.split():
        raise ValueError("the query is empty: say in words what the video should be explained for")
    text = model.encode_text(query)
    layers = layers_of(model, pixels, text)
    height = model.clip.grid[0]
    found = {one.name: one for one in maps_of(layers)}
    values = {
        name: rearrange(one.values.float().cpu().numpy(), "t (h w) -> t h w", h=height)
        for name, one in found.items()
    }
    tested = faithfulness(scorer(model, text), pixels, values, **testing)
    maps = {
        name: Map(one.method, one.part, values[name], tested[name], one.method in EXPLANATIONS)
        for name, one in found.items()
    }
    return maps, layers.score


@torch.no_grad()
def leave_one_out(model: DualEncoder, pixels: Float[Tensor, "T 3 S S"], query: str) -> list[dict[str, Any]]:
    """Return {"word", "change"} for every word of the query, in order.

    The change is the score without the word minus the score with it.
    """
    words = query.split()
    texts = [query, *(" ".join(words[:i] + words[i + 1 :]) for i in range(len(words)))]
    video = model.encode_video(pixels[None].to(model.device))
    whole, *without = model.similarity(model.encode_text(texts), video)[:, 0].tolist()
    return [{"word": word, "change": score - whole} for word, score in zip(words, without, strict=True)]
