"""Times of benches in, a plotly figure of how they grow out."""

from __future__ import annotations

from html import escape

import pandas as pd
import plotly.graph_objects as go

from dashboard.charts import palette
from dashboard.charts.study_charts import layout

SIZES = {"height": "height of the picture in pixels"}
"""Axis titles of sizes whose column name says too little."""

_DASHES = ("solid", "dash", "dot")


def growth_over_size(table: pd.DataFrame, size: str) -> go.Figure:
    """Draw milliseconds over sizes on log scales, where proportional growth has slope 1.

    table: line, size, median, spread (`dashboard.tables.speed.growth`).
    """
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
