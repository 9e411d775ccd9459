"""Tables of results in; matplotlib figures for notebooks and files out.

Charts show what `stan.results` returns and hold no numbers of their own. Values are in percent unless an axis says
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stan.common import lazily
from stan.common.plotting import BLUE, GREEN, GREY, ORANGE, VERMILION, bare, canvas, finished

__getattr__ = lazily.names(
    __name__,
    dict.fromkeys(("attention", "levels", "scores", "strip", "time_by_time"), "stan.explain.figures"),
)
"""The notebooks of version 0.1 look here for the figures of one video; studies are drawn without torch."""

CHANCE = 50.0


def ablation(
    summary: pd.DataFrame,
    metric: str,
    paper: Mapping[str, float | None] | None = None,
    seeds: pd.DataFrame | None = None,
    unit: str = "percent",
) -> Figure:
    """Draw every row's mean as a bar with its 95 % interval, first row on top, and printed numbers as diamonds.

    summary: row, n, mean, low, high (`results.summary`).
    paper: printed number by row; None for a dash.
    seeds: row, value; every run is drawn as a point of its own.
    unit: of the values; empty if they have none.
    """
    figure, axes = canvas(summary["row"])
    place = np.arange(len(summary))
    axes.barh(place, summary["mean"], height=0.6, color=BLUE, label="here: mean and 95 % interval")
    error = [summary["mean"] - summary["low"], summary["high"] - summary["mean"]]
    axes.errorbar(summary["mean"], place, xerr=error, fmt="none", ecolor="black", capsize=3)
    if seeds is not None:
        at = seeds["row"].map({row: i for i, row in enumerate(summary["row"])}).to_numpy(float)
        axes.plot(seeds["value"], at + 0.2, "o", color="black", markerfacecolor="white", label="one seed")
    printed = [(paper or {}).get(row) for row in summary["row"]]
    known = [(i, value) for i, value in enumerate(printed) if value is not None]
    if known:
        axes.scatter(
            *reversed(list(zip(*known, strict=True))),
            marker="D",
            color=ORANGE,
            edgecolor="black",
            zorder=3,
            label=_PAPER,
        )
    axes.set(xlabel=", ".join(filter(None, (metric, unit))), xlim=(0, None))
    return finished(figure, axes)


_PAPER = "printed, on the benchmark this suite mirrors"


def forest(changes: pd.DataFrame, metric: str, baseline: str) -> Figure:
    """Draw paired changes against `baseline` with their 95 % intervals.

    A mark is filled if its interval excludes zero: a circle above zero, a diamond below, so that the two also differ in
    print without colour.

    changes: row, change, low, high, won, lost (`results.changes`). Rows without numbers are left out.
    """
    known = changes[changes["change"].notna()]
    figure, axes = canvas(known["row"])
    for place, (_, row) in enumerate(known.iterrows()):
        decided = row["low"] > 0 or row["high"] < 0
        colour = (GREEN if row["low"] > 0 else VERMILION) if decided else GREY
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2)
        mark = "D" if row["high"] < 0 else "o"
        axes.plot(row["change"], place, mark, color=colour, markerfacecolor=colour if decided else "white")
        text = f"{int(row['won'])} won, {int(row['lost'])} lost"
        axes.annotate(
            text, (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8, color=GREY
        )
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel(f"change in {metric} against {baseline}, points")
    return finished(figure, axes)


def order_accuracy(summary: pd.DataFrame) -> Figure:
    """Draw every row's accuracy at telling a video from its time-reversed twin, with a line at chance.

    summary: of the metric order.accuracy.
    """
    figure, axes = canvas(summary["row"])
    place = np.arange(len(summary))
    error = [summary["mean"] - summary["low"], summary["high"] - summary["mean"]]
    axes.errorbar(
        summary["mean"], place, xerr=error, fmt="o", color=BLUE, capsize=3, label="mean and 95 % interval"
    )
    axes.axvline(CHANCE, color=GREY, linestyle="--", label="blind to order")
    axes.set(xlabel="order accuracy, percent", xlim=(0, 102))
    return finished(figure, axes)


def seen_unseen(seen: pd.DataFrame, unseen: pd.DataFrame, metric: str) -> Figure:
    """Draw every row's score on concepts that its model saw moving in training, and on those known from stills alone.

    seen, unseen: `results.summary` of "seen.METRIC" and "unseen.METRIC".
    """
    both = seen.merge(unseen, on="row", suffixes=("_seen", "_unseen"), sort=False)
    figure, axes = canvas(both["row"])
    place = np.arange(len(both))
    axes.hlines(place, both["mean_unseen"], both["mean_seen"], color=GREY)
    for name, colour, marker in (("seen", BLUE, "o"), ("unseen", ORANGE, "D")):
        error = [both[f"mean_{name}"] - both[f"low_{name}"], both[f"high_{name}"] - both[f"mean_{name}"]]
        axes.errorbar(
            both[f"mean_{name}"], place, xerr=error, fmt=marker, color=colour, capsize=3, label=name
        )
    axes.set(xlabel=f"{metric}, percent", xlim=(0, None))
    return finished(figure, axes)


def learning_curves(histories: Mapping[str, pd.DataFrame], metric: str) -> Figure:
    """Draw the loss by step next to the validation metric by epoch. histories: `results.history` by run name."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for name, history in histories.items():
        if "loss" in history:
            losses = history[history["loss"].notna()]
            left.plot(losses["step"], losses["loss"], label=name, linewidth=1)
        if f"validation.{metric}" in history:
            values = history[history[f"validation.{metric}"].notna()]
            right.plot(values["epoch"] + 1, values[f"validation.{metric}"], marker="o", label=name)
    left.set(xlabel="step", ylabel="loss", title="training")
    right.set(xlabel="epoch", ylabel=f"{metric}, percent", title="validation")
    for axes in (left, right):
        bare(axes)
    if len(histories) > 1:
        right.legend(fontsize=8, frameon=False)
    return figure


def losses(lines: Sequence[Mapping[str, float]]) -> Figure:
    """Draw the loss of a pretraining by step. lines: dicts with step and loss."""
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    axes.plot([line["step"] for line in lines], [line["loss"] for line in lines], color=BLUE)
    axes.set(xlabel="step", ylabel="loss")
    bare(axes)
    return figure


def probes(r2: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw the R2 of `stan.evaluation.linear_probe.place` by level.

    Each kind of token has a panel, and each target a line.
    """
    figure, panels = plt.subplots(
        1, len(r2), figsize=(4.5 * len(r2), 3.4), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, (tokens, by_target) in zip(panels[0], r2.items(), strict=True):
        for target, values in by_target.items():
            axes.plot(range(len(values)), values, marker="o", label=target)
        axes.set(title=tokens, xlabel="level (0: input of the first block)", ylim=(-0.1, 1.05))
        bare(axes)
    panels[0][0].set_ylabel("R2")
    panels[0][-1].legend(frameon=False, fontsize=9)
    return figure
