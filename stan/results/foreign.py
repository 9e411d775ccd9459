"""Results that were measured elsewhere in; foreign runs, which are shown beside one's own and count nowhere, out.

A foreign run is a folder like any run's, but its settings are in its source's own words, and it has no ranks per query.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stan.common.files import write_bytes, write_json
from stan.results.record_files import CONFIG, EVALUATION, LOG, RUN
from stan.results.writer import now


@dataclass(frozen=True)
class ForeignRun:
    """One run as its source tells it."""

    row: str
    metrics: Mapping[str, float]
    """By the dotted names of `stan.results.load`; shares of queries in percent."""
    where: str
    """File and line, or folder, for messages."""
    seed: int = 0
    suite: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    state: str | None = None
    """What the source says of it: finished, crashed, ..."""
    log: Sequence[Mapping[str, Any]] = ()
    """Lines of `metrics.jsonl`."""

    def folder(self, study: str) -> Path:
        """Return its place below the root of runs. It depends on what the run is, not on what it measured."""
        identity = json.dumps([self.suite, dict(self.settings)], sort_keys=True, default=str)
        digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
        return Path(study) / self.row / f"{digest}-s{self.seed}"


def write(root: str | Path, study: str, found: Sequence[ForeignRun], source: str) -> list[Path]:
    """Write a record for each run, all or none, and return their folders.

    source: name of the file or folder that they come from. Raises ValueError for a study, row or seed that names no
    folder, for two runs with one identity, and if a folder is there already.
    """
    root = Path(root)
    places: dict[Path, ForeignRun] = {}
    _require_folder("study", study)
    for one in found:
        _require_folder(f"{one.where}: row", one.row)
        if not isinstance(one.seed, int) or one.seed < 0:
            raise ValueError(f"{one.where}: seed is {one.seed!r}; it must be a whole number from 0 on")
        place = root / one.folder(study)
        if place in places:
            raise ValueError(
                f"{one.where} is the same run as {places[place].where} ({one.row}, seed {one.seed}, equal settings):"
                " remove one, or give them seeds"
            )
        if place.exists():
            raise ValueError(f"{one.where} is there already: delete {place} to import it again")
        places[place] = one
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=root) as staging:
        ready = [
            (_written(Path(staging) / str(i), study, one, source), place)
            for i, (place, one) in enumerate(places.items())
        ]
        _move(ready)
    return list(places)


def _require_folder(what: str, name: str) -> None:
    """Raise ValueError for what can't be the name of one folder: it would lie elsewhere, or never be found."""
    if not name or Path(name).name != name or name.startswith("."):
        raise ValueError(f"{what} is {name!r}; it must be the name of one folder, without / and not hidden")


def _written(folder: Path, study: str, one: ForeignRun, source: str) -> Path:
    folder.mkdir()
    config = {"foreign": True, "study": study, "row": one.row, "seed": one.seed, "suite": one.suite}
    write_json(folder / CONFIG, config | {"settings": dict(one.settings)})
    write_json(folder / RUN, {"source": source, "state": one.state, "imported": now()})
    headline = next(iter(one.metrics))
    write_json(folder / EVALUATION, {"headline": headline, "metrics": dict(one.metrics)})
    write_bytes(folder / LOG, "".join(json.dumps(dict(line)) + "\n" for line in one.log).encode())
    return folder


def _move(ready: Sequence[tuple[Path, Path]]) -> None:
    """Move folders to their places; if one cannot be moved, take the others back."""
    moved = []
    try:
        for made, place in ready:
            place.parent.mkdir(parents=True, exist_ok=True)
            os.rename(made, place)
            moved.append(place)
    except BaseException:
        for place in moved:
            shutil.rmtree(place)
        raise
