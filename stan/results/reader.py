"""Folders of runs in; a table of all, or the parts of one, out. A damaged folder is listed with a reason."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stan.common.paths import ASSETS
from stan.config import Experiment, from_dict
from stan.results import archive, lock
from stan.results.provenance import host

SHIPPED = ASSETS / "runs.zip"
"""Run records that come with the package, without weights."""

PROBE = "time_probe.json"
"""Beside a record whose run was asked whether time matters."""

STALE_SECONDS = 120.0
"""Another host's record that says `running` with an older heartbeat is read as `died`; here the lock tells."""

_FOLDER = re.compile(r"[0-9a-f]{10}-s\d+")
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


def run_folders(root: str | Path) -> Iterator[Path]:
    """Every `<study>/<row>/<hash>-s<seed>` folder under `root` that holds anything of a record, in order of name.

    root: a folder, or an archive of runs (`stan.results.archive`).
    """
    for path in archive.folders(Path(root)):
        if _FOLDER.fullmatch(path.name) and any(archive.stamp(path, name) for name in archive.DOCUMENTS):
            yield path


def written(path: str | Path, name: str = "eval.json") -> int:
    """When a file of a run was last written, in nanoseconds; 0 where it isn't there."""
    found = archive.stamp(Path(path), name)
    return 0 if found is None else found[0]


def probed(root: str | Path) -> Iterator[Path]:
    """The run folders under `root` that hold a time probe."""
    return (path for path in archive.folders(Path(root)) if archive.stamp(path, PROBE))


