"""Plain tables in, plotly figures out. These functions read no files, show no widgets and compute no results."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from dashboard.charts import palette

ROW_HEIGHT = 34
SLANTED = 70
"""Extra height, in pixels, for long x-axis names that plotly slants because they don't fit side by side."""
CHANCE = 50.0
CONFIG = {"displayModeBar": False, "scrollZoom": False, "responsive": True}
"""Plotly options of every figure: no toolbar, and scrolling the page by touch doesn't drag the plot."""


def printable(values) -> list[str]:
    """Return the names escaped for plotly, which interprets some HTML; names may come from foreign folders.

    A line break in a name is one in the figure.
    """
    return [escape(str(value), quote=False).replace("\n", "<br>") for value in values]


def layout(figure: go.Figure, rows: int, x_title: str = "", y_title: str = "") -> go.Figure:
    """Set the height for `rows` rows, the legend on top and the axis titles; return the figure."""
    figure.update_layout(
        height=90 + ROW_HEIGHT * max(rows, 2),
        margin={"l": 8, "r": 12, "t": 34, "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0, "title": ""},
        hoverlabel={"align": "left"},
        dragmode=False,
    )
    figure.update_xaxes(title=x_title, automargin=True, zeroline=False)
    figure.update_yaxes(title=y_title, automargin=True)
    return figure


def top_down(figure: go.Figure, names: list[str]) -> go.Figure:
    """Put the first table row on top, as in the table itself; return the figure."""
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1], type="category")
    return figure


def whiskers(low: ArrayLike, middle: ArrayLike, high: ArrayLike, colour: str | None = None) -> dict:
    """Return the error bars of marks at `middle`; without a colour, they have that of the marks."""
    above, below = np.subtract(high, middle), np.subtract(middle, low)
    return {"array": above, "arrayminus": below, "thickness": 2, "width": 5, "color": colour}


def verdict(low: float, high: float) -> str:
    """Return what the interval of a change shows: better, worse or undecided (it contains 0)."""
    return "better" if low > 0 else "worse" if high < 0 else "undecided"


_VERDICTS = {
    "better": (palette.BETTER, "circle"),
    "worse": (palette.WORSE, "diamond"),
    "undecided": (palette.UNDECIDED, "circle-open"),
}


def forest(changes: pd.DataFrame, metric: str) -> go.Figure:
    """Draw a forest plot of paired changes.

    `changes`: row, change, low, high (points of `metric`), won, lost (numbers of queries).
    """
    figure = go.Figure()
    names = printable(changes["row"])
    table = changes.assign(name=names, verdict=list(map(verdict, changes["low"], changes["high"])))
    for says, (colour, symbol) in _VERDICTS.items():
        part = table[table["verdict"] == says]
        if part.empty:
            continue
        figure.add_scatter(
            x=part["change"],
            y=part["name"],
            mode="markers",
            name=says,
            error_x=whiskers(part["low"], part["change"], part["high"]),
            marker={"color": colour, "symbol": symbol, "size": 11, "line": {"width": 2, "color": colour}},
            customdata=part[["low", "high", "won", "lost"]],
            hovertemplate="<b>%{y}</b><br>%{x:+.1f} points [%{customdata[0]:+.1f}, %{customdata[1]:+.1f}]"
            "<br>%{customdata[2]} won, %{customdata[3]} lost<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": palette.GREY, "width": 1, "dash": "dot"})
    layout(figure, len(table), x_title=f"points of {escape(metric)}")
    return top_down(figure, names)


def rows(summary: pd.DataFrame, runs: pd.DataFrame, metric: str, unit: str = "percent") -> go.Figure:
    """Draw each row's mean with its interval, and every seed.

    `summary`: row, mean, low, high, n (seeds); `runs`: row, seed, value. Values are in `unit`.
    """
    figure = go.Figure()
    names = printable(summary["row"])
    figure.add_scatter(
        x=runs["value"],
        y=printable(runs["row"]),
        mode="markers",
        name="one seed",
        marker={"color": palette.GREY, "symbol": "line-ns-open", "size": 12, "line": {"width": 2}},
        customdata=runs["seed"],
        hovertemplate="%{y}, seed %{customdata}: %{x:.1f}<extra></extra>",
    )
    figure.add_scatter(
        x=summary["mean"],
        y=names,
        mode="markers",
        name="mean, 95 % interval",
        error_x=whiskers(summary["low"], summary["mean"], summary["high"], palette.OWN),
        marker={"color": palette.OWN, "size": 10},
        customdata=summary[["low", "high", "n"]],
        hovertemplate="<b>%{y}</b>: %{x:.1f} [%{customdata[0]:.1f}, %{customdata[1]:.1f}]"
        "<br>%{customdata[2]} seeds<extra></extra>",
    )
    layout(figure, len(summary), x_title=escape(", ".join(filter(None, (metric, unit)))))
    return top_down(figure, names)


def seen_unseen(summary: pd.DataFrame, metric: str) -> go.Figure:
    """Draw dumbbells. `summary`: row, seen, unseen (percent).

    The gap is what a row loses on concepts that no training video shows.
    """
    figure = go.Figure()
    names = printable(summary["row"])
    for name, seen, unseen in zip(names, summary["seen"], summary["unseen"], strict=True):
        figure.add_scatter(
            x=[seen, unseen],
            y=[name, name],
            mode="lines",
            showlegend=False,
            hoverinfo="skip",
            line={"color": palette.GREY, "width": 2},
        )
    for column, colour, symbol in (("seen", palette.SEEN, "circle"), ("unseen", palette.UNSEEN, "diamond")):
        figure.add_scatter(
            x=summary[column],
            y=names,
            mode="markers",
            name=f"{column} concepts",
            marker={"color": colour, "symbol": symbol, "size": 12},
            hovertemplate=f"<b>%{{y}}</b>, {column}: %{{x:.1f}}<extra></extra>",
        )
    layout(figure, len(summary), x_title=escape(metric) + ", percent")
    return top_down(figure, names)


