"""Run ids in, the reader's tags and notes out. They are kept in a file beside the run's folder, never in the record.

The record says what was measured, and stays as its writer left it; marks say what a reader thinks of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stan.common.files import write_json
from stan.common.json_values import from_json

SUFFIX = ".marks.json"
LONGEST = 2000
"""Maximum number of characters in a note."""


@dataclass(frozen=True)
class Marks:
    tags: tuple[str, ...] = ()
    note: str = ""
    hidden: bool = False
    """Whether the table of runs leaves it out unless asked for."""


def read(roots: Sequence[str | Path]) -> dict[str, Marks]:
    """Return the marks by run id; files that can't be read are ignored."""
    found = {}
    for root in reversed([Path(root) for root in roots]):  # the first root overrides later ones
        for file in root.glob(f"*/*/*{SUFFIX}"):
            marks = _read(file)
            if marks != Marks():
                found[file.relative_to(root).as_posix().removesuffix(SUFFIX)] = marks
    return found


def of_run(roots: Sequence[str | Path], run: str) -> Marks:
    """Return the marks of the run with this id."""
    found = (_read(Path(root) / f"{run}{SUFFIX}") for root in roots)
    return next((marks for marks in found if marks != Marks()), Marks())


def write(root: str | Path, run: str, marks: Marks) -> None:
    """Write the marks of the run with this id under `root`, beside its folder (for a shipped run, where it would be).

    Empty marks delete the file. Raises ValueError for a note that is too long and for an id that leads out of `root`.
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
    """Return the tags in a text, which separates them by commas; each tag is returned once."""
    return tuple(dict.fromkeys(tag for tag in (part.strip() for part in text.split(",")) if tag))


def _read(file: Path) -> Marks:
    try:
        values: Any = from_json(file.read_text(encoding="utf-8"))
        tags = tuple(str(tag) for tag in values["tags"])
        return Marks(tags, str(values["note"])[:LONGEST], values.get("hidden") is True)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Marks()
