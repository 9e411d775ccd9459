"""A stored run in; what it scores when its frames are shuffled, reversed, frozen or left out, out: does time matter?

Where levels are cached, the cached frames are taken in another order: a frozen image tower sees each by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from stan import results
from stan.common.files import write_json
from stan.data.video.sampling import segments
from stan.evaluation import statistics
from stan.evaluation.measure import Measured, description, measure, open_split, stored, views_of
from stan.results.reader import PROBE

AS_GIVEN = "as given"


def probe(
    run: str | Path,
    split: str = "test",
    worlds_root: str | Path = "worlds",
    test_time: Iterable[str] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """Measures a run's weights on every one of `arrangements`, each paired with the frames as given.

    {"run", "split", "task", "headline", ..., "frames", "seed", "arrangements": one item each with "arrangement",
    "frames", "value" and "value_interval" of the headline, "change", "interval", "won", "lost", "p", "order" (None
    where there are no twins) and all "metrics", "queries": one item per query with its rank by arrangement}.
    `seed`: of the shuffling. Nothing is written to the run. Raises ValueError as `evaluate` does, and for `qbnorm`.
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
    """Writes a probe beside the run's record, where report and dashboard find it; the record stays as it is.

    Kept, and True, is only what can be compared across runs: of the test split, with no test-time tricks.
    """
    if probed["split"] != "test" or probed["test_time"]:
        return False
    write_json(Path(run) / PROBE, json.loads(json.dumps(probed, default=float)))
    return True


def arrangements(frames: int, clips: int, seed: int = 0) -> dict[str, Int[np.ndarray, "clips n"]]:
    """Which frames each clip shows, in which order, by name: as given, shuffled (each clip in its own way), reversed,
    frozen to the middle one, and 1, 2, 4, ... of them, one from the centre of each of as many segments.
    """
    given = np.tile(np.arange(frames), (clips, 1))
    middle = segments(frames, 1)
    orders = {
        AS_GIVEN: given,
        "shuffled": np.random.default_rng(seed).permuted(given, axis=1),
        "reversed": given[:, ::-1],
        "frozen": np.broadcast_to(middle, given.shape),
    }
    counts = [2**k for k in range(frames.bit_length()) if 2**k < frames]
    fewer = {f"{n} frame{'s' * (n > 1)}": np.tile(segments(frames, n), (clips, 1)) for n in counts}
    return orders | fewer


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
