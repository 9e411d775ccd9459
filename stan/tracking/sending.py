"""A run's folder and a tracker's name in; what the tracker has not got of the record sent to it.

What a tracker has got stands beside the record, in `tracked-<name>.json`. So it does not matter when something is sent,
by which process, or how often a run was killed and resumed in between.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from stan.common.files import read_settings, write_json
from stan.config import to_dict
from stan.results.record import flatten, read
from stan.results.record_files import LOG
from stan.tracking.base import TRACKERS, Point, RunFacts, TrackedRun, module

AT_ONCE = 500
"""Points that are sent together. A process that is killed between sending and noting it sends so many once more."""


@dataclass
class Sent:
    """What a tracker has got."""

    id: str | None = None
    """What the tracker knows the run by; None until it knows the run."""
    lines: int = 0
    """Lines of the log. A resumed run cuts its log back, then writes these lines again: they are not sent again."""
    step: int = 0
    """The last step of these lines, to which a validation belongs."""
    seconds: float = 0.0
    """Seconds spent in steps, up to this step."""
    evaluated: bool = False
    """Whether it has got the evaluation, with which all is sent."""


def tracked(folder: Path) -> list[str]:
    """Return the trackers that know the run in this folder."""
    return [name for name in TRACKERS if _file(folder, name).is_file()]


@contextmanager
def sender(folder: Path, name: str) -> Generator[Sender]:
    """Yield the one Sender of a run to a tracker. Raises ValueError while another process has it."""
    client = module(name)
    try:
        with FileLock(folder / f".tracked-{name}.lock", timeout=0):
            yield Sender(folder, name, client)
    except Timeout:
        raise ValueError(f"another process is sending {folder} to {name}: wait for it") from None


class Sender:
    """Sends a run's record to a tracker. Create it with `sender`; its methods raise the tracker's own errors."""

    def __init__(self, folder: Path, name: str, client: Any):
        self._folder, self._file, self._client = folder, _file(folder, name), client
        self.sent = Sent(**read_settings(self._file)) if self._file.is_file() else Sent()
        self._run: TrackedRun | None = None

    def send(self) -> int:
        """Send the lines of the log that the tracker has not got, and return how many there were."""
        lines = _lines(self._folder / LOG, self.sent.lines)
        if self.sent.evaluated or not lines:
            return 0
        run, start = self._opened()
        for first in range(0, len(lines), AT_ONCE):
            some = lines[first : first + AT_ONCE]
            run.log([self._point(line, start) for line in some])
            self.sent.lines += len(some)
            self._note()
        return len(lines)

    def close(self) -> int:
        """Send the rest and, of a run that is done, its evaluation; then let go. Return the number of lines sent."""
        count = self.send()
        record = read(self._folder)
        if record["status"] == "done" and not self.sent.evaluated:
            run, start = self._opened()
            parts = {"": "metrics", "plain.": "plain", "last.": "last"}
            values = [flatten(record["evaluation"].get(part, {}), prefix) for prefix, part in parts.items()]
            merged = {name: value for part in values for name, value in part.items()}
            run.log([Point(self.sent.step, start + self.sent.seconds, _numbers(merged))])
            self.sent.evaluated = True
        if self._run is not None:
            self._run.end(record["status"])
            self._note()
        self._run = None
        return count

    def drop(self) -> None:
        """Forget the connection, which has failed; the next call makes a new one."""
        self._run = None

    def _opened(self) -> tuple[TrackedRun, float]:
        """Return the run at the tracker, and the time of its start."""
        facts = _facts(self._folder)
        if self._run is None:
            self._run = self._client.Run(facts, self.sent.id)
            self.sent.id = self._run.id
            self._note()
        return self._run, facts.start

    def _point(self, line: dict[str, Any], start: float) -> Point:
        self.sent.step = line.get("step", self.sent.step)
        self.sent.seconds = line.get("time", self.sent.seconds)
        values = _numbers(flatten(line))
        values.pop("step", None)
        return Point(self.sent.step, start + self.sent.seconds, values)

    def _note(self) -> None:
        write_json(self._file, asdict(self.sent))


def _file(folder: Path, name: str) -> Path:
    return folder / f"tracked-{name}.json"


def _lines(log: Path, known: int) -> list[dict[str, Any]]:
    """Return the log's whole lines from number `known` on; the last one may be being written."""
    if not log.is_file():
        return []
    with log.open(encoding="utf-8") as file:
        return [json.loads(line) for line in islice(file, known, None) if line.endswith("\n")]


def _facts(folder: Path) -> RunFacts:
    record = read(folder)
    experiment, run = record["experiment"], record["run"]
    values = to_dict(experiment)
    config = flatten({name: values[name] for name in ("data", "model", "train", "test_time", "seed")})
    tags = {name: record[name] for name in ("study", "row", "hash")} | {"suite": experiment.data.suite}
    told = ("commit", "dirty", "data_hash", "device", "machine", "command")
    tags |= {name: run[name] for name in told if run.get(name)} | {"record": str(folder)}
    start = datetime.fromisoformat(run["start"]).timestamp()
    return RunFacts(record["id"], folder, start, config, {key: str(value) for key, value in tags.items()})


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    return {key: value for key, value in values.items() if isinstance(value, int | float)}
