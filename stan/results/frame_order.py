"""A stored run in; its scores with frames shuffled, reversed, frozen or left out, out. They show whether time matters.

Cached levels are just taken in another order: a frozen image tower sees each frame by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stan import results
from stan.common.files import write_json
from stan.common.json_values import plain
from stan.evaluation import statistics
from stan.evaluation.frame_order import AS_GIVEN, arrangements
from stan.evaluation.measure import Measured, measure
from stan.evaluation.splits import open_split
from stan.evaluation.test_time import description, views_of
from stan.results.evaluate import stored
from stan.results.record_files import PROBE


def probe(
    run: str | Path,
    split: str = "test",
    worlds_root: str | Path = "worlds",
    test_time: Iterable[str] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """Measure a run's weights on each of `arrangements`, and compare each, paired by query, with the frames as given.

    Returns {"run", "split", "task", "headline", ..., "seed", "arrangements": one item each with "arrangement",
    "frames", "value" and "value_interval" of the headline, "change", "interval", "won", "lost", "p", "order" (None if
    there are no twins) and all "metrics", "queries": one item per query with its rank in each arrangement}. `seed`: of
    the shuffling. Nothing is written to the run. Raises ValueError as `evaluate` does, and for `qbnorm`.
    """
    test_time = tuple(test_time)
    if "qbnorm" in test_time:
        raise ValueError("the time probe can't take qbnorm: its bank has no frames to rearrange")
    model, experiment = stored(run, test_time)
    roots = (worlds_root, Path(run).resolve().parents[2])
    loader = open_split(experiment, model, split, *roots, views=views_of(test_time))
    orders = arrangements(loader.frames, len(loader), seed)
    measured = {name: measure(model, loader.arranged(order), test_time) for name, order in orders.items()}
    said = description(loader.videos.task, test_time)
    rows = [
        {"arrangement": name, "frames": orders[name].shape[1]}
        | _compared(measured[AS_GIVEN], one, said["headline"])
        for name, one in measured.items()
    ]
    return {
        "run": experiment.id,
        "split": split,
        **said,
        "seed": seed,
        "arrangements": rows,
        "queries": _queries(measured, loader.videos.task),
    }


def keep(run: str | Path, probed: Mapping[str, Any]) -> bool:
    """Write a probe beside the run's record, where report and dashboard find it, and tell whether it was written.

    Only a probe of the test split without test-time tricks is written, because only these can be compared across runs.
    The record stays as it is.
    """
    if probed["split"] != "test" or probed["test_time"]:
        return False
    write_json(Path(run) / PROBE, plain(probed))
    return True


def _compared(given: Measured, changed: Measured, metric: str) -> dict[str, Any]:
    (_, before), (_, after) = (results.query_values(one.arrays, metric) for one in (given, changed))
    value, *interval = statistics.bootstrap(after)
    change = statistics.paired(before, after)
    order = changed.metrics.get("order", {})
    return {
        "value": value,
        "value_interval": interval,
        "change": change.change,
        "interval": [change.low, change.high],
        "won": change.won,
        "lost": change.lost,
        "p": change.p,
        "order": order.get("accuracy"),
        "metrics": changed.metrics,
    }


def _queries(measured: dict[str, Measured], task: str) -> list[dict[str, Any]]:
    ids, ranks = ("query_ids", "t2v") if task == "retrieval" else ("video_ids", "ranks")
    by_name = {name: one.arrays[ranks] for name, one in measured.items()}
    names = measured[AS_GIVEN].arrays[ids]
    return [{"query": name} | {k: v[i] for k, v in by_name.items()} for i, name in enumerate(names)]
