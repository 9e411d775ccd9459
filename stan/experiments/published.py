"""The shipped numbers that the paper and its slides print in; tables, and single numbers with sources, out.

R. Liu et al., "Revisiting Temporal Modeling for CLIP-based Image-to-Video Knowledge Transferring", CVPR 2023,
arXiv 2301.11116. An empty cell is a dash in print.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from stan.common.paths import ASSETS

if TYPE_CHECKING:
    import pandas as pd

FOLDER = ASSETS / "published"

SOURCES = {
    "retrieval": "talk slides, retrieval tables",
    "recognition": "talk slides, recognition tables",
    "ablation_components": "talk slides, components table",
    "ablation_structures": "camera-ready paper, Table 7",
    "ablation_levels": "camera-ready paper, Table 8",
}

COLUMN_OF_SUITE = {
    "retrieval": "msrvtt_R@1",
    "paragraph": "didemo_R@1",
    "scenes": "k400_top1",
    "motions": "ssv2_top1",
    "msrvtt": "msrvtt_R@1",
    "didemo": "didemo_R@1",
    "kinetics": "k400_top1",
    "something": "ssv2_top1",
}
"""The printed column to show beside a suite's own numbers: that of the benchmark that the suite is or mirrors."""

_BENCHMARKS = {
    "msrvtt": "MSR-VTT",
    "didemo": "DiDeMo",
    "k400": "Kinetics-400",
    "ssv2": "Something-Something-v2",
}
_METRICS = {"R@1": "R@1", "top1": "top-1", "top5": "top-5", "GFLOPs": "GFLOPs"}


def tables() -> dict[str, pd.DataFrame]:
    """Return every printed table by its name in SOURCES."""
    import pandas as pd

    return {name: pd.read_csv(FOLDER / f"{name}.csv") for name in SOURCES}


def disagreements() -> pd.DataFrame:
    """Return the cells that slides and paper print differently: table, benchmark, row, metric, slides, paper."""
    import pandas as pd

    return pd.read_csv(FOLDER / "disagreements.csv")


def number(table: str, row: str, column: str) -> float | None:
    """Return the number that a table's row prints for a benchmark's column (`msrvtt_R@1`); None if it prints none.

    Raises ValueError for an unknown table, row or column.
    """
    if table not in SOURCES:
        raise ValueError(f"no printed table {table!r}; there are {', '.join(SOURCES)}")
    place, cells = _ablation_place(column), _cells()
    if place is None or (table, row) not in {cell[:2] for cell in cells}:
        raise ValueError(f"table {table} has no row {row!r} with a column {column!r}")
    return cells.get((table, row, *place))


@cache
def _cells() -> dict[tuple[str, ...], float]:
    return {(c["table"], c["row"], c["benchmark"], c["metric"]): c["value"] for c in numbers()}


def notes() -> dict[tuple[str, str, str, str], str]:
    """Return what a reader must know about single cells, by (table, benchmark, row, metric).

    There is a note where slides and paper print different numbers, where a printed number can't be matched, or where
    print contradicts itself.
    """
    said: dict[tuple[str, str, str, str], list[str]] = {}
    for item in [*_records("disagreements"), *_records("notes")]:
        text = item.get("note") or f"slides print {_short(item['slides'])}, the paper {_short(item['paper'])}"
        said.setdefault(_cell(item), []).append(text)
    return {cell: "; ".join(texts) for cell, texts in said.items()}


def numbers() -> list[dict[str, Any]]:
    """Return one item per printed number: table, benchmark, row, metric, value, source, and note (or None).

    Where slides and paper differ, the value is that of `source`.
    """
    noted = notes()
    items = [item for name in SOURCES for item in _items(name, _records(name))]
    return [item | {"note": noted.get(_cell(item))} for item in items]


def released() -> list[dict[str, Any]]:
    """Return one item per number that rivals' authors print beside their released code, as `numbers` does.

    They stand in no table of the paper. `table` is "released", and `source` names the repository's file.
    """
    return [
        item | {"table": "released", "value": float(item["value"]), "note": None}
        for item in _records("released")
    ]


def _cell(item: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return item["table"], item["benchmark"], item["row"], item["metric"]


@cache
def _records(name: str) -> tuple[dict[str, str], ...]:
    """Return the lines of a file; an empty value is a dash in print."""
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _items(name: str, records: tuple[dict[str, str], ...]) -> list[dict[str, Any]]:
    found = []
    for record in records:
        for column, value in record.items():
            place = _place(column, record) if "benchmark" in record else _ablation_place(column)
            if place is not None and value:
                cell = {"table": name, "benchmark": place[0], "row": _label(name, record), "metric": place[1]}
                found.append(cell | {"value": float(value), "source": SOURCES[name]})
    return found


def _place(column: str, record: Mapping[str, str]) -> tuple[str, str] | None:
    known = column in ("R@1", "R@5", "R@10", "MdR", *_METRICS)
    return (record["benchmark"], _METRICS.get(column, column)) if known else None


def _ablation_place(column: str) -> tuple[str, str] | None:
    benchmark, _, metric = column.partition("_")
    return (_BENCHMARKS[benchmark], _METRICS[metric]) if benchmark in _BENCHMARKS else None


def _label(table: str, record: Mapping[str, str]) -> str:
    """Return a name for a row that is unique within its table and benchmark."""
    if table == "ablation_components":
        return record["row"]
    if table == "ablation_levels":
        kind = "interval" if record["kind"] == "interval" else "levels"
        return f"{kind} {record[kind]}"
    if table == "ablation_structures":
        return record["method"]
    told = {"test_time": "{}"} if table == "retrieval" else {"frames": "{} frames", "views": "{} views"}
    extras = [words.format(record[part]) for part, words in told.items() if record[part]]
    return ", ".join([record["method"], *extras])


def _short(number: str) -> str:
    return f"{float(number):g}"
