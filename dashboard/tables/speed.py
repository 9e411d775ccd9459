"""Saved results of benches in; tables of times, growth over sizes and memory out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from stan.bench import COLUMNS

GROWTH = {
    "encode": ("clips", ("preset", "by", "precision")),
    "train": ("clips", ("preset", "by", "precision")),
    "decode": ("height", ("what", "decoder")),
    "search": ("vectors", ("engine", "queries")),
    "dashboard": ("runs", ("page", "what")),
    "towers": ("frames", ("backbone", "by")),
    "service": ("windows", ("name",)),
}
"""For each bench: the column with the size over which times grow, and the columns that identify a line."""

Record = Mapping[str, Any]


def times(record: Record) -> pd.DataFrame:
    """Return a record's rows, with those of `stan.bench.COLUMNS` that it has."""
    rows = pd.DataFrame(record["rows"])
    return rows[[name for name in COLUMNS if name in rows]]


def memory(record: Record) -> pd.DataFrame:
    """Return the memory, in MB, that a training step holds, by precision; empty for the other benches."""
    held = record.get("memory")
    return pd.DataFrame([{"precision": name} | values for name, values in held.items()] if held else [])


def growth(record: Record) -> pd.DataFrame:
    """Return line, size, median and spread (milliseconds) of the rows that have a size and a time."""
    size, names = GROWTH[record["bench"]]
    timed = [
        row
        for row in record["rows"]
        if row["median"] is not None and isinstance(row.get(size), int | float) and row.keys() >= set(names)
    ]
    points = [
        {"line": ", ".join(str(row[name]) for name in names), "size": row[size]}
        | {"median": row["median"], "spread": row["spread"]}
        for row in timed
    ]
    return pd.DataFrame(points, columns=["line", "size", "median", "spread"])
