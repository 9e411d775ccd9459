"""A model and captioned clips in; how faithful every map is over all of them, and how much of it is on objects, out.

Only the embedded world knows where its objects are. For other data, the share on the objects is None.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float

from stan.data import datasets
from stan.data.video import sampling
from stan.data.video.transforms import evaluation
from stan.data.world import suites
from stan.data.world.render import cover
from stan.data.world.writer import MARKER
from stan.evaluation import statistics
from stan.explain.explanation import Map, explain_pixels
from stan.explain.faithfulness import BASELINE, DRAWS, STEPS

if TYPE_CHECKING:
    from stan.models.dual_encoder import DualEncoder

RAW = "attention-clip"
"""Raw attention is what people look at if there is nothing better, so the other maps are compared with it."""


def faithfulness_study(
    model: DualEncoder,
    data: str,
    split: str = "test",
    clips: int = 100,
    *,
    steps: int = STEPS,
    draws: int = DRAWS,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Test every map on `clips` clips drawn from a split (all if it has fewer), each with its own first caption.

    Returns {"data", "split", "clips", "steps", "draws", "seed", "baseline", "random": {"deletion", "insertion"},
    "area": the share of the picture that objects cover, "rows": one per map}. A row has "map", "is_explanation", the
    mean "deletion" and "insertion", "better": the share of clips on which the map passes its own test,
    "deletion_change" and "insertion_change" against random maps, "inside": the mean share of the map on the objects,
    "inside_change" against the area, and, if there is raw attention, "inside_against_attention". Changes are paired
    over clips, with 95 % intervals (`statistics.Change`).
    data: as in `stan.data.datasets.load`.
    progress: `progress(done, total)` counts clips.
    Raises ValueError for data without captions or with fewer than two clips, and as `explain` does.
    """
    videos = datasets.load(data, split)
    if videos.task != "retrieval" or len(videos.clips) < 2:
        raise ValueError(f"{data}, {split}: maps are tested on at least two clips with captions")
    drawn = np.sort(np.random.default_rng(seed).permutation(len(videos.clips))[:clips])
    covered = object_covers(Path(data.partition(":")[2]))
    found: list[dict[str, Map]] = []
    covers: list[np.ndarray] = []
    for done, clip in enumerate((videos.clips[i] for i in drawn), 1):
        pixels, _ = model.decode(clip.path)
        maps, _ = explain_pixels(model, pixels, clip.captions[0], steps=steps, draws=draws, seed=seed + done)
        found.append(maps)
        if covered is not None:
            covers.append(covered(clip.id, model))
        progress(done, len(drawn))
    settings = {"steps": steps, "draws": draws, "seed": seed, "baseline": BASELINE}
    return {"data": data, "split": split, "clips": len(found), **settings, **summary(found, covers)}


def object_covers(
    root: Path,
) -> Callable[[str, DualEncoder], Float[np.ndarray, "T h w"]] | None:
    """Return a function that tells how much of each patch of a clip, as a model reads it, is covered by objects.

    Return None if `root` is no folder of the embedded world.
    """
    marker = root / MARKER
    if not marker.is_file():
        return None
    made = json.loads(marker.read_text())
    plans = {plan.id: plan for plan in suites.plans(made["suite"], made["size"], made["seed"])}

    def covers(id: str, model: DualEncoder) -> Float[np.ndarray, "T h w"]:
        whole = np.concatenate([cover(scene) for scene in plans[id].scenes()])
        frames = whole[sampling.segments(len(whole), model.frames)]
        pictures = np.repeat((255 * frames).round().astype(np.uint8)[..., None], 3, axis=3)
        plain = replace(
            model.clip.pixels, mean=(0, 0, 0), std=(1, 1, 1), fill_color=0
        )  # padding is no object
        seen = torch.from_numpy(evaluation(plain)(pictures)[:, 0])
        return F.adaptive_avg_pool2d(seen, model.clip.grid).numpy()

    return covers


def inside(values: Float[np.ndarray, "T h w"], covered: Float[np.ndarray, "T h w"]) -> float:
    """Return the share of a map that lies on objects. A map without any value counts as an even one."""
    total = values.sum()
    return float((values * covered).sum() / total) if total > 0 else float(covered.mean())


def summary(found: list[dict[str, Map]], covers: list[Float[np.ndarray, "T h w"]]) -> dict[str, Any]:
    """Return "random", "area" and "rows" of `faithfulness_study`, from every clip's maps and, if known, covers."""
    by_map = {name: [maps[name] for maps in found] for name in found[0]}
    first = next(iter(by_map.values()))
    random = {kind: _areas(first, f"random_{kind}").mean() for kind in ("deletion", "insertion")}
    rows = {name: _tested(name, maps) for name, maps in by_map.items()}
    if not covers:
        return {"random": random, "area": None, "rows": list(rows.values())}
    area = np.array([covered.mean() for covered in covers])
    shares = {
        name: np.array([inside(one.values, covered) for one, covered in zip(maps, covers, strict=True)])
        for name, maps in by_map.items()
    }
    for name, row in rows.items():
        row["inside"] = shares[name].mean()
        row["inside_change"] = asdict(statistics.paired(area, shares[name]))
        if RAW in shares:
            row["inside_against_attention"] = asdict(statistics.paired(shares[RAW], shares[name]))
    return {"random": random, "area": area.mean(), "rows": list(rows.values())}


def _tested(name: str, maps: list[Map]) -> dict[str, Any]:
    row: dict[str, Any] = {"map": name, "is_explanation": maps[0].is_explanation}
    for kind in ("deletion", "insertion"):
        own, random = _areas(maps, kind), _areas(maps, f"random_{kind}")
        change = statistics.paired(random, own, higher_is_better=kind == "insertion")
        row |= {kind: own.mean(), f"{kind}_change": asdict(change)}
    return row | {"better": _areas(maps, "better").mean(), "inside": None}


def _areas(maps: list[Map], key: str) -> Float[np.ndarray, " clips"]:
    tested: list[Mapping[str, object]] = [one.faithfulness for one in maps]
    return np.array([areas[key] for areas in tested], dtype=float)
