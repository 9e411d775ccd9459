"""A CLIP in; for each of its levels, what linear and attentive probes read off its tokens out.

A branch that reads several levels gains only if low levels hold what high ones have forgotten, and high ones name what
low ones don't. Probes on stills say so of a tower before any video method is trained on it.
"""

from __future__ import annotations

from typing import Any

import torch

from stan.common.progress import Progress
from stan.data.video.transforms import evaluation
from stan.data.world.known_stills import KINDS
from stan.evaluation import attentive_probe, linear_probe
from stan.evaluation.probe_targets import PROBES, STILLS
from stan.models.clip import Clip


def level_probes(
    clip: Clip,
    device: torch.device,
    stills: int = STILLS,
    attentive: bool = True,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Return one row per level, probe and target: level (0: input of the first block), probe, target, score.

    A score is 0 for what guessing gives and 1 for what is read off without error: R2 of numbers, and accuracy of kinds
    scaled to that (see `linear_probe.of_known`). Numbers of places are shares of the picture's height.
    """
    rows: list[dict[str, Any]] = []
    done = 0
    for place, kind in enumerate(KINDS):
        known = kind(stills, linear_probe.SEED + place)
        images = torch.as_tensor(evaluation(clip.pixels)(known.pictures))
        for number, level in enumerate(linear_probe.levels(clip, images, device)):
            cls, patches = clip.visual.cls(level), clip.visual.patches(level)
            scores = [linear_probe.of_known(cls, known), linear_probe.of_known(patches.flatten(1), known)]
            if attentive:
                scores.append(attentive_probe.of_known(patches, known, clip.heads))
            rows += [
                {"level": number, "probe": probe, "target": target, "score": score}
                for probe, of_target in zip(PROBES, scores, strict=False)
                for target, score in of_target.items()
            ]
            done += 1
            if progress:
                progress(done, len(KINDS) * (clip.layers + 1))
    return sorted(rows, key=lambda row: (PROBES.index(row["probe"]), row["level"]))
