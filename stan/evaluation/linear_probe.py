"""A CLIP in, what a linear probe reads off the CLS and patch tokens of each level out: a shape's place, size and turn.

The probe is a ridge regression that is fitted on half of the pictures. A quarter of the pictures chooses the best of a
few ridges, and the score is R2 on the last quarter. 1 means that a target can be read off linearly, 0 that it cannot.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stan.data.video.transforms import evaluation
from stan.data.world.concepts import ALL, RGB
from stan.data.world.motions import Appearance
from stan.data.world.render import HEIGHT, WIDTH, Scene, render
from stan.data.world.stills import scatter
from stan.data.world.suites import draw_background
from stan.models.clip import Clip

STILLS = 4000
RIDGES = (1.0, 10.0, 100.0, 1000.0, 10000.0)
TARGETS = ("x", "y", "size", "turn")


def place(
    clip: Clip, device: torch.device, stills: int = STILLS, seed: int = 7
) -> dict[str, dict[str, list[float]]]:
    """Return R2 by tokens ("cls", "patches") and target: one number per level, the input of block 0 first."""
    pictures, targets = _single_shapes(stills, seed)
    levels = _levels(clip, torch.as_tensor(evaluation(clip.pixels)(pictures)), device)
    wanted = torch.as_tensor(targets, device=device)
    return {
        "cls": _by_target([_scores(clip.visual.cls(level), wanted) for level in levels]),
        "patches": _by_target([_scores(clip.visual.patches(level).flatten(1), wanted) for level in levels]),
    }


def _single_shapes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures of one arrow each, and targets (count, 5): x, y, radius, sine and cosine of the arrow's angle.

    x and y are offsets from the picture's centre; they and the radius are shares of the picture's height.
    """
    rng = np.random.default_rng(seed)
    pictures, targets = [], []
    for _ in range(count):
        look = Appearance(str(rng.choice(list(RGB))), "arrow")
        (track,) = scatter([look], rng)
        pictures.append(render(Scene(draw_background(str(rng.choice(ALL.backgrounds)), rng, 1), (track,)))[0])
        x, y = (track.x[0] - WIDTH / 2) / HEIGHT, (track.y[0] - HEIGHT / 2) / HEIGHT
        targets.append([x, y, track.radius[0] / HEIGHT, np.sin(track.angle[0]), np.cos(track.angle[0])])
    return np.stack(pictures), np.array(targets, np.float32)


@torch.no_grad()
def _levels(clip: Clip, images: Tensor, device: torch.device) -> list[Tensor]:
    """Return the tokens (N, S, D) of each level, the input of block 0 first."""
    chunks = []
    for part in images.split(500):
        x = clip.embed(part.to(device))
        levels = [x]
        for block in clip.blocks:
            levels.append(block(levels[-1]))
        chunks.append(levels)
    return [torch.cat(parts) for parts in zip(*chunks, strict=True)]


def _scores(features: Tensor, targets: Tensor) -> np.ndarray:
    """Return R2 of x, y, size and turn (the mean over sine and cosine) on pictures that the probe was not fitted on."""
    features = (features - features.mean(0)) / (features.std(0) + 1e-6)
    features = torch.cat([features, torch.ones_like(features[:, :1])], 1).double()
    targets = targets.double()
    fit, choose, test = features.tensor_split([len(features) // 2, 3 * len(features) // 4])
    y_fit, y_choose, y_test = targets.tensor_split([len(features) // 2, 3 * len(features) // 4])
    best = max(_regressions(fit, y_fit), key=lambda w: _r2(choose @ w, y_choose).mean().item())
    x, y, size, sine, cosine = _r2(test @ best, y_test).tolist()
    return np.array([x, y, size, (sine + cosine) / 2])


def _regressions(features: Tensor, targets: Tensor) -> list[Tensor]:
    """Return each ridge's weights. The smaller system is solved: of features, or of pictures if these are fewer."""
    pictures, width = features.shape
    few = pictures < width
    gram = features @ features.T if few else features.T @ features
    right = targets if few else features.T @ targets
    eye = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    solved = [torch.linalg.solve(gram + ridge * eye, right) for ridge in RIDGES]
    return [features.T @ one for one in solved] if few else solved


def _r2(predicted: Tensor, wanted: Tensor) -> Tensor:
    return 1 - ((predicted - wanted) ** 2).sum(0) / ((wanted - wanted.mean(0)) ** 2).sum(0)


def _by_target(scores: list[np.ndarray]) -> dict[str, list[float]]:
    return {name: [round(float(s[i]), 3) for s in scores] for i, name in enumerate(TARGETS)}
