"""The numbers that the paper and its slides print, shipped as data, in; tables and single numbers with
sources out.

R. Liu et al., "Revisiting Temporal Modeling for CLIP-based Image-to-Video Knowledge Transferring", CVPR 2023,
arXiv 2301.11116. An empty cell is a dash in print.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd

from stan.common.paths import ASSETS

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
"""Which printed column stands beside a suite's own numbers: the benchmark it is, or the one it mirrors."""

_BENCHMARKS = {
    "msrvtt": "MSR-VTT",
    "didemo": "DiDeMo",
    "k400": "Kinetics-400",
    "ssv2": "Something-Something-v2",
}
_METRICS = {"R@1": "R@1", "top1": "top-1", "top5": "top-5", "GFLOPs": "GFLOPs"}


def tables() -> dict[str, pd.DataFrame]:
    """Every printed table by name, the names of SOURCES."""
    return {name: _table(name).copy() for name in SOURCES}


def disagreements() -> pd.DataFrame:
    """Cells that slides and paper print differently: table, benchmark, row, metric, slides, paper."""
    return pd.read_csv(FOLDER / "disagreements.csv")


def number(table: str, row: str, column: str) -> float | None:
    """What a row of any table prints for a benchmark's column (`msrvtt_R@1`), None where it prints nothing.

    Raises ValueError for a table, row or column that isn't there.
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
    """What a reader must know about single cells, by (table, benchmark, row, metric): where slides and paper print
    different numbers, where print can't be matched, or where it contradicts itself.
    """
    said: dict[tuple[str, str, str, str], list[str]] = {}
    written = pd.read_csv(FOLDER / "notes.csv")
    for item in [*disagreements().to_dict("records"), *written.to_dict("records")]:
        text = (
            item["note"]
            if "note" in item
            else f"slides print {item['slides']:g}, the paper {item['paper']:g}"
        )
        said.setdefault(_cell(item), []).append(text)
    return {cell: "; ".join(texts) for cell, texts in said.items()}


def numbers() -> list[dict[str, Any]]:
    """Every printed number as one item: table, benchmark, row, metric, value, source, note (None where there is none).

    Where slides and paper differ, the value is that of `source`.
    """
    noted = notes()
    items = [item for name, table in tables().items() for item in _items(name, table)]
    return [item | {"note": noted.get(_cell(item))} for item in items]


def _cell(item: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return item["table"], item["benchmark"], item["row"], item["metric"]


@cache
def _table(name: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / f"{name}.csv")


def _items(name: str, table: pd.DataFrame) -> list[dict[str, Any]]:
    single = "benchmark" in table.columns
    found = []
    for label, record in zip(_labels(name, table), table.to_dict("records"), strict=True):
        for column, value in record.items():
            place = _place(column, record) if single else _ablation_place(column)
            if place is not None and not (isinstance(value, float) and math.isnan(value)):
                benchmark, metric = place
                cell = {
                    "table": name,
                    "benchmark": benchmark,
                    "row": label,
                    "metric": metric,
                    "value": float(value),
                }
                found.append(cell | {"source": SOURCES[name]})
    return found


def _place(column: str, record: dict[str, Any]) -> tuple[str, str] | None:
    known = column in ("R@1", "R@5", "R@10", "MdR", *_METRICS)
    return (record["benchmark"], _METRICS.get(column, column)) if known else None


def _ablation_place(column: str) -> tuple[str, str] | None:
    benchmark, _, metric = column.partition("_")
    return (_BENCHMARKS[benchmark], _METRICS[metric]) if benchmark in _BENCHMARKS else None


def _labels(name: str, table: pd.DataFrame) -> pd.Series:
    """A name for each row that is its own within table and benchmark."""
    text = table.astype(object).where(table.notna(), None)
    if name == "ablation_components":
        return text["row"]
    if name == "ablation_levels":
        return text.apply(
            lambda r: f"interval {r['interval']}" if r["kind"] == "interval" else f"levels {r['levels']}",
            axis=1,
        )
    if name == "ablation_structures":
        return text["method"]
    extra = ["test_time"] if name == "retrieval" else ["frames", "views"]
    return text.apply(lambda r: _label(r["method"], {part: r[part] for part in extra}), axis=1)


def _label(method: str, extra: dict[str, Any]) -> str:
    words = {"test_time": "{}", "frames": "{:g} frames", "views": "{} views"}
    return ", ".join(
        [method, *(words[part].format(value) for part, value in extra.items() if value is not None)]
    )
