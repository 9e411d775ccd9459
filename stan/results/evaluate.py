"""A stored run in; a new evaluation of its weights out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from stan import results
from stan.config import Experiment
from stan.data.datasets import task as task_of
from stan.evaluation.measure import measure
from stan.evaluation.splits import open_split
from stan.evaluation.test_time import check_tricks, description, views_of
from stan.models.dual_encoder import DualEncoder
from stan.models.factory import load_model
from stan.results.archive import archive_of


def evaluate(
    run: str | Path, split: str = "test", test_time: Iterable[str] = (), worlds_root: str | Path = "worlds"
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Measure the weights that a stored run tested again; return (evaluation, arrays of per-query ranks).

    evaluation: run, split, task, headline, test_time, tricks, warnings, metrics, and with tricks also "plain", the
    metrics without them. Nothing is written to the run. Raises ValueError for a run without weights, and for tricks
    that are unknown or don't suit its task.
    """
    test_time = tuple(test_time)
    model, experiment = stored(run, test_time)
    places = (worlds_root, Path(run).resolve().parents[2])
    loader = open_split(experiment, model, split, *places, views=views_of(test_time))
    bank = open_split(experiment, model, "train", *places) if "qbnorm" in test_time else None
    measured = measure(model, loader, test_time, bank=bank)
    found = {"run": experiment.id, "split": split} | description(loader.videos.task, test_time)
    found["metrics"] = measured.metrics
    if test_time:
        found["plain"] = measure(model, open_split(experiment, model, split, *places)).metrics
    return found, measured.arrays


def stored(run: str | Path, test_time: Iterable[str] = ()) -> tuple[DualEncoder, Experiment]:
    """Return a run's model (with the weights that it tested) and its experiment.

    Raises ValueError for a folder that holds no run, for a run in an archive, which holds no weights, and for tricks
    that are unknown or don't suit its task.
    """
    record = results.read(run)
    if record["experiment"] is None:
        raise ValueError(f"{run} is no run: {record['reason']}; give the folder of a finished one")
    if (archive := archive_of(Path(run))) is not None:
        command = record["run"].get("command", "stan train")
        raise ValueError(
            f"{record['id']} lies in {archive}, and archives hold no weights: give a run's folder, or train it again as"
            f" it was made: {command}"
        )
    check_tricks(test_time, task_of(record["experiment"].data.suite))
    return load_model(run), record["experiment"]
