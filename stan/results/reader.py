"""Folders of runs in; a table of all runs, or the parts of one run, out. A damaged folder is listed with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stan.common.json_values import from_json
from stan.results import archive
from stan.results.record import FOREIGN, SHIPPED, flatten, read, run_folders
from stan.results.record_files import LOG, RANKS, RECORD

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
_SETTINGS = ("data.", "model.", "train.")


def load(roots: str | Path | Sequence[str | Path], shipped: bool = False) -> pd.DataFrame:
    """Return a table with one row per run under `roots`; with `shipped`, also the runs that come with the package.

    Columns: id, study, row, suite, size, seed, status (done, running, failed, interrupted, died, damaged, foreign),
    reason (why it failed, died, is damaged or was interrupted, or where it comes from), shipped, path, hash,
    training_hash, then provenance, config and metrics. Config columns have dotted names ("model.temporal",
    "model.options.layers", "train.lr", ...), and so have metrics ("t2v.R@1", "top-1", "order.accuracy",
    "seen.t2v.R@1", "last.…", "validation.…", and "plain.…": without test-time tricks). A root that doesn't exist
    holds no runs.
    """
    places = [roots] if isinstance(roots, str | Path) else list(roots)
    paths = [(path, False) for root in places for path in run_folders(root)]
    if shipped and SHIPPED not in [Path(root).resolve() for root in places]:
        paths += [(path, True) for path in run_folders(SHIPPED)]
    rows = [_row(path, comes_with) for path, comes_with in paths]
    return pd.DataFrame(rows, columns=None if rows else list(_COLUMNS))


def is_setting(column: str) -> bool:
    """Tell whether this column of `load` is part of a run's config."""
    return column == "test_time" or column.startswith(_SETTINGS)


def _row(path: Path, shipped: bool) -> dict[str, Any]:
    """Return a run's row. It is read again only if a file has changed or its status depends on the heartbeat's age."""
    stamp = tuple(archive.stamp(path, name) for name in RECORD)
    row = _row_at(str(path), shipped, stamp)
    return row if row["status"] not in ("running", "died") else _table_row(read(path), shipped)


@lru_cache(maxsize=20_000)
def _row_at(path: str, shipped: bool, stamp: tuple) -> dict[str, Any]:
    return _table_row(read(path), shipped)


def forget() -> None:
    """Make `load` and `ranks` read everything anew, in order to time them."""
    _row_at.cache_clear()
    _ranks_at.cache_clear()


def ranks(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of a run's `ranks.npz`, read-only; nothing is unpickled.

    Raises ValueError if they can't be read.
    """
    return dict(_ranks_at(str(path), archive.stamp(Path(path), RANKS)))


@lru_cache(maxsize=128)  # a study asks for each run's once per metric
def _ranks_at(path: str, stamp: archive.Stamp | None) -> dict[str, np.ndarray]:
    arrays = archive.read_arrays(Path(path))
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


def history(path: str | Path) -> pd.DataFrame:
    """Return `metrics.jsonl` as a table with dotted names for nested values; lines that can't be read are left out."""
    try:
        log = archive.read_bytes(Path(path), LOG).decode(errors="replace")
    except (OSError, ValueError):  # no log yet, or a damaged archive, which `read` reports
        log = ""
    return pd.DataFrame([flatten(line) for line in map(_line, log.splitlines()) if line])


def _table_row(found: dict[str, Any], shipped: bool) -> dict[str, Any]:
    run, evaluation, experiment = found["run"], found["evaluation"], found["experiment"]
    row = {name: found.get(name) for name in _COLUMNS}
    row["shipped"] = shipped or run.get("shipped") is True
    row |= {name: run.get(name) for name in _PROVENANCE}
    if experiment:
        # through the experiment, so that settings newer than the record appear with their defaults
        for name in ("data", "model", "train"):
            row |= flatten(vars(getattr(experiment, name)), f"{name}.")
        row |= {"suite": experiment.data.suite, "size": experiment.data.size}
        row["test_time"] = ",".join(experiment.test_time)
    elif found["status"] == FOREIGN:
        row |= {"suite": found["config"].get("suite")} | flatten(found["config"]["settings"], "foreign.")
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
        values = from_json(text)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None
