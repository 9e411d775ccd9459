"""Saved results of benches in; out come tables of times, growth over sizes and memory, and a figure."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from dashboard.charts import palette
from dashboard.charts.study_charts import layout
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

SIZES = {"height": "height of the picture in pixels"}
"""Axis titles of sizes whose column name says too little."""

_DASHES = ("solid", "dash", "dot")

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


def growth_over_size(table: pd.DataFrame, size: str) -> go.Figure:
    """Draw milliseconds over sizes on log scales, where proportional growth has slope 1. table: from `growth`."""
    figure = go.Figure()
    for index, (name, line) in enumerate(table.groupby("line", sort=False)):
        turn, place = divmod(index, len(palette.SERIES))
        line = line.sort_values("size")
        figure.add_scatter(
            x=line["size"],
            y=line["median"],
            mode="lines+markers",
            name=escape(str(name)),
            line={"color": palette.SERIES[place], "dash": _DASHES[turn % len(_DASHES)], "width": 2},
            marker={"symbol": palette.SYMBOLS[place], "size": 9},
            customdata=line["spread"],
            hovertemplate="%{y:,.1f} ms, quartiles %{customdata:,.1f} ms apart<extra>%{fullData.name}</extra>",
        )
    layout(figure, 12, x_title=f"{escape(SIZES.get(size, size))} (log)", y_title="ms (log)")
    figure.update_xaxes(type="log", tickvals=sorted(table["size"].unique()))
    figure.update_yaxes(type="log")
    return figure
