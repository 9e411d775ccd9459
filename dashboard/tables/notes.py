"""Tags and notes on runs: kept in a file of the dashboard's own beside the run's folder, never in a record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stan.common.files import write_json

SUFFIX = ".marks.json"
LONGEST = 2000
"""Characters of a note."""


@dataclass(frozen=True)
class Marks:
    tags: tuple[str, ...] = ()
    note: str = ""


def read(roots: Sequence[str | Path]) -> dict[str, Marks]:
    """Marks by run id; files that can't be read say nothing."""
    found = {}
    for root in reversed([Path(root) for root in roots]):  # the first root has the last word
        for file in root.glob(f"*/*/*{SUFFIX}"):
            marks = _read(file)
            if marks != Marks():
                found[file.relative_to(root).as_posix().removesuffix(SUFFIX)] = marks
    return found


def write(root: str | Path, run: str, marks: Marks) -> None:
    """Keeps the marks of the run with this id under `root`, where its folder is or, of a shipped run, would be.

    Raises ValueError for a note that is too long and for an id that leads elsewhere.
    """
    if len(marks.note) > LONGEST:
        raise ValueError(f"a note has up to {LONGEST} characters; this one has {len(marks.note)}")
    file = Path(root) / f"{run}{SUFFIX}"
    if not file.resolve().is_relative_to(Path(root).resolve()):
        raise ValueError(f"{run} is no run's id")
    if marks == Marks():
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, asdict(marks))


def parsed(text: str) -> tuple[str, ...]:
    """Tags from words separated by commas, each once."""
    return tuple(dict.fromkeys(tag for tag in (part.strip() for part in text.split(",")) if tag))


def _read(file: Path) -> Marks:
    try:
        values: Any = json.loads(file.read_text(encoding="utf-8"))
        return Marks(tuple(str(tag) for tag in values["tags"]), str(values["note"])[:LONGEST])
    except (OSError, ValueError, TypeError, KeyError):
        return Marks()
