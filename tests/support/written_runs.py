"""Made-up ranks in, run folders written by `RunWriter` itself out."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np

from stan import results
from stan.config import DataConfig, Experiment
from stan.evaluation import metrics

QUERIES = 40
EXPERIMENT = Experiment("components", "stan", DataConfig(suite="retrieval"))


def arrays(places: np.ndarray | None = None) -> dict[str, np.ndarray]:
    places = np.arange(1.0, QUERIES + 1) if places is None else places
    ids = np.array([f"q{i:02}" for i in range(len(places))])
    return {
        "query_ids": ids,
        "t2v": places,
        "video_ids": ids,
        "v2t": places,
        "order_ids": ids[:10],
        "order_correct": np.arange(10) % 2,
        "order_seen": np.arange(10) < 3,
        "seen": np.arange(len(places)) < len(places) // 2,
    }


def evaluation(places: np.ndarray | None = None, **changed) -> dict:
    kept = arrays(places)
    recall = {"t2v": metrics.recall(kept["t2v"]), "v2t": metrics.recall(kept["v2t"])}
    scores = recall | {"order": {"accuracy": 50.0, "N": 10}}
    whole = {"split": "test", "task": "retrieval", "headline": "t2v.R@1", "test_time": [], "epoch": 3}
    return whole | {"selected": "best on validation", "metrics": scores, "validation": recall} | changed


def logged(root: Path, experiment: Experiment = EXPERIMENT, epochs: int = 2, finished: bool = True) -> Path:
    """A run of three steps an epoch, with made-up losses; if not finished, it ends by Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt), results.RunWriter.start(root, experiment) as run:
        for epoch in range(run.lines // 4, epochs):
            for step in range(3 * epoch + 1, 3 * epoch + 4):
                run.log({"step": step, "epoch": epoch, "loss": 1 / step, "time": 0.5 * step})
            run.log({"epoch": epoch, "validation": {"t2v": {"R@1": 10.0 + epoch}}})
        if not finished:
            raise KeyboardInterrupt
        run.finish(evaluation(), arrays())
    return run.folder


def done(
    root: Path, experiment: Experiment = EXPERIMENT, places: np.ndarray | None = None, **changed
) -> Path:
    with results.RunWriter.start(root, experiment) as run:
        return run.finish(evaluation(places, **changed), arrays(places))