def read(path: str | Path) -> dict[str, Any]:
    """One run: id, study, row, seed, hash, training_hash, path, status, reason, config, run, evaluation,
    experiment.

    `config`, `run` and `evaluation` are the folder's JSON documents ({} where unreadable, `evaluation` also
    before the run is done), `experiment` is None where the config can't be read. Never raises for what a
    folder holds.
    """
    path = Path(path)
    study, row, name = path.parts[-3:] if len(path.parts) >= 3 else ("", "", path.name)
    found: dict[str, Any] = {"id": f"{study}/{row}/{name}", "study": study, "row": row, "path": str(path)}
    found |= {
        "hash": name.rpartition("-s")[0],
        "seed": _seed(name),
        "training_hash": None,
        "experiment": None,
    }
    found |= {"config": {}, "run": {}, "evaluation": {}, "status": "damaged", "reason": None}
    try:
        return found | _read_documents(path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        return found | {"reason": str(error) or type(error).__name__}


def ranks(path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a run's `ranks.npz`, never unpickled. Raises ValueError where that can't be read."""
    file = Path(path) / "ranks.npz"
    try:
        with np.load(io.BytesIO(archive.read_bytes(Path(path), file.name)), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} can't be read ({error}); evaluate the run again") from error


def time_probe(path: str | Path) -> dict[str, Any] | None:
    """What `stan.results.frame_order.keep` wrote beside the run's record; None where nothing can be read."""
    try:
        found = _document(Path(path), PROBE)
    except (OSError, ValueError):
        return None
    return found if _is_probe(found) else None


def _is_probe(found: dict[str, Any]) -> bool:
    """Whether every arrangement has its numbers: a run's folder may come from anywhere."""
    lines = found.get("arrangements")
    if not isinstance(lines, list) or not isinstance(found.get("headline"), str):
        return False
    return all(
        isinstance(line, dict)
        and isinstance(line.get("arrangement"), str)
        and all(isinstance(line.get(name), int | float) for name in ("frames", "value", "change"))
        and isinstance(line.get("order"), int | float | None)
        and all(_is_interval(line.get(name)) for name in ("value_interval", "interval"))
        for line in lines
    )


def _is_interval(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(end, int | float) for end in value)


def history(path: str | Path) -> pd.DataFrame:
    """`metrics.jsonl` as a table, nested values by dotted names; lines that can't be read are left out."""
    try:
        log = archive.read_bytes(Path(path), archive.LOG).decode(errors="replace")
    except (OSError, ValueError):  # no log yet, or an archive that is damaged, which `read` tells
        log = ""
    return pd.DataFrame([flatten(line) for line in map(_line, log.splitlines()) if line])


def find(root: str | Path, experiment: Experiment) -> Path | None:
    """Folder of a done run with the experiment's config and seed, in any study and row; its own first."""
    return _first(root, experiment, lambda other: other.hash == experiment.hash)


def find_training(root: str | Path, experiment: Experiment) -> Path | None:
    """Folder of a done run that trained the same weights: equal but for what only testing changes.

    A run that trained comes before one that took its numbers over from another (`same_as`).
    """
    return _first(root, experiment, lambda other: other.training_hash == experiment.training_hash)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts to one with dotted names; lists become comma-joined text."""
    flat: dict[str, Any] = {}
    _flatten(values, prefix, flat)
    return flat


def _flatten(values: Mapping[str, Any], prefix: str, flat: dict[str, Any]) -> None:
    for key, value in values.items():
        kind = type(value)  # thousands of records have a hundred values each: isinstance takes its time
        if kind is dict:
            _flatten(value, f"{prefix}{key}.", flat)
        elif kind is list or kind is tuple:
            flat[prefix + key] = ",".join(map(str, value))
        else:
            flat[prefix + key] = value


def _read_documents(path: Path) -> dict[str, Any]:
    config = _document(path, "config.json")
    experiment = from_dict(config)
    if (experiment.study, experiment.row) != path.parts[-3:-1] or experiment.seed != _seed(path.name):
        raise ValueError(f"config.json is of {experiment.id}: the folder was moved or renamed")
    run, status, reason = _status(path)
    evaluation = _document(path, "eval.json") if status == "done" else {}
    if status == "done":
        _check_evaluation(evaluation, path)
    identity = {"hash": experiment.hash, "training_hash": experiment.training_hash, "experiment": experiment}
    found = {"config": config, "run": run, "evaluation": evaluation, "status": status, "reason": reason}
    return identity | found


def _check_evaluation(evaluation: dict[str, Any], path: Path) -> None:
    if not isinstance(evaluation["metrics"], dict):
        raise ValueError("eval.json holds no metrics")
    if not _has_ranks(path):
        raise ValueError("ranks.npz is missing or not whole")


def _has_ranks(path: Path) -> bool:
    if archive.archive_of(path) is None:
        return zipfile.is_zipfile(path / "ranks.npz")
    return archive.stamp(path, "ranks.npz") is not None


def _content(path: Path, name: str) -> bytes:
    try:
        return archive.read_bytes(path, name)
    except FileNotFoundError:
        raise ValueError(f"{name} is missing") from None


def _document(path: Path, name: str) -> dict[str, Any]:
    content = _content(path, name)
    try:
        values = json.loads(content)
    except ValueError as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{name} is not a JSON object")
    return values


def _status(path: Path) -> tuple[dict[str, Any], str, str | None]:
    """run.json, the status that it and its writer's life or death make, and the reason."""
    if not any(archive.stamp(path, name) for name in ("run.json", "eval.json")):
        if lock.held(path):
            return {}, "running", None
        return {}, "died", "it ended before it had said anything"
    run = _document(path, "run.json")
    status = run["status"]
    if status not in ("running", "done", "failed", "interrupted"):
        raise ValueError(f"run.json has status {status!r}")
    if status != "running":
        return run, status, run.get("error")
    if _is_written(path, run):
        return run, "running", None
    if _document(path, "run.json") != run:  # its writer has ended it meanwhile
        return _status(path)
    return run, "died", f"last heartbeat {run['heartbeat']}"


def _is_written(path: Path, run: Mapping[str, Any]) -> bool:
    """Whether the process that opened the record is alive; nobody writes into an archive."""
    if archive.archive_of(path) is not None:
        return False
    silent = datetime.now(UTC) - datetime.fromisoformat(run["heartbeat"])
    return lock.held(path) if run.get("host") == host() else silent.total_seconds() <= STALE_SECONDS


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


def _seed(name: str) -> int | None:
    digits = name.rpartition("-s")[2]
    return int(digits) if digits.isdecimal() else None


def _first(root: str | Path, experiment: Experiment, equal) -> Path | None:
    matches = []
    for path in run_folders(root):
        if _seed(path.name) != experiment.seed:
            continue
        found = read(path)
        if found["status"] == "done" and equal(found["experiment"]):
            matches.append((found["id"] != experiment.id, found["run"].get("same_as") is not None, path))
    return min(matches)[2] if matches else None
