"""Tables of a study in; figures of quality against cost, of rearranged frames, moved weights and CLIP's levels out."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stan.common.plotting import BLUE, GREEN, GREY, ORANGE, VERMILION, bare, canvas, finished

COSTS = {
    "gmacs": "GMACs a video",
    "params_added": "parameters added, millions",
    "seconds": "seconds of training",
}
"""Columns of `stan.report.costs`, with their labels."""

_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, "black", GREY)
_MARKS = ("o", "D", "s", "^", "v", "P", "X", "*", "<", ">", "p", "h", "d")


def _styles(names: Iterable[Hashable]) -> dict[Hashable, tuple[str, str]]:
    """Return the mark and colour of each name; one that comes again keeps its own."""
    styles = itertools.cycle(zip(_MARKS, itertools.cycle(_COLOURS)))
    return dict(zip(dict.fromkeys(names), styles, strict=False))


def cost(table: pd.DataFrame, metric: str) -> Figure:
    """Draw quality with its 95 % interval against each known cost, one panel per cost. Every row has its own mark.

    table: row, mean, low, high and the columns of COSTS (`stan.report.costs`); params_added as a count.
    Raises ValueError if no row has a cost.
    """
    table = table.assign(params_added=table["params_added"] / 1e6)
    known = [name for name in COSTS if table[name].notna().any()]
    if not known:
        raise ValueError("no row has a cost that could be counted or was timed")
    figure, panels = plt.subplots(
        1, len(known), figsize=(4 * len(known), 3.8), sharey=True, squeeze=False, layout="constrained"
    )
    for (_, row), (mark, colour) in zip(table.iterrows(), _styles(table.index).values(), strict=True):
        error = [[row["mean"] - row["low"]], [row["high"] - row["mean"]]]
        for axes, name in zip(panels[0], known, strict=True):
            axes.errorbar(
                row[name], row["mean"], yerr=error, fmt=mark, color=colour, capsize=2, label=str(row["row"])
            )
    for axes, name in zip(panels[0], known, strict=True):
        axes.set_xlabel(COSTS[name])
        bare(axes)
    panels[0][0].set_ylabel(f"{metric}, percent")
    figure.legend(
        *panels[0][0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=4,
        frameon=False,
        fontsize=8,
    )
    return figure


def time_probes(table: pd.DataFrame, metric: str) -> Figure:
    """Draw the scores of every probed run with its frames rearranged, with 95 % intervals. Every run has its own mark.

    table: run, arrangement, value, low, high (`stan.report.time_probes`).
    """
    arrangements, runs = list(dict.fromkeys(table["arrangement"])), list(dict.fromkeys(table["run"]))
    figure, axes = canvas(arrangements)
    figure.set_figheight(max(figure.get_figheight(), 1.2 + 0.16 * len(arrangements) * len(runs)))
    beside = np.linspace(-0.3, 0.3, len(runs)) if len(runs) > 1 else [0.0]
    for shift, (run, (mark, colour)) in zip(beside, _styles(runs).items(), strict=True):
        part = table[table["run"] == run]
        place = part["arrangement"].map(arrangements.index) + shift
        error = [part["value"] - part["low"], part["high"] - part["value"]]
        axes.errorbar(part["value"], place, xerr=error, fmt=mark, color=colour, capsize=2, label=str(run))
    axes.set(xlabel=f"{metric}, percent", xlim=(0, 102))
    return finished(figure, axes)


def interpolations(table: pd.DataFrame) -> Figure:
    """Draw what rows find with CLIP's weights moved back, with 95 % intervals: one panel per measured set.

    table: row, on, metric, share, value, low, high (`stan.report.interpolations`).
    """
    sets = list(table.groupby(table["on"] + ", " + table["metric"], sort=False))
    styles = _styles(table["row"])
    figure, panels = plt.subplots(
        1, len(sets), figsize=(3.2 * len(sets), 3.6), sharex=True, squeeze=False, layout="constrained"
    )
    for axes, (name, of_set) in zip(panels[0], sets, strict=True):
        for row, part in of_set.groupby("row", sort=False):
            mark, colour = styles[row]
            error = [part["value"] - part["low"], part["high"] - part["value"]]
            axes.errorbar(
                part["share"],
                part["value"],
                yerr=error,
                fmt=f"-{mark}",
                color=colour,
                capsize=2,
                label=str(row),
            )
        axes.set(title=name, xlabel="share of CLIP's own weights", ylabel="percent", ylim=(0, None))
        bare(axes)
    handles = panels[0][0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure


def trade_off(table: pd.DataFrame) -> Figure:
    """Draw each row's way from the model as trained to CLIP's own weights, over what CLIP knew: one panel per set on y.

    table: row, n, share, x_set, x, x_low, x_high, y_set, y, y_low, y_high (`stan.report.trade_off`).
    """
    planes = list(table.groupby("y_set", sort=False))
    styles = _styles(table["row"])
    size = (1.2 + 3.8 * len(planes), 4.6)
    figure, panels = plt.subplots(1, len(planes), figsize=size, squeeze=False, layout="constrained")
    for axes, (name, plane) in zip(panels[0], planes, strict=True):
        for row, way in plane.groupby("row", sort=False):
            _draw_way(axes, way, *styles[row])
        axes.set(xlabel=f"{table['x_set'].iloc[0]}, percent", ylabel=f"{name}, percent")
        bare(axes)
    handles = panels[0][0].get_legend_handles_labels()
    shares = ", ".join(f"{share:.0%}" for share in table["share"].unique())
    figure.legend(
        *handles,
        loc="outside lower center",
        ncols=2 * len(planes),
        frameon=False,
        fontsize=8,
        title=f"marks at {shares} of CLIP's own weights",
        title_fontsize=8,
    )
    return figure


def _draw_way(axes: Axes, way: pd.DataFrame, mark: str, colour: str) -> None:
    """Draw one row's marks and intervals, joined, with the share at which they begin."""
    axes.errorbar(
        way["x"],
        way["y"],
        xerr=[way["x"] - way["x_low"], way["x_high"] - way["x"]],
        yerr=[way["y"] - way["y_low"], way["y_high"] - way["y"]],
        fmt=f"-{mark}",
        color=colour,
        elinewidth=0.5,
        label=f"{way['row'].iloc[0]}, n = {way['n'].iloc[0]}",
    )
    share, x, y = way[["share", "x", "y"]].iloc[0]
    axes.annotate(f"{share:.0%}", (x, y), (-4, -3), textcoords="offset points", ha="right", va="top", size=7)