def order(summary: pd.DataFrame) -> go.Figure:
    """Draw order accuracy over twins, with a line at chance.

    `summary`: row, mean, low, high (percent), n (seeds).
    """
    figure = go.Figure()
    names = printable(summary["row"])
    figure.add_scatter(
        x=summary["mean"],
        y=names,
        mode="markers",
        showlegend=False,
        error_x=whiskers(summary["low"], summary["mean"], summary["high"], palette.OWN),
        marker={"color": palette.OWN, "size": 11},
        customdata=summary["n"],
        hovertemplate="<b>%{y}</b>: %{x:.1f}, %{customdata} seeds<extra></extra>",
    )
    figure.add_vline(
        x=CHANCE,
        line={"color": palette.VERMILION, "width": 1.5, "dash": "dash"},
        annotation={"text": "chance", "font": {"color": palette.VERMILION}, "yanchor": "bottom", "y": 1.0},
        annotation_position="top",
    )
    layout(figure, len(summary), x_title="order accuracy over twins, percent")
    figure.update_xaxes(range=[min(35.0, float(summary["low"].min()) - 5), 103])
    return top_down(figure, names)


def order_by_kind(table: pd.DataFrame) -> go.Figure:
    """Draw a heat map of order accuracy; white is chance, blue is above it.

    `table`: row, kind (of motion), accuracy (percent), N (twins).
    """
    names = list(dict.fromkeys(table["row"]))
    kinds = list(dict.fromkeys(table["kind"]))
    grid = table.pivot(index="row", columns="kind", values="accuracy").loc[names, kinds]
    count = table.pivot(index="row", columns="kind", values="N").loc[names, kinds]
    figure = go.Figure(
        go.Heatmap(
            z=grid.to_numpy(),
            x=printable(kinds),
            y=printable(names),
            customdata=count.to_numpy(),
            colorscale=palette.DIVERGING,
            zmin=0,
            zmax=100,
            xgap=2,
            ygap=2,
            texttemplate="%{z:.0f}",
            hovertemplate="<b>%{y}</b>, %{x}: %{z:.1f} of %{customdata} twins<extra></extra>",
            showscale=False,
        )
    )
    layout(figure, len(names), x_title="kind of motion")
    figure.update_layout(height=figure.layout.height + SLANTED)
    # `top_down` can't be used here: ordering the categories would put each cell's number in another row
    figure.update_yaxes(autorange="reversed", type="category")
    return figure


def accuracy_over_cost(table: pd.DataFrame, metric: str) -> go.Figure:
    """Draw printed accuracy over printed GFLOPs (log scale), with the user's own runs as stars.

    table: `dashboard.tables.reproduction.lines`.
    """
    figure = go.Figure()
    printed = table.dropna(subset=["GFLOPs", metric])
    for index, (group, part) in enumerate(_groups(printed)):
        figure.add_scatter(
            x=part["GFLOPs"],
            y=part[metric],
            mode="markers",
            name=escape(str(group)),
            marker={**palette.mark(index), "size": 13 if group == "STAN" else 10},
            customdata=printable(part["row"]),
            hovertemplate="<b>%{customdata}</b><br>%{y:.1f} at %{x:,.0f} GFLOPs<extra></extra>",
        )
    own = table.assign(at=table["own GFLOPs"].fillna(table["GFLOPs"])).dropna(subset=["at", f"own {metric}"])
    if len(own):
        _add_own(figure, own["at"], own[f"own {metric}"], own["row"])
    layout(figure, 9, x_title="GFLOPs, all views (log)", y_title=f"{escape(metric)}, percent")
    figure.update_xaxes(type="log", dtick=1)
    return figure


def printed_and_own(table: pd.DataFrame, metric: str) -> go.Figure:
    """Draw one metric, one line per row: printed numbers as coloured marks, the user's own runs as stars.

    Rows with a dash in print are left out.
    """
    figure = go.Figure()
    printed = table.dropna(subset=[metric])
    for index, (group, part) in enumerate(_groups(printed)):
        figure.add_scatter(
            x=part[metric],
            y=printable(part["row"]),
            mode="markers",
            name=escape(str(group)),
            marker={**palette.mark(index), "size": 11},
            hovertemplate="<b>%{y}</b>: %{x:.1f} as printed<extra></extra>",
        )
    own = printed.dropna(subset=[f"own {metric}"])
    if len(own):
        _add_own(figure, own[f"own {metric}"], printable(own["row"]), own["row"])
    layout(figure, len(printed), x_title=f"{escape(metric)}, as printed")
    return top_down(figure, list(dict.fromkeys(printable(printed["row"]))))


def _groups(printed: pd.DataFrame):
    return printed.groupby("group", sort=False) if "group" in printed else [("printed", printed)]


def _add_own(figure: go.Figure, x, y, rows) -> None:
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers",
        name="your runs",
        marker={"symbol": "star-open", "size": 15, "color": palette.VERMILION, "line": {"width": 2}},
        customdata=printable(rows),
        hovertemplate="<b>%{customdata}</b>, your runs<extra></extra>",
    )
