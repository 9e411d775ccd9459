"""Tables of runs in, plotly figures out: learning curves, coordinates, cost, time, moved weights, lost queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts import palette
from dashboard.charts.study_charts import layout, printable, top_down, whiskers
from stan import results

Curves = Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]
"""The tables (steps, validation) of each run, as `study_tables.curves` returns them."""

TITLE_HEIGHT = 30
"""Of a panel, in pixels."""

HAIRLINE = {"thickness": 0.5, "width": 0}
"""Of the whiskers of marks that have some in both directions."""

CLOCKS = {"epoch": "epoch", "step": "step", "time": "seconds"}
"""Columns that can be the x-axis of learning curves, with their axis titles."""


def curves(runs: Curves, metric: str, by: str = "epoch", smooth: int = 1, log: bool = False) -> go.Figure:
    """Draw the training loss above the validation metric, with one line per run.

    by: key of CLOCKS. smooth: span, in steps, of the exponentially weighted moving average of the loss.
    """
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1)
    for index, (name, (steps, validation)) in enumerate(runs.items()):
        mark = palette.mark(index)
        shown = {"name": escape(name), "legendgroup": name, "line": {"color": mark["color"], "width": 2}}
        if by in steps:
            loss = steps["loss"].ewm(span=smooth).mean() if smooth > 1 else steps["loss"]
            figure.add_scatter(x=steps[by], y=loss, mode="lines", row=1, col=1, **shown)
        if by in validation:
            marks = {
                "mode": "lines+markers",
                "marker": {"symbol": mark["symbol"], "size": 8},
                "showlegend": False,
            }
            figure.add_scatter(x=validation[by], y=validation["value"], row=2, col=1, **marks, **shown)
    layout(figure, 8)
    figure.update_layout(showlegend=len(runs) > 1, hovermode="x")
    figure.update_yaxes(title="loss", type="log" if log else "linear", row=1, col=1)
    figure.update_yaxes(title=escape(metric), row=2, col=1)
    figure.update_xaxes(title=CLOCKS[by], row=2, col=1)
    return figure


def parallel(runs: pd.DataFrame, columns: Sequence[str], metric: str) -> go.Figure:
    """Draw parallel coordinates of `columns` and `metric`. `metric` comes last and colours the lines.

    The values of text columns become evenly spaced ticks.
    """
    shown = runs.dropna(subset=[metric])
    axes = [_axis(shown[name], name) for name in [*(name for name in columns if name != metric), metric]]
    line = {"color": shown[metric].astype(float), "colorscale": "Cividis", "showscale": True}
    figure = go.Figure(go.Parcoords(dimensions=axes, line=line, labelangle=-20, labelside="bottom"))
    figure.update_layout(height=440, margin={"l": 60, "r": 40, "t": 40, "b": 90})
    return figure


def _axis(values: pd.Series, name: str) -> dict:
    label = escape(name.rpartition(".")[2] if results.is_setting(name) else name)
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return {"label": label, "values": values.astype(float)}
    words = values.astype(str).where(values.notna(), "none")
    places = {word: place for place, word in enumerate(sorted(words.unique()))}
    ticks = {"tickvals": list(places.values()), "ticktext": printable(places)}
    return {"label": label, "values": words.map(places), **ticks}


def cost(table: pd.DataFrame, column: str, x_title: str, metric: str) -> go.Figure:
    """Draw each row's mean and interval over one cost.

    table: row, mean, low, high and `column`, the cost (`stan.report.costs`).
    """
    figure = go.Figure()
    for index, row in enumerate(table.dropna(subset=[column]).to_dict("records")):
        mark = palette.mark(index)
        figure.add_scatter(
            x=[row[column]],
            y=[row["mean"]],
            name=escape(str(row["row"])),
            mode="markers",
            error_y=whiskers([row["low"]], [row["mean"]], [row["high"]], mark["color"]),
            marker={**mark, "size": 12},
            hovertemplate="%{y:.1f} at %{x:,.3~s}",
        )
    return layout(figure, 8, x_title=escape(x_title), y_title=f"{escape(metric)}, percent")


def time_probe(table: pd.DataFrame, metric: str) -> go.Figure:
    """Draw every run's score on rearranged frames.

    table: run, arrangement, value, low, high (`stan.report.time_probes`).
    """
    figure = go.Figure()
    for index, (run, part) in enumerate(table.groupby("run", sort=False)):
        mark = palette.mark(index)
        figure.add_scatter(
            x=part["value"],
            y=printable(part["arrangement"]),
            name=escape(str(run)),
            mode="markers",
            orientation="h",  # otherwise plotly would spread the runs along the value axis
            error_x=whiskers(part["low"], part["value"], part["high"], mark["color"]),
            marker={**mark, "size": 10},
            hovertemplate="%{y}: %{x:.1f}",
        )
    arrangements = list(dict.fromkeys(printable(table["arrangement"])))
    layout(figure, len(arrangements), x_title=f"{escape(metric)}, percent")
    figure.update_layout(scattermode="group")
    return top_down(figure, arrangements)


def interpolations(table: pd.DataFrame) -> go.Figure:
    """Draw what rows find with CLIP's weights moved back, one panel per measured set.

    table: row, on, metric, share, value, low, high (`stan.report.interpolations`).
    """
    sets = list(table.groupby(table["on"] + ", " + table["metric"], sort=False))
    titles = printable(name for name, _ in sets)
    figure = make_subplots(
        rows=len(sets), cols=1, shared_xaxes=True, vertical_spacing=0.06, subplot_titles=titles
    )
    marks = {row: palette.mark(place) for place, row in enumerate(dict.fromkeys(table["row"]))}
    for panel, (_, of_set) in enumerate(sets, 1):
        for row, part in of_set.groupby("row", sort=False):
            mark = marks[row]
            figure.add_scatter(
                x=part["share"],
                y=part["value"],
                name=escape(str(row)),
                legendgroup=str(row),
                showlegend=panel == 1,
                mode="lines+markers",
                line={"color": mark["color"], "width": 2},
                error_y=whiskers(part["low"], part["value"], part["high"], mark["color"]),
                marker={"symbol": mark["symbol"], "size": 8},
                hovertemplate="%{y:.1f} at %{x}",
                row=panel,
                col=1,
            )
    layout(figure, 6 * len(sets))
    above = 1 + TITLE_HEIGHT / (figure.layout.height - 100)  # the legend stands above the first panel's title
    figure.update_layout(margin={"t": 2 * TITLE_HEIGHT}, legend={"y": above})
    figure.update_yaxes(rangemode="tozero", title="percent")
    figure.update_xaxes(title="share of CLIP's own weights", row=len(sets), col=1)
    return figure


def trade_off(table: pd.DataFrame) -> go.Figure:
    """Draw each row's way from the model as trained to CLIP's own weights, over what CLIP knew.

    table: row, n, share, x_set, x, x_low, x_high, y_set, y, y_low, y_high, of one set on y (`stan.report.trade_off`).
    """
    figure = go.Figure()
    for place, (row, way) in enumerate(table.groupby("row", sort=False)):
        mark = palette.mark(place)
        shares = [f"{share:.0%}" for share in way["share"]]
        figure.add_scatter(
            x=way["x"],
            y=way["y"],
            name=f"{escape(str(row))}, n = {way['n'].iloc[0]}",
            mode="lines+markers+text",
            text=shares[:1],  # the way's other end is where it leads to
            textposition="bottom left",
            line={"color": mark["color"], "width": 2},
            error_x=whiskers(way["x_low"], way["x"], way["x_high"], mark["color"]) | HAIRLINE,
            error_y=whiskers(way["y_low"], way["y"], way["y_high"], mark["color"]) | HAIRLINE,
            marker={"symbol": mark["symbol"], "size": 10},
            customdata=shares,
            hovertemplate="<b>%{fullData.name}</b><br>%{y:.1f} over %{x:.1f}<br>"
            "at %{customdata} of CLIP's own weights<extra></extra>",
        )
    x_title, y_title = (f"{escape(table[name].iloc[0])}, percent" for name in ("x_set", "y_set"))
    return layout(figure, 12, x_title=x_title, y_title=y_title)


def lost(groups: pd.DataFrame) -> go.Figure:
    """Draw the share of lost queries in each group.

    groups: group, queries, lost, share, confused (`stan.report.lost_queries.groups`).
    """
    names = printable(groups["group"])
    confused = 100 * groups["confused"] / groups["queries"]
    figure = go.Figure()
    for name, share, colour, pattern in (
        ("lost, confused with the twin", confused, palette.WORSE, "/"),
        ("lost otherwise", groups["share"] - confused, palette.OWN, ""),
    ):
        figure.add_bar(
            x=share,
            y=names,
            name=name,
            orientation="h",
            marker={"color": colour, "pattern": {"shape": pattern}},
            customdata=np.stack([groups["lost"], groups["queries"]], axis=1),
            hovertemplate="<b>%{y}</b>: %{customdata[0]} of %{customdata[1]} lost",
        )
    layout(figure, len(groups), x_title="lost, percent of the group's queries")
    figure.update_layout(barmode="stack")
    return top_down(figure, names)
