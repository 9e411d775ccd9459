"""A number of runs in; run folders in the record's format out, with made-up numbers, to time pages without training."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from stan.config import DataConfig, Experiment, ModelConfig, to_dict
from stan.results.record_files import BEST

QUALITY = {
    "baseline": 0.30,
    "posterior": 0.44,
    "branch": 0.46,
    "no-cross-frame": 0.33,
    "no-intra-frame": 0.40,
    "stan": 0.52,
    "stan+testing": 0.54,
}
"""For each row, the share of queries for which the made-up model ranks the right item first."""

KINDS = ("rises", "grows", "appears", "approaches", "covers")
START = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)


def experiment(row: str, seed: int, suite: str = "retrieval", study: str = "components") -> Experiment:
    temporal = "mean" if row == "baseline" else "stan"
    trick = ("dsl",) if row == "stan+testing" else ()
    options = {} if row == "baseline" else {"variant": row}
    return Experiment(
        study,
        row,
        DataConfig(suite=suite),
        ModelConfig(temporal=temporal, options=options),
        seed=seed,
        test_time=trick,
    )


def write_many(root: Path, count: int = 5000) -> Path:
    """Write `count` done runs and return `root`.

    There are three seeds of every row, in two suites of as many studies as needed.
    """
    places = ((f"trial-{n:03}", suite) for n in itertools.count() for suite in ("retrieval", "motions"))
    runs = (
        experiment(row, seed, suite, study) for study, suite in places for row in QUALITY for seed in range(3)
    )
    for wanted in itertools.islice(runs, count):
        write_run(root, wanted, queries=40)
    return root


def write_run(root: Path, wanted: Experiment, queries: int) -> Path:
    """Write the folder of one done run, which was tested with so many queries."""
    folder = root / wanted.id
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(to_dict(wanted)))
    (folder / "run.json").write_text(json.dumps(_provenance(wanted)))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in _log(wanted)))
    arrays = _arrays(wanted, queries)
    np.savez(folder / "ranks.npz", **arrays)  # ty: ignore[invalid-argument-type]  # no array is called allow_pickle
    (folder / "eval.json").write_text(json.dumps(_evaluation(wanted, arrays)))
    return folder


def _provenance(wanted: Experiment) -> dict:
    end = START + timedelta(seconds=62)
    return {
        "status": "done",
        "start": START.isoformat(),
        "end": end.isoformat(),
        "heartbeat": end.isoformat(),
        "seconds": 62.0,
        "command": f"stan train --study {wanted.study} --row {wanted.row} --seed {wanted.seed}",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": None,
        "packages": {"torch": "2.13.0"},
        "host": "a1b2c3d4",
        "machine": "a CPU, 2 cores",
        "device": "cpu",
        "data_hash": "d" * 10,
        "checkpoint_hash": "c" * 10,
        "threads": 1,
        "peak_memory_mb": 812.0,
        "shipped": False,
        "error": None,
        "same_as": None,
    }


def _log(wanted: Experiment) -> list[dict]:
    lines = []
    for epoch in range(wanted.train.epochs):
        fraction = (epoch + 1) / wanted.train.epochs
        for step in range(5):
            where = epoch + step / 5
            lines.append(
                {
                    "step": epoch * 5 + step + 1,
                    "epoch": epoch,
                    "loss": 8 * np.exp(-where / 4) + 0.5,
                    "lr": 1e-3 * (1 - fraction),
                    "clips_per_second": 410.0,
                    "time": 5.0 * where,
                }
            )
        value = 100 * QUALITY[wanted.row] * (1 - np.exp(-3 * fraction))
        measured = {"top-1": value} if _headline(wanted) == "top-1" else {"t2v": {"R@1": value}}
        lines.append({"epoch": epoch, "validation": measured})
    return lines


def _headline(wanted: Experiment) -> str:
    return "top-1" if wanted.data.suite in ("scenes", "motions") else "t2v.R@1"


def _arrays(wanted: Experiment, queries: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([wanted.seed, 7])
    draw, order = rng.random(queries), rng.random(40)
    quality = QUALITY[wanted.row]
    ranks = np.where(draw < quality, 1.0, 2.0 + np.floor(20 * (draw - quality)))
    right = np.arange(40) % 2 == 0 if wanted.row == "baseline" else order < 0.4 + quality
    ids = np.array([f"video{i}" for i in range(queries)])
    arrays = {
        "order_ids": ids[:40],
        "order_correct": right.astype(np.int64),
        "order_seen": np.arange(40) % 2 == 0,
        "order_kinds": np.array([KINDS[i % len(KINDS)] for i in range(40)]),
        "seen": np.arange(queries) % 2 == 0,
    }
    own = np.arange(queries)
    if _headline(wanted) == "top-1":
        told = {
            "classes": np.array(KINDS),
            "labels": own % len(KINDS),
            "answers": _answers(own % len(KINDS), ranks, len(KINDS)),
        }
        return arrays | told | {"video_ids": ids, "ranks": ranks}
    captions = np.array([f"thing {i} {KINDS[i % len(KINDS)]}" for i in range(queries)])
    told = {"captions": captions, "owner": own, "answers": _answers(own, ranks, queries)}
    return arrays | told | {"query_ids": ids, "t2v": ranks, "video_ids": ids, "v2t": ranks[::-1].copy()}


def _answers(own: np.ndarray, ranks: np.ndarray, candidates: int) -> np.ndarray:
    """Return the five highest-ranked candidates (queries, 5): the right one comes first if its rank is 1.

    Otherwise they are the next five candidates by number, after the last of which comes the first.
    """
    others = (own[:, None] + np.arange(1, 6)) % candidates
    return np.where(ranks[:, None] == 1, np.column_stack([own, others[:, :4]]), others)


def _recalls(ranks: np.ndarray) -> dict[str, float]:
    recalls = {f"R@{k}": float(100 * np.mean(ranks <= k)) for k in (1, 5, 10)}
    return recalls | {"MdR": float(np.median(ranks)), "MnR": float(ranks.mean()), "N": len(ranks)}


def _scores(arrays: dict[str, np.ndarray], chosen: np.ndarray) -> dict:
    right = arrays["order_correct"][chosen[: len(arrays["order_correct"])]]
    order = {"order": {"accuracy": float(100 * right.mean()), "N": len(right)}}
    if "ranks" in arrays:
        ranks = arrays["ranks"][chosen]
        return order | {
            "top-1": float(100 * np.mean(ranks <= 1)),
            "top-5": float(100 * np.mean(ranks <= 5)),
            "N": len(ranks),
        }
    return order | {"t2v": _recalls(arrays["t2v"][chosen]), "v2t": _recalls(arrays["v2t"][chosen])}


def _evaluation(wanted: Experiment, arrays: dict[str, np.ndarray]) -> dict:
    everything = np.ones(len(arrays["seen"]), bool)
    metrics = _scores(arrays, everything) | {
        "seen": _scores(arrays, arrays["seen"]),
        "unseen": _scores(arrays, ~arrays["seen"]),
    }
    return {
        "split": "test",
        "task": "recognition" if "ranks" in arrays else "retrieval",
        "headline": _headline(wanted),
        "test_time": list(wanted.test_time),
        "selected": BEST,
        "epoch": 9,
        "metrics": metrics,
        "last": metrics,
        "validation": metrics,
        "lr": {
            "lr": 1e-3,
            "tried": {"0.0003": 30.0, "0.001": 40.0, "0.003": 35.0},
            "chosen_on": "validation, seed 0",
        },
    }
