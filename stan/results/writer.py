"""An experiment and the events of its run in; a run folder out, which is complete or visibly incomplete."""

from __future__ import annotations

import io
import json
import math
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np

from stan.common.files import write_bytes, write_json
from stan.common.json_values import from_json
from stan.config import Experiment, to_dict
from stan.results import lock
from stan.results.provenance import host, peak_memory_mb, provenance
from stan.results.record import read
from stan.results.record_files import CONFIG, EVALUATION, LOG, RANKS, RUN

BEAT_SECONDS = 10.0
NOTES = ("device", "data_hash", "data_hashes", "checkpoint_hash", "same_as", "shipped", "notebook")
_COPIED = (LOG, RANKS)


class RunWriter:
    """Writes one run's record. As a context manager, it records an exception as failed and Ctrl-C as interrupted.

    Create it with `RunWriter.start`. While it is open, a thread renews the heartbeat in `run.json` every ten seconds.
    """

    def __init__(self, folder: Path, taken: int, record: dict[str, Any]):
        self.folder = folder
        self.lines = 0
        """Number of lines in `metrics.jsonl` so far. Keep it in the checkpoint and pass it to `rewind`."""
        self._lock = taken
        self._record = record
        self._before = float(record["seconds"])
        self._opened = datetime.now(UTC)
        self._guard = threading.RLock()
        self._closed = threading.Event()

    @classmethod
    def start(cls, root: str | Path, experiment: Experiment, **notes: Any) -> Self:
        """Open the experiment's folder under `root`, or resume its run if it isn't done.

        A resumed record keeps its first start and the seconds spent, and counts the resumption. `notes`: as for `note`.
        Raises ValueError if the run is done already, or another process is writing it.
        """
        folder = Path(root) / experiment.id
        folder.mkdir(parents=True, exist_ok=True)
        taken = lock.acquire(folder)
        try:
            writer = cls(folder, taken, _opening_record(folder))
            write_json(folder / CONFIG, to_dict(experiment))
            writer.rewind(_whole_lines(folder / LOG))
            writer.note(**notes)
        except BaseException:
            lock.release(taken)
            raise
        threading.Thread(target=writer._keep_beating, name="heartbeat", daemon=True).start()
        return writer

    @property
    def resumed(self) -> int:
        """Number of times that this run was resumed; 0 in the first attempt."""
        return self._record["resumed"]

    def note(self, **notes: Any) -> None:
        """Add facts to the record that only the run knows; any of NOTES."""
        unknown = sorted(set(notes) - set(NOTES))
        if unknown:
            raise ValueError(f"a run's record has no {', '.join(unknown)}; it has {', '.join(NOTES)}")
        self._update(**notes)

    def skip(self, split: str, broken: Mapping[str, str]) -> None:
        """Record how many clips of a split were left out, and for each id why. broken: the reason by clip id.

        Raises ValueError if a resumed run began with other clips left out: it could not go on exactly.
        """
        skipped = self._record["skipped"] or {}
        if split in skipped and skipped[split]["clips"] != dict(broken):
            raise ValueError(
                f"{self.folder}: this run began without {skipped[split]['count']} broken clips of {split}, now there"
                f" are {len(broken)}: bring the videos back as they were, or delete the run"
            )
        told = {"count": len(broken), "clips": dict(broken)}
        self._update(skipped=skipped | {split: told})

    def log(self, line: Mapping[str, Any]) -> None:
        """Append one line to `metrics.jsonl`. Raises ValueError naming a value that is NaN or infinite."""
        text = json.dumps(_plain(line, "line")) + "\n"
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(text)
        self.lines += 1

    def rewind(self, lines: int) -> None:
        """Cut `metrics.jsonl` back to the `lines` lines that a checkpoint knows; the rest will be written again."""
        path = self.folder / LOG
        kept = path.read_bytes().splitlines(keepends=True)[:lines] if path.exists() else []
        write_bytes(path, b"".join(kept))
        self.lines = len(kept)

    def finish(self, evaluation: Mapping[str, Any], ranks: Mapping[str, np.ndarray]) -> Path:
        """Write `eval.json` and `ranks.npz`, then mark the run `done` and return its folder."""
        write_arrays(self.folder / RANKS, ranks)
        write_json(self.folder / EVALUATION, _plain(evaluation, "evaluation"))
        self._close("done", None)
        return self.folder

    def fail(self, error: BaseException | str) -> None:
        """Close the record as failed, or as interrupted if the error is Ctrl-C or an exit."""
        stopped = isinstance(error, KeyboardInterrupt | SystemExit)
        text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
        self._close("interrupted" if stopped else "failed", text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if self._closed.is_set():
            return
        self.fail(error if error is not None else "the run was left without finish")

    def _close(self, status: str, error: str | None) -> None:
        self._closed.set()
        self._update(status=status, error=error, end=now())
        lock.release(self._lock)

    def _update(self, **changes: Any) -> None:
        with self._guard:
            spent = (datetime.now(UTC) - self._opened).total_seconds()
            self._record |= changes | {
                "heartbeat": now(),
                "seconds": round(self._before + spent, 2),
                "peak_memory_mb": peak_memory_mb(),
            }
            write_json(self.folder / RUN, self._record)

    def _keep_beating(self) -> None:
        while not self._closed.wait(BEAT_SECONDS):
            with self._guard:
                if not self._closed.is_set():
                    self._update()


def adopt(
    root: str | Path, experiment: Experiment, source_run: str | Path, lr: Mapping[str, Any] | None = None
) -> Path:
    """Write a record for `experiment` with the numbers of `source_run`: an equal config under another study or row.

    Returns the record's folder; its `same_as` names the run that trained. `lr`: how the learning rate was chosen, if
    this row knows it and the source doesn't yet. Raises ValueError if the source isn't done, if its config or seed
    differs, or if the experiment has a done record already.
    """
    source = read(source_run)
    if source["status"] != "done":
        raise ValueError(f"{source['id']} is {source['status']}, only a done run can stand for another")
    if (source["hash"], source["seed"]) != (experiment.hash, experiment.seed):
        raise ValueError(f"{source['id']} has another config or seed than {experiment.id}: run it instead")
    folder = Path(root) / experiment.id
    folder.mkdir(parents=True, exist_ok=True)
    taken = lock.acquire(folder)
    try:
        _refuse_done(folder)
        opened = {"status": "running", "host": host(), "heartbeat": now(), "shipped": False}
        write_json(folder / CONFIG, to_dict(experiment))
        write_json(folder / RUN, source["run"] | opened)
        for name in _COPIED:
            if (Path(source_run) / name).exists():
                write_bytes(folder / name, (Path(source_run) / name).read_bytes())
        write_json(folder / EVALUATION, source["evaluation"] | ({} if lr is None else {"lr": dict(lr)}))
        trained_by = source["run"].get("same_as") or source["id"]
        write_json(folder / RUN, source["run"] | {"same_as": trained_by, "shipped": False})
    finally:
        lock.release(taken)
    return folder


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays as an npz archive, with `write_bytes`. Raises ValueError for an array that would need pickle."""
    plain = {name: np.asarray(array) for name, array in arrays.items()}
    for name, array in plain.items():
        if array.dtype.hasobject:
            raise ValueError(f"array {name} holds Python objects; give it a number or string type")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **plain)  # ty: ignore[invalid-argument-type]  # no array is called allow_pickle
    write_bytes(path, buffer.getvalue())


def now() -> str:
    """Return the current time in UTC as ISO text, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _opening_record(folder: Path) -> dict[str, Any]:
    previous = _refuse_done(folder)
    fresh = {
        "status": "running",
        "start": now(),
        "end": None,
        "heartbeat": now(),
        "seconds": 0.0,
        "resumed": 0,
    }
    fresh |= (
        provenance()
        | {"peak_memory_mb": None, "error": None, "skipped": None}
        | dict.fromkeys(NOTES)
        | {"shipped": False}
    )
    if previous is None:
        return fresh
    kept = {
        "start": previous["start"],
        "seconds": previous["seconds"],
        "resumed": previous.get("resumed", 0) + 1,
        "skipped": previous.get("skipped"),
    }
    return fresh | kept


def _refuse_done(folder: Path) -> dict[str, Any] | None:
    """Return the folder's record if there is one that can be read, else None. Raises ValueError if it is done."""
    try:
        record = from_json((folder / RUN).read_text(encoding="utf-8"))
        status = record["status"], record["start"], record["seconds"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    if status[0] == "done":
        raise ValueError(f"{folder} holds a run that is done; delete it to run it again")
    return record


def _whole_lines(path: Path) -> int:
    """Return the number of lines before the first one that a crash left unfinished or unreadable."""
    if not path.exists():
        return 0
    for count, line in enumerate(path.read_bytes().splitlines(keepends=True)):
        try:
            from_json(line)
        except ValueError:
            return count
        if not line.endswith(b"\n"):
            return count
    return path.read_bytes().count(b"\n")


def _plain(value: Any, name: str) -> Any:
    """Turn dicts, sequences and scalars of any kind into JSON values. Raises ValueError naming what isn't finite."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, f"{name}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, f"{name}[{i}]") for i, inner in enumerate(value)]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}; a record holds finite numbers only")
    return value
