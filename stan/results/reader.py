"""Folders of runs in; a table of all, or the parts of one, out. A damaged folder is listed with a reason."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stan.results import archive
from stan.results.record import SHIPPED, flatten, read, run_folders

_COLUMNS = (
    "id",
    "study",
    "row",
    "suite",
    "size",
    "seed",
    "status",
    "reason",
    "shipped",
    "path",
    "hash",
    "training_hash",
)
_PROVENANCE = (
    *(
        "start",
        "end",
        "heartbeat",
        "seconds",
        "resumed",
        "command",
        "commit",
        "dirty",
        "host",
        "machine",
        "device",
    ),
    *("threads", "peak_memory_mb", "data_hash", "checkpoint_hash", "error", "same_as"),
)


def load(roots: str | Path | Sequence[str | Path], shipped: bool = False) -> pd.DataFrame:
    """One row per run found under `roots`, and with `shipped` also those that come with the package.

    Columns: id, study, row, suite, size, seed, status (done, running, failed, interrupted, died, damaged),
    reason (why it is damaged or failed), shipped, path, hash, training_hash, then provenance, config
    ("model.temporal", "model.options.layers", "train.lr", ...) and metrics ("t2v.R@1", "top-1",
    "order.accuracy", "seen.t2v.R@1", "last.…", "validation.…", "plain.…": without test-time tricks) by dotted
    names. A root that isn't there holds no runs.
    """
    places = [roots] if isinstance(roots, str | Path) else list(roots)
    paths = [(path, False) for root in places for path in run_folders(root)]
    if shipped and SHIPPED not in [Path(root).resolve() for root in places]:
        paths += [(path, True) for path in run_folders(SHIPPED)]
    rows = [_row(path, comes_with) for path, comes_with in paths]
    return pd.DataFrame(rows, columns=None if rows else list(_COLUMNS))


def _row(path: Path, shipped: bool) -> dict[str, Any]:
    """A run's row; read again only where a file has changed, and where the heartbeat's age decides."""
    stamp = tuple(archive.stamp(path, name) for name in archive.DOCUMENTS)
    row = _row_at(str(path), shipped, stamp)
    return row if row["status"] not in ("running", "died") else _table_row(read(path), shipped)


@lru_cache(maxsize=20_000)
def _row_at(path: str, shipped: bool, stamp: tuple) -> dict[str, Any]:
    return _table_row(read(path), shipped)


def forget() -> None:
    """Lets `load` read everything anew: to time it."""
    _row_at.cache_clear()


def ranks(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a run's `ranks.npz`, never unpickled. Raises ValueError where that can't be read."""
    file = Path(path) / "ranks.npz"
    try:
        with np.load(io.BytesIO(archive.read_bytes(Path(path), file.name)), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} can't be read ({error}); evaluate the run again") from error


def history(path: str | Path) -> pd.DataFrame:
    """`metrics.jsonl` as a table, nested values by dotted names; lines that can't be read are left out."""
    try:
        log = archive.read_bytes(Path(path), archive.LOG).decode(errors="replace")
    except (OSError, ValueError):  # no log yet, or an archive that is damaged, which `read` tells
        log = ""
    return pd.DataFrame([flatten(line) for line in map(_line, log.splitlines()) if line])


def _table_row(found: dict[str, Any], shipped: bool) -> dict[str, Any]:
    run, evaluation, experiment = found["run"], found["evaluation"], found["experiment"]
    row = {name: found.get(name) for name in _COLUMNS}
    row["shipped"] = shipped or run.get("shipped") is True
    row |= {name: run.get(name) for name in _PROVENANCE}
    if experiment:
        # through the experiment, so that settings that came after a record stand there by their default
        for name in ("data", "model", "train"):
            row |= flatten(vars(getattr(experiment, name)), f"{name}.")
        row |= {"suite": experiment.data.suite, "size": experiment.data.size}
        row["test_time"] = ",".join(experiment.test_time)
    for name in ("split", "task", "headline", "selected", "epoch"):
        row[name] = evaluation.get(name)
    return row | _flat_metrics(evaluation)


def _flat_metrics(evaluation: dict[str, Any]) -> dict[str, Any]:
    parts = {"": "metrics", "plain.": "plain", "last.": "last", "validation.": "validation"}
    values = {prefix: evaluation.get(name) for prefix, name in parts.items()}
    return {
        k: v
        for prefix, inner in values.items()
        if isinstance(inner, dict)
        for k, v in flatten(inner, prefix).items()
    }


def _line(text: str) -> dict[str, Any] | None:
    try:
        values = json.loads(text)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None
