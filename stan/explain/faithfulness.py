"""Maps over a video's patches in; how closely the score follows them, compared with random maps, out.

Patches of all frames are ranked by a map and then removed (deletion: a faithful map makes the score fall early, so a
low area is good) or added (insertion: a high area is good), as Petsiuk et al. (RISE, 2018) do with an image's pixels.

A removed patch takes the video's mean colour, which tells nothing about place, shape or time. A blur would keep a large
object's colour where it is, and a dark patch would be an object itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from stan.models.text_tower import TextOutput

if TYPE_CHECKING:
    from stan.models.dual_encoder import DualEncoder

BASELINE = "the video's mean colour"
STEPS, DRAWS = 8, 10
FRAMES_AT_ONCE = 256

Score = Callable[[Float[Tensor, "N T 3 S S"]], Float[np.ndarray, " N"]]


class Faithfulness(TypedDict):
    """Areas under the score over the share of patches. The share runs from 0 to 1, so areas have the score's unit."""

    deletion: float
    insertion: float
    random_deletion: float
    """Mean over the random maps; `random_insertion` likewise."""
    random_insertion: float
    random_range: tuple[float, float]
    """Lowest and highest area of the random maps. Deletion and insertion count together, because deleting in one order
    is inserting in the reverse order."""
    better: bool
    """True if deletion is below this range and insertion above it. By chance, this holds for at most one map in twice
    the draws."""


def scorer(model: DualEncoder, text: TextOutput) -> Score:
    """Return a function that scores many versions of a video against one text, some at a time."""

    @torch.inference_mode()
    def score(videos: Float[Tensor, "N T 3 S S"]) -> Float[np.ndarray, " N"]:
        batches = videos.split(max(1, FRAMES_AT_ONCE // videos.shape[1]))
        found = [model.similarity(text, model.encode_video(batch.to(model.device)))[0] for batch in batches]
        return torch.cat(found).double().cpu().numpy()

    return score


def faithfulness(
    score: Score,
    pixels: Float[Tensor, "T 3 S S"],
    maps: Mapping[str, Float[np.ndarray, "T h w"]],
    *,
    steps: int = STEPS,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Faithfulness]:
    """Return each map's areas by name, compared with those of `draws` random maps, which are the same for all maps.

    steps: number of parts in which the patches are removed or added.
    progress: `progress(done, total)` counts maps, including the random ones.
    """
    rng = np.random.default_rng(seed)
    shape = next(iter(maps.values())).shape
    orders = [ranks(values, rng) for values in [*maps.values(), *rng.random((draws, *shape))]]
    whole, nothing = score(masked(pixels, np.stack([np.ones(shape, bool), np.zeros(shape, bool)])))
    found = []
    for order in orders:
        found.append(areas(score, pixels, order, (whole, nothing), steps))
        progress(len(found), len(orders))
    random = np.array(found[len(maps) :])
    return {name: _beside(random, *own) for name, own in zip(maps, found, strict=False)}


def ranks(values: Float[np.ndarray, "T h w"], rng: np.random.Generator) -> Int[np.ndarray, "T h w"]:
    """Return each value's rank: 0 for the highest, 1 for the next, and so on. Equal values are in random order."""
    order = np.lexsort((rng.random(values.size), -values.ravel()))
    found = np.empty(values.size, dtype=int)
    found[order] = np.arange(values.size)
    return found.reshape(values.shape)


def areas(
    score: Score,
    pixels: Float[Tensor, "T 3 S S"],
    rank: Int[np.ndarray, "T h w"],
    ends: tuple[float, float],
    steps: int = STEPS,
) -> tuple[float, float]:
    """Return (deletion, insertion) of the patches, lowest rank first.

    ends: the scores of the whole video and of the video without any patch.
    """
    cuts = np.unique(np.linspace(0, rank.size, steps + 1).round())
    first = rank < cuts[1:-1, None, None, None]
    falling, rising = np.split(score(masked(pixels, np.concatenate([~first, first]))), 2)
    whole, nothing = ends
    share = cuts / rank.size
    deletion = np.trapezoid([whole, *falling, nothing], share)
    return float(deletion), float(np.trapezoid([nothing, *rising, whole], share))


def masked(
    pixels: Float[Tensor, "T 3 S S"], shown: Bool[np.ndarray, "N T h w"]
) -> Float[Tensor, "N T 3 S S"]:
    """Return versions of a video in which all patches that are not `shown` have the video's mean colour."""
    where = F.interpolate(torch.from_numpy(shown).float(), size=pixels.shape[-2:])[:, :, None] > 0
    return torch.where(where.to(pixels.device), pixels, pixels.mean((0, 2, 3), keepdim=True))


def _beside(random: Float[np.ndarray, "draws 2"], deletion: float, insertion: float) -> Faithfulness:
    low, high = float(random.min()), float(random.max())
    return {
        "deletion": deletion,
        "insertion": insertion,
        "random_deletion": float(random[:, 0].mean()),
        "random_insertion": float(random[:, 1].mean()),
        "random_range": (low, high),
        "better": deletion < low and insertion > high,
    }
