"""A run's folder in; its documents and status out, or why it is damaged. A root in; its run folders out."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stan.common.json_values import from_json
from stan.common.paths import ASSETS
from stan.config import Experiment, from_dict
from stan.results import archive, lock
from stan.results.provenance import host
from stan.results.record_files import CONFIG, EVALUATION, PROBE, RANKS, RECORD, RUN

SHIPPED = ASSETS / "runs.zip"
"""Run records that come with the package, without weights."""


FOREIGN = "foreign"
"""Status of a run that was measured elsewhere. Only a run that is `done` counts, in comparisons and reports."""


STALE_SECONDS = 120.0
"""A record from another host that says `running`, but whose heartbeat is older than this, is read as `died`. On this
host, the lock decides."""


_FOLDER = re.compile(r"[0-9a-f]{10}-s\d+")


def run_folders(root: str | Path) -> Iterator[Path]:
    """Yield every folder `<study>/<row>/<hash>-s<seed>` under `root` that holds a part of a record, sorted by name.

    root: a folder, or an archive of runs (`stan.results.archive`).
    """
    for path in archive.folders(Path(root)):
        if _FOLDER.fullmatch(path.name) and any(archive.stamp(path, name) for name in RECORD):
            yield path


def written(path: str | Path, name: str = EVALUATION) -> int:
    """Return when a run's file was last written, in nanoseconds; 0 if it isn't there."""
    found = archive.stamp(Path(path), name)
    return 0 if found is None else found[0]


def probed(root: str | Path, name: str = PROBE) -> Iterator[Path]:
    """Return the run folders under `root` that hold a time probe, or another file of that name."""
    return (path for path in archive.folders(Path(root)) if archive.stamp(path, name))


def read(path: str | Path) -> dict[str, Any]:
    """Return one run. Whatever the folder holds, no error is raised.

    Keys: id, study, row, seed, hash, training_hash, path, status, reason, config, run, evaluation, experiment.
    `config`, `run` and `evaluation` are the folder's JSON documents: {} if unreadable, and `evaluation` also until the
    run is done (or foreign). `experiment` is None if the config can't be read, or the run is foreign.
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


def time_probe(path: str | Path) -> dict[str, Any] | None:
    """Return what `stan.results.frame_order.keep` wrote beside the run's record; None if nothing can be read."""
    return beside(path, PROBE, _is_probe)