def levels(rows: pd.DataFrame) -> Figure:
    """Draw what probes read off each level of a CLIP: one panel per probe, one line per target, one column per level.

    rows: probe, target, level, score (`stan.evaluation.level_probes.level_probes`).
    """
    by_probe = list(rows.groupby("probe", sort=False))
    count, targets = rows["level"].nunique(), rows["target"].nunique()
    figure, panels = plt.subplots(
        1,
        len(by_probe),
        figsize=((1.2 + 0.45 * count) * len(by_probe), 1 + 0.3 * targets),
        squeeze=False,
        layout="constrained",
    )
    for axes, (probe, table) in zip(panels[0], by_probe, strict=True):
        names = list(dict.fromkeys(table["target"]))
        grid = table.pivot(index="target", columns="level", values="score").loc[names]
        axes.imshow(grid.to_numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (y, x), score in np.ndenumerate(grid.to_numpy(float)):
            colour = "white" if float(score) > 0.6 else "black"
            axes.text(x, y, f"{score:.2f}", ha="center", va="center", fontsize=7, color=colour)
        axes.set(title=probe, xlabel="level (0: input of the first block)")
        axes.set_xticks(range(len(grid.columns)), [str(level) for level in grid.columns])
        axes.set_yticks(range(len(names)), names)
    return figure
