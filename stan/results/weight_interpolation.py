"""A stored run in; what it finds with CLIP's weights moved back towards those that they started from, out.

As trained, a model is best on videos like those of its training. On the way back to CLIP's own weights, what was
learned fades, and what was forgotten returns: concepts that no training video shows, and stills, as CLIP learned them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stan.common.files import write_json
from stan.common.json_values import plain
from stan.common.tensors import numel
from stan.config import DataConfig, Experiment
from stan.data.datasets import task as task_of
from stan.data.world.suites import SUITES
from stan.evaluation import metrics, still_retrieval
from stan.evaluation.measure import measure
from stan.evaluation.splits import open_split
from stan.models.dual_encoder import DualEncoder
from stan.models.weight_interpolation import changed, distance, moved_back, require_share, started_from
from stan.results.evaluate import stored
from stan.results.interpolated import SHARES, STILLS, VIDEOS, Measured, lines
from stan.results.record_files import INTERPOLATION

Arrays = Mapping[str, np.ndarray]


def interpolate(
    run: str | Path,
    split: str = "test",
    worlds_root: str | Path = "worlds",
    shares: Iterable[float] = SHARES,
    also: Sequence[tuple[str, str | None]] = (),
) -> dict[str, Any]:
    """Measure a run with each of `shares` of the weights that its CLIP started from; 0 is the model as it was trained.

    What the temporal method adds to CLIP stays as trained. Measured are the videos of the run's split, in the embedded
    world unseen stills (`stan.evaluation.still_retrieval`), and the test split of each set in `also`: a suite and, for
    a real data set, its folder. It is read as the run's own set is, with as many frames and words.

    Returns {"run", "split", "moved": {"parameters", "distance"}, "lines": `lines`, "measured": `Measured` by set}.
    distance: length of the way back, as a share of the length of the weights that CLIP started from. Nothing is written
    to the run. Raises ValueError as `evaluate` does, for a share outside 0 to 1, and for a run whose CLIP wasn't
    trained or started from random weights.
    """
    shares = sorted({0.0, *shares})
    for share in shares:
        require_share(share)
    model, experiment = stored(run)
    start = changed(model.clip, started_from(experiment))
    if not start:
        raise ValueError(f"{run} has CLIP's own weights: no training changed them, so there is no way back")
    sets = _sets(model, experiment, split, (worlds_root, Path(run).resolve().parents[2]), also)
    found: dict[str, list[Arrays]] = {name: [] for name in sets}
    for share in shares:
        with moved_back(model.clip, start, share):
            for name, (_, measured) in sets.items():
                found[name].append(measured(model))
    measured = {name: _measured(sets[name][0], shares, each) for name, each in found.items()}
    return {
        "run": experiment.id,
        "split": split,
        "moved": {"parameters": numel(start.values()), "distance": distance(model.clip, start)},
        "lines": [line for name, one in measured.items() for line in lines(name, [one])],
        "measured": measured,
    }


def keep(run: str | Path, found: Mapping[str, Any]) -> bool:
    """Write the result beside the run's record, where report and dashboard find it, and tell whether it was written.

    Only one of the test split with SHARES is written, because only these can be averaged over seeds.
    """
    if found["split"] != "test" or list(found["measured"][VIDEOS]["shares"]) != list(SHARES):
        return False
    write_json(Path(run) / INTERPOLATION, plain(found))
    return True


def _sets(
    model: DualEncoder,
    experiment: Experiment,
    split: str,
    roots: tuple[str | Path, str | Path],
    also: Sequence[tuple[str, str | None]],
) -> dict[str, tuple[str, Callable[[DualEncoder], Arrays]]]:
    """Return, by the set's name, its headline and what measures a model on it."""

    def videos(data: DataConfig, split: str) -> tuple[str, Callable[[DualEncoder], Arrays]]:
        loader = open_split(replace(experiment, data=data), model, split, *roots)
        return metrics.HEADLINE[task_of(data.suite)], lambda model: measure(model, loader).arrays

    sets = {VIDEOS: videos(experiment.data, split)}
    if experiment.data.suite in SUITES:
        stills = still_retrieval.unseen_stills(model.clip)
        sets[STILLS] = metrics.HEADLINE["retrieval"], lambda model: still_retrieval.retrieve(model, *stills)
    others = (replace(experiment.data, suite=suite, root=root) for suite, root in also)
    return sets | {data.suite: videos(data, "test") for data in others}


def _measured(metric: str, shares: Sequence[float], each: Sequence[Arrays]) -> Measured:
    ids, ranks = ("query_ids", "t2v") if metric.startswith("t2v") else ("video_ids", "ranks")
    kept = {name: each[0][name].tolist() for name in (ids, "seen") if name in each[0]}
    return {"metric": metric, "shares": shares, **kept, ranks: [one[ranks].tolist() for one in each]}