def beside(path: str | Path, file: str, whole: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    """Return the document `file` beside a run's record if it can be read and `whole` says that nothing is missing."""
    try:
        found = _document(Path(path), file)
    except (OSError, ValueError):
        return None
    return found if whole(found) else None


def _is_probe(found: dict[str, Any]) -> bool:
    """Tell whether every arrangement has its numbers; a run's folder may come from anywhere."""
    lines = found.get("arrangements")
    if not isinstance(lines, list) or not isinstance(found.get("headline"), str):
        return False
    return all(
        isinstance(line, dict)
        and isinstance(line.get("arrangement"), str)
        and all(isinstance(line.get(name), int | float) for name in ("frames", "value", "change"))
        and isinstance(line.get("order", ""), int | float | None)
        and all(_is_interval(line.get(name)) for name in ("value_interval", "interval"))
        for line in lines
    )


def _is_interval(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(end, int | float) for end in value)


def find(root: str | Path, experiment: Experiment) -> Path | None:
    """Return the folder of a done run with the experiment's config and seed; None if there is none.

    The run may be of any study and row; the experiment's own comes first.
    """
    return _first(root, experiment, lambda other: other.hash == experiment.hash)


def find_training(root: str | Path, experiment: Experiment) -> Path | None:
    """Return the folder of a done run with the same weights, or None. Only its test-time settings may differ.

    The experiment's own run comes first, then runs that trained, then those that took their numbers from another run
    (`same_as`).
    """
    return _first(root, experiment, lambda other: other.training_hash == experiment.training_hash)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested dicts into one with dotted names; lists become text, joined by commas."""
    flat: dict[str, Any] = {}
    _flatten(values, prefix, flat)
    return flat


def _flatten(values: Mapping[str, Any], prefix: str, flat: dict[str, Any]) -> None:
    for key, value in values.items():
        kind = type(value)  # isinstance is too slow for thousands of records with a hundred values each
        if kind is dict:
            _flatten(value, f"{prefix}{key}.", flat)
        elif kind is list or kind is tuple:
            flat[prefix + key] = ",".join(map(str, value))
        else:
            flat[prefix + key] = value


def _read_documents(path: Path) -> dict[str, Any]:
    config = _document(path, CONFIG)
    if config.get("foreign") is True:
        return _read_foreign(path, config)
    experiment = from_dict(config)
    if (experiment.study, experiment.row) != path.parts[-3:-1] or experiment.seed != _seed(path.name):
        raise ValueError(f"config.json is of {experiment.id}: the folder was moved or renamed")
    run, status, reason = _status(path)
    evaluation = _document(path, EVALUATION) if status == "done" else {}
    if status == "done":
        _check_evaluation(evaluation, path)
    identity = {"hash": experiment.hash, "training_hash": experiment.training_hash, "experiment": experiment}
    found = {"config": config, "run": run, "evaluation": evaluation, "status": status, "reason": reason}
    return identity | found


def _read_foreign(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Return the documents of a run that was measured elsewhere (`stan.results.foreign`): it is never `done`."""
    if (config["study"], config["row"]) != path.parts[-3:-1]:
        raise ValueError(
            f"config.json is of {config['study']}/{config['row']}: the folder was moved or renamed"
        )
    run, evaluation = _document(path, RUN), _document(path, EVALUATION)
    if not isinstance(config["settings"], dict) or not isinstance(evaluation["metrics"], dict):
        raise ValueError("config.json holds no settings, or eval.json no metrics")
    reason = f"measured elsewhere, imported from {run['source']}"
    return {"config": config, "run": run, "evaluation": evaluation, "status": FOREIGN, "reason": reason}


def _check_evaluation(evaluation: dict[str, Any], path: Path) -> None:
    if not isinstance(evaluation["metrics"], dict) or not isinstance(evaluation.get("headline"), str | None):
        raise ValueError("eval.json holds no metrics, or a headline that is no text")
    parts = (evaluation.get(name) or {} for name in ("metrics", "validation", "last", "plain"))
    if not all(isinstance(value, int | float | None) for part in parts for value in flatten(part).values()):
        raise ValueError("eval.json holds metrics that are no numbers")
    if not _has_ranks(path):
        raise ValueError("ranks.npz is missing or not whole")


def _has_ranks(path: Path) -> bool:
    if archive.archive_of(path) is None:
        return zipfile.is_zipfile(path / RANKS)
    return archive.stamp(path, RANKS) is not None


def _content(path: Path, name: str) -> bytes:
    try:
        return archive.read_bytes(path, name)
    except FileNotFoundError:
        raise ValueError(f"{name} is missing") from None


def _document(path: Path, name: str) -> dict[str, Any]:
    content = _content(path, name)
    try:
        values = from_json(content)
    except ValueError as error:
        raise ValueError(f"{name} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{name} is not a JSON object")
    return values


def _status(path: Path) -> tuple[dict[str, Any], str, str | None]:
    """Return run.json, the status, which depends on it and on whether its writer is alive, and the reason."""
    if not any(archive.stamp(path, name) for name in (RUN, EVALUATION)):
        if lock.held(path):
            return {}, "running", None
        return {}, "died", "it ended before it had said anything"
    run = _document(path, RUN)
    status = run["status"]
    if status not in ("running", "done", "failed", "interrupted"):
        raise ValueError(f"run.json has status {status!r}")
    if status != "running":
        return run, status, run.get("error")
    if _is_written(path, run):
        return run, "running", None
    if _document(path, RUN) != run:  # its writer has closed it meanwhile
        return _status(path)
    return run, "died", f"last heartbeat {run['heartbeat']}"


def _is_written(path: Path, run: Mapping[str, Any]) -> bool:
    """Tell whether the process that opened the record is alive; nobody writes into an archive."""
    if archive.archive_of(path) is not None:
        return False
    silent = datetime.now(UTC) - datetime.fromisoformat(run["heartbeat"])
    return lock.held(path) if run.get("host") == host() else silent.total_seconds() <= STALE_SECONDS


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
