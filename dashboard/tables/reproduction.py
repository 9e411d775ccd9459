"""The user's runs in; printed cells with own numbers beside them, and one line per printed row, out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.tables import records
from stan.experiments import published
from stan.report import reproduction as printed_and_own
from stan.report.formats import one_decimal
from stan.report.reproduction import STATUSES

FILTERS = ("group", "backbone", "tricks", "pretraining")
"""Columns by which lines can be filtered, if the table has them."""

_TOLD = (
    "group",
    "test_time",
    "pretraining",
    "frames",
    "views",
    "kind",
    "levels",
    "interval",
    *labels.COMPONENTS,
)
"""Columns of a printed table that describe its rows."""

_METRICS = ("R@1", "R@5", "R@10", "MdR", "top-1", "top-5", "GFLOPs")
_ASCENDING = ("MdR", "GFLOPs")
_BACKBONE = re.compile(r"\b([BL])/(\d+)")
OWN, STATUS = "own ", "status "


@st.cache_data(show_spinner=False)
def published_tables() -> dict[str, pd.DataFrame]:
    return published.tables()


def cells(counted: bool = False) -> list[dict[str, Any]]:
    """Return `stan.report.reproduction.cells` of the user's own runs; counted: count STAN's cost on the model."""
    return _cells(records.stamps(), counted, records.runs())


@st.cache_data(show_spinner="Looking for runs that answer print ...", max_entries=4)
def _cells(key: str, counted: bool, _runs: pd.DataFrame) -> list[dict[str, Any]]:
    return printed_and_own.cells(_runs[~_runs["shipped"]], _gmacs if counted else None)


def _gmacs(preset: str, frames: int, views: int) -> float:
    from stan.bench.flops import cost

    return cost(preset, frames, views)["gmacs_linear"]


def lines(items: Sequence[Mapping[str, Any]], printed: pd.DataFrame) -> pd.DataFrame:
    """Return one line per printed row; a printed and an own number never share a column.

    Columns: benchmark, row, the printed description of the row, backbone, tricks and, for each metric, METRIC (the
    printed number), "own METRIC" and "status METRIC".
    items: the items of one table in `stan.report.reproduction.cells`. printed: that table.
    """
    keys = ["benchmark", "row"] if "benchmark" in printed else ["row"]
    cells = pd.DataFrame(items).drop(columns="interval")  # confidence interval; the levels table has another
    told = printed[[name for name in _TOLD if name in printed]].reset_index(drop=True)
    rows = cells[keys].drop_duplicates(ignore_index=True)
    assert len(rows) == len(told), "every printed row has a number, in the table's order"
    cells = cells.merge(rows.join(told), on=keys)
    found = [_line(group, list(told)) for _, group in cells.groupby(["benchmark", "row"], sort=False)]
    table = pd.DataFrame(found).drop(columns="test_time", errors="ignore")
    return table.astype({name: bool for name in labels.COMPONENTS if name in table})


def metrics(table: pd.DataFrame) -> list[str]:
    """Return the metrics with at least one printed number, the headline first."""
    return [name for name in _METRICS if name in table and table[name].notna().any()]


def narrowed(table: pd.DataFrame, benchmark: str, wanted: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return the lines of one benchmark that pass all filters.

    wanted: by filter, the values to keep; no values keep all lines.
    """
    table = table[table["benchmark"] == benchmark]
    for name, values in wanted.items():
        table = table[table[name].isin(values)] if values else table
    return table


def ranked(table: pd.DataFrame, metric: str | None) -> pd.DataFrame:
    """Return the table with the best printed `metric` first and dashes last; None keeps the printed order."""
    return (
        table if metric is None else table.sort_values(metric, ascending=metric in _ASCENDING, kind="stable")
    )


def filled(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table without uninformative columns: empty ones, and statuses of metrics that no run measured."""
    idle = [name for name in table if name.startswith(STATUS) and set(table[name].dropna()) <= {STATUSES[-1]}]
    return table.drop(columns=idle).dropna(axis=1, how="all")


def statuses(items: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many printed numbers have each status."""
    counts = pd.Series([item["status"] for item in items]).value_counts()
    return {status: int(counts.get(status, 0)) for status in STATUSES}


def remarks(items: Sequence[Mapping[str, Any]], benchmark: str) -> pd.DataFrame:
    """Return row, metric, printed and note of the cells with a note, for example where sources disagree."""
    noted = [item for item in items if item["note"] and item["benchmark"] == benchmark]
    told = [
        {"row": item["row"], "metric": item["metric"], "printed": item["value"], "note": item["note"]}
        for item in noted
    ]
    return pd.DataFrame(told, columns=["row", "metric", "printed", "note"])


def answered(items: Sequence[Mapping[str, Any]], benchmark: str) -> pd.DataFrame:
    """Return row, metric, printed, own, 95 %, status, reason and runs of the cells that have an own number."""
    own = [item for item in items if item["own"] is not None and item["benchmark"] == benchmark]
    names = ["row", "metric", "printed", "own", "95 %", "status", "reason", "runs"]
    return pd.DataFrame([_answer(item) for item in own], columns=names)


def _answer(item: Mapping[str, Any]) -> dict[str, Any]:
    interval = item["interval"]
    shown = {"row": item["row"], "metric": item["metric"], "printed": item["value"], "own": item["own"]}
    shown["95 %"] = None if interval is None else f"{one_decimal(interval[0])} to {one_decimal(interval[1])}"
    return shown | {"status": item["status"], "reason": item["reason"] or "", "runs": ", ".join(item["runs"])}


def _line(cells: pd.DataFrame, told: Sequence[str]) -> dict[str, Any]:
    first = cells.iloc[0]
    line = {"benchmark": first["benchmark"], "row": first["row"]} | {name: first[name] for name in told}
    line |= {"backbone": _backbone(first["row"], first["protocol"]), "tricks": _tricks(first, told)}
    for cell in cells.to_dict("records"):
        metric = cell["metric"]
        own = float("nan") if cell["own"] is None else float(cell["own"])
        line |= {metric: cell["value"], f"{OWN}{metric}": own, f"{STATUS}{metric}": cell["status"]}
    return line


def _backbone(row: str, protocol: Mapping[str, Any] | None) -> str:
    named = _BACKBONE.search(row)
    if named:
        return f"ViT-{named[1]}-{named[2]}"
    return protocol["backbone"] if protocol else "not stated"


def _tricks(first: pd.Series, told: Sequence[str]) -> str:
    if "test_time" in told:
        return "none" if pd.isna(first["test_time"]) else str(first["test_time"])
    if "views" in told:
        return f"{first['views']} views"
    return ", ".join((first["protocol"] or {}).get("test_time", [])) or "none"
