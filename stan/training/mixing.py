"""A batch of clips with classes in; the same with each clip blended with another, and both classes, out."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stan.config import TrainConfig
from stan.data.loader import Batch


def mixed(batch: Batch, recipe: TrainConfig, seed: int) -> Batch:
    """Return the batch after mixup or cutmix, with `other_label` (B,), the class of what was mixed in, and `share`
    (B,), what remains of each clip. Without either in the recipe, return the batch as it is.

    From X-CLIP's `datasets/blending.py`: one share and one box for all clips and frames of a batch, and each clip's
    partner by a random permutation. Partners are clips of the same process.
    """
    if not (recipe.mixup or recipe.cutmix):
        return batch
    rng = np.random.default_rng(seed)
    pasted = bool(recipe.cutmix) and (not recipe.mixup or rng.random() < 0.5)
    alpha = recipe.cutmix if pasted else recipe.mixup
    kept, partner = float(rng.beta(alpha, alpha)), torch.from_numpy(rng.permutation(len(batch["label"])))
    if pasted:
        video, kept = cutmix(batch["video"], partner, kept, rng)
    else:
        video = kept * batch["video"] + (1 - kept) * batch["video"][partner]
    return batch | {
        "video": video,
        "other_label": batch["label"][partner],
        "share": torch.full((len(video),), kept, device=video.device),
    }


def cutmix(
    video: Float[Tensor, "B T 3 S S"], partner: Tensor, kept: float, rng: np.random.Generator
) -> tuple[Float[Tensor, "B T 3 S S"], float]:
    """Return the clips with a box of their partners, and the share of the picture outside of it.

    The box has the frame's shape, an area of `1 - kept` and a random centre; what lies outside the frame is cut off.
    """
    limits = []
    for side in video.shape[-2:]:
        half, centre = int(side * (1 - kept) ** 0.5) // 2, int(rng.integers(side))
        limits.append((max(0, centre - half), min(side, centre + half)))
    (top, bottom), (left, right) = limits
    video = video.clone()
    video[..., top:bottom, left:right] = video[partner][..., top:bottom, left:right]
    return video, 1 - (bottom - top) * (right - left) / (video.shape[-2] * video.shape[-1])
