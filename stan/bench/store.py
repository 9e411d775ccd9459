"""A bench's result in; a file that keeps it out. Folders of runs in; the results that are kept there out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stan.common.files import write_json
from stan.common.paths import ASSETS
from stan.results import kept
from stan.results.provenance import provenance

BENCHES = ("encode", "train", "decode", "search", "dashboard", "towers", "service")
FOLDER = "bench"
"""Name of the folder for results; it is beside the studies in a folder of runs."""

SHIPPED = ASSETS
"""Root of the results that come with the package."""

_TIMES = ("median", "spread")


def keep(root: str | Path, bench: str, document: dict[str, Any]) -> Path:
    """Write a result (plain JSON values) with date, commit, packages and command to `root`/bench/BENCH-DATE.json."""
    now = datetime.now(UTC)
    record = {"bench": bench, "date": now.isoformat(timespec="seconds")} | provenance() | document
    file = Path(root) / FOLDER / f"{bench}-{now:%Y%m%dT%H%M%S}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file, record)
    return file


def load(roots: Iterable[str | Path]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return the records, the latest first, and the files that can't be read, as {"file", "reason"}."""
    return kept.load(roots, FOLDER, _check)


def _check(record: Any) -> None:
    """Raise ValueError, which says what isn't as `keep` writes it."""
    if not isinstance(record, dict) or record.get("bench") not in BENCHES:
        raise ValueError(f"`bench` is none of {', '.join(BENCHES)}")
    if not isinstance(record.get("date"), str):
        raise ValueError("no date")
    rows = record.get("rows")
    if not isinstance(rows, list) or not rows or not all(map(_is_row, rows)):
        raise ValueError("`rows` are not rows with name, median and spread")
    memory = record.get("memory", {})
    if not isinstance(memory, dict) or not all(isinstance(held, dict) for held in memory.values()):
        raise ValueError("`memory` is not by precision")


def _is_row(row: Any) -> bool:
    """Tell whether `row` is a bench's row; its times are numbers, or None if something wasn't installed."""
    return (
        isinstance(row, dict)
        and isinstance(row.get("name"), str)
        and all(isinstance(row.get(name), int | float | None) for name in _TIMES)
    )
