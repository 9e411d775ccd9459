"""A study, or one run of it, in; run folders out whose numbers `stan.bench.fake_runs` makes up, done or not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stan.bench import fake_runs
from stan.bench.fake_runs import QUALITY, experiment
from stan.config import Experiment
from stan.results.interpolated import SHARES
from stan.results.record_files import INTERPOLATION

EPOCHS = 4
"""Of those that a run has behind it while it is running."""


def write_run(
    root: Path, wanted: Experiment, status: str = "done", shipped: bool = False, queries: int = 80
) -> Path:
    """Write one run folder. `status` may also be `died`: the record says running, with a heartbeat three hours ago."""
    folder = fake_runs.write_run(root, wanted, queries)
    if status != "done":
        for name in ("ranks.npz", "eval.json"):
            (folder / name).unlink()
    if status in ("running", "died"):
        log = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
        begun = [line for line in log if json.loads(line)["epoch"] < EPOCHS]
        (folder / "metrics.jsonl").write_text("".join(begun))
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | _told(status) | {"shipped": shipped}))
    return folder


def write_probe(folder: Path) -> None:
    """Write a time probe beside the run; the run's score falls when its frames are reversed."""
    names = ("as given", "reversed", "1 frame")
    lines = [
        {"arrangement": name, "frames": 8, "value": value, "value_interval": [value - 6, value + 6]}
        | {"change": value - 52, "interval": [value - 60, value - 45], "order": None}
        for name, value in zip(names, (52.0, 31.0, 20.0), strict=True)
    ]
    probe = {"split": "test", "test_time": [], "headline": "t2v.R@1", "arrangements": lines}
    (folder / "time_probe.json").write_text(json.dumps(probe))


def write_interpolation(folder: Path, best: int = 1) -> None:
    """Write beside the run what it finds with CLIP's weights moved back: most at the share of this place."""
    ids = [f"video{i:03}" for i in range(40)]
    found = [20 - 4 * abs(i - best) for i in range(len(SHARES))]
    ranks = [[1.0] * count + [2.0] * (len(ids) - count) for count in found]
    one = {"metric": "t2v.R@1", "shares": list(SHARES), "query_ids": ids, "t2v": ranks}
    seen = [i % 2 == 0 for i in range(len(ids))]
    (folder / INTERPOLATION).write_text(
        json.dumps({"measured": {"videos": one | {"seen": seen}, "stills": one}})
    )


def write_study(
    root: Path, suite: str = "retrieval", seeds=(0, 1, 2), rows=tuple(QUALITY), shipped: bool = False
) -> Path:
    """Write a done run for every row and seed, and return `root`."""
    for row in rows:
        for seed in seeds:
            write_run(root, experiment(row, seed, suite), shipped=shipped)
    return root


def _told(status: str) -> dict[str, Any]:
    """Return what a record with this status says otherwise than that of a done run."""
    if status in ("running", "died"):
        beat = datetime.now(UTC) - timedelta(hours=3 if status == "died" else 0)
        return {"status": "running", "end": None, "heartbeat": beat.isoformat()}
    return {"status": status, "error": "ValueError: made up" if status == "failed" else None}
