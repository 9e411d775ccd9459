"""A CLIP in, what a linear probe reads off the CLS and patch tokens of each level out.

The probe is a ridge regression that is fitted on half of the pictures. A quarter of the pictures chooses the best of a
few ridges, and the score is taken on the last quarter: 1 means that a target can be read off linearly, 0 that it
cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from stan.data.video.transforms import evaluation
from stan.data.world.known_stills import KnownStills, arrows
from stan.models.clip import Clip

STILLS = 4000
RIDGES = (1.0, 10.0, 100.0, 1000.0, 10000.0)
TARGETS = ("x", "y", "size", "turn")
SEED = 7
"""Of the stills."""
AT_ONCE = 500
"""Pictures that go through a block together."""


def place(clip: Clip, device: torch.device, stills: int = STILLS) -> dict[str, dict[str, list[float]]]:
    """Return R2 by tokens ("cls", "patches") and target: one number per level, the input of block 0 first."""
    known = arrows(stills, SEED)
    wanted = torch.as_tensor(np.concatenate(list(known.numbers.values()), 1), device=device)
    images = torch.as_tensor(evaluation(clip.pixels)(known.pictures))
    found: dict[str, list[np.ndarray]] = {"cls": [], "patches": []}
    for level in levels(clip, images, device):
        found["cls"].append(_scores(clip.visual.cls(level), wanted))
        found["patches"].append(_scores(clip.visual.patches(level).flatten(1), wanted))
    return {tokens: _by_target(scores) for tokens, scores in found.items()}


@torch.no_grad()
def levels(
    clip: Clip, images: Float[Tensor, "N 3 S S"], device: torch.device
) -> Iterator[Float[Tensor, "N tokens D"]]:
    """Yield the tokens of each level, the input of block 0 first. Only one level is held at a time."""
    level = torch.cat([clip.embed(part.to(device)) for part in images.split(AT_ONCE)])
    yield level
    for i, block in enumerate(clip.blocks):
        level = torch.cat([clip.visual.after(i, block(part)) for part in level.split(AT_ONCE)])
        yield level


def of_known(features: Float[Tensor, "N F"], known: KnownStills) -> dict[str, float]:
    """Return the score of everything that is known of the stills, as a ridge regression reads it off the features.

    A number's score is R2. A kind is read off as the largest of its one-hot values, and its score is accuracy, scaled
    so that 0 is that of always naming the most frequent kind and 1 is perfect.
    """
    prepared = _prepared(features)
    scores = {}
    for name, values in known.numbers.items():
        wanted = torch.as_tensor(values, device=features.device).double()
        scores[name] = _best(prepared, wanted, wanted, r2)
    for name, indices in known.classes.items():
        index = torch.as_tensor(indices, device=features.device)
        scores[name] = _best(prepared, F.one_hot(index).double(), index, above_chance)
    return scores


def r2(predicted: Float[Tensor, "N k"], wanted: Float[Tensor, "N k"]) -> float:
    """Return the share of the variance that is explained, in the mean over the k values."""
    return _r2(predicted, wanted).mean().item()


def above_chance(predicted: Float[Tensor, "N kinds"], wanted: Int[Tensor, " N"]) -> float:
    """Return the accuracy of naming the kind with the largest value: 0 for the most frequent kind's, 1 if perfect."""
    right = (predicted.argmax(1) == wanted).double().mean().item()
    chance = wanted.bincount().max().item() / len(wanted)
    return (right - chance) / (1 - chance)


def parts(rows: Tensor) -> tuple[Tensor, ...]:
    """Return the half that fits a probe, the quarter that chooses its settings, and the quarter for its score."""
    return rows.tensor_split([len(rows) // 2, 3 * len(rows) // 4])


def _best(
    prepared: Float[Tensor, "N F"],
    targets: Float[Tensor, "N k"],
    wanted: Tensor,
    score: Callable[[Tensor, Tensor], float],
) -> float:
    """Return the score, on the last quarter, of the ridge that is best on the quarter before."""
    fit, choose, test = parts(prepared)
    middle = parts(targets)[0].mean(0)
    _, of_choose, of_test = parts(wanted)
    solved = _regressions(fit, parts(targets)[0] - middle)
    best = max(solved, key=lambda w: score(choose @ w + middle, of_choose))
    return score(test @ best + middle, of_test)


def _prepared(features: Float[Tensor, "N F"]) -> Float[Tensor, "N 1+F"]:
    features = (features - features.mean(0)) / (features.std(0) + 1e-6)
    return torch.cat([features, torch.ones_like(features[:, :1])], 1).double()


def _scores(features: Tensor, targets: Tensor) -> np.ndarray:
    """Return R2 of x, y, size and turn (the mean over sine and cosine) on pictures that the probe was not fitted on."""
    fit, choose, test = parts(_prepared(features))
    y_fit, y_choose, y_test = parts(targets.double())
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
