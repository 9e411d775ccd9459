"""Tables of results, frames and attention maps in; matplotlib figures for notebooks and files out.

Charts take what `stan.results` returns and hold no numbers of their own. Percent unless an axis says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

if TYPE_CHECKING:
    from stan.explain.attention import Attention

# Okabe and Ito's colours, told apart by colour-blind readers too
BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8A94A3"
CHANCE = 50.0
_ROW_HEIGHT = 0.42


def ablation(
    summary: pd.DataFrame,
    metric: str,
    paper: Mapping[str, float | None] | None = None,
    seeds: pd.DataFrame | None = None,
) -> Figure:
    """Bars of every row's mean with its 95 % interval, first row on top, the paper's numbers as diamonds beside.

    summary: row, n, mean, low, high (`results.summary`). paper: printed number by row; None for a dash.
    seeds: row, value; every run as a point of its own.
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
    axes.set(xlabel=f"{metric}, percent", xlim=(0, None))
    return finished(figure, axes)


_PAPER = "printed, on the benchmark this suite mirrors"


def forest(changes: pd.DataFrame, metric: str, baseline: str) -> Figure:
    """Paired changes against `baseline` with their 95 % intervals; filled where the interval leaves zero out: a circle
    above it, a diamond below, so that print without colour tells them apart, too.

    changes: row, change, low, high, won, lost (`results.changes`); rows without numbers are left out.
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
    """Every row's accuracy at telling a video from its time-reversed twin, with the line of chance.

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
    """For every row the score on concepts that moved in training and on those it knows from stills alone.

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
    """Loss by step beside the validation metric by epoch. histories: `results.history` by run name."""
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
    """Loss by step of a pretraining. lines: dicts of step and loss."""
    figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
    axes.plot([line["step"] for line in lines], [line["loss"] for line in lines], color=BLUE)
    axes.set(xlabel="step", ylabel="loss")
    bare(axes)
    return figure


def probes(scores: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """R2 of linear probes by level, one panel per kind of token, one line per target (`stan.evaluation.linear_probe.place`)."""
    figure, panels = plt.subplots(
        1, len(scores), figsize=(4.5 * len(scores), 3.4), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, (tokens, by_target) in zip(panels[0], scores.items(), strict=True):
        for target, values in by_target.items():
            axes.plot(range(len(values)), values, marker="o", label=target)
        axes.set(title=tokens, xlabel="level (0: input of the first block)", ylim=(-0.1, 1.05))
        bare(axes)
    panels[0][0].set_ylabel("R2")
    panels[0][-1].legend(frameon=False, fontsize=9)
    return figure


def strip(
    frames: UInt8[np.ndarray, "T H W 3"],
    times: Sequence[float] | None = None,
    maps: Float[np.ndarray, "T h w"] | None = None,
    title: str = "",
) -> Figure:
    """Frames side by side with their times in seconds; `maps` (one scale for all frames) lies over them."""
    figure, row = plt.subplots(
        1, len(frames), figsize=(1.5 * len(frames), 2), squeeze=False, layout="constrained"
    )
    _strip(row[0], frames, times, maps)
    figure.suptitle(title, fontsize=10)
    return figure


def attention(maps: Attention) -> Figure:
    """Frames, CLIP's last block's attention, the branch's last layer's, each averaged over heads; its note below."""
    rows: list[tuple[str, np.ndarray | None]] = [("frames", None), ("CLIP", maps.clip[-1].mean(axis=1))]
    if maps.branch is not None:
        rows.append(("branch", maps.branch[-1].mean(axis=1)))
    size = (1.4 * len(maps.pixels) + 0.6, 1.55 * len(rows) + 0.5)
    figure, grid = plt.subplots(
        len(rows), len(maps.pixels), figsize=size, squeeze=False, layout="constrained"
    )
    for (name, values), row in zip(rows, grid, strict=True):
        _strip(row, maps.pixels, maps.times if name == "frames" else None, values)
        row[0].set_ylabel(name)
    figure.supxlabel(maps.note, fontsize=8, color=GREY)
    return figure


def levels(rows: Mapping[str, Float[np.ndarray, "T h w"]], frames: UInt8[np.ndarray, "T H W 3"]) -> Figure:
    """One row of maps per name under the frames, each row on its own scale."""
    size = (1.3 * len(frames) + 0.8, 1.4 * (len(rows) + 1))
    figure, grid = plt.subplots(len(rows) + 1, len(frames), figsize=size, squeeze=False, layout="constrained")
    _strip(grid[0], frames, None, None)
    grid[0][0].set_ylabel("frames")
    for (name, values), row in zip(rows.items(), grid[1:], strict=True):
        for axes, one in zip(row, values, strict=True):
            axes.imshow(one, vmin=values.min(), vmax=values.max(), cmap="viridis")
            _no_ticks(axes)
        row[0].set_ylabel(name, fontsize=9)
    return figure


def time_by_time(weights: Float[np.ndarray, "T T"], title: str = "") -> Figure:
    """Which frame (row) reads which (column), rows summing to one."""
    figure, axes = plt.subplots(figsize=(4, 3.6), layout="constrained")
    image = axes.imshow(weights, cmap="viridis", vmin=0)
    axes.set(xlabel="frame that is read", ylabel="frame that reads", title=title)
    figure.colorbar(image, ax=axes)
    return figure


def scores(values: Mapping[str, float], xlabel: str = "cosine") -> Figure:
    """One bar per text, highest on top."""
    ordered = dict(sorted(values.items(), key=lambda item: -item[1]))
    figure, axes = canvas(list(ordered))
    axes.barh(np.arange(len(ordered)), list(ordered.values()), height=0.6, color=BLUE)
    axes.set_xlabel(xlabel)
    return finished(figure, axes)


def save(figure: Figure, path: str | Path) -> None:
    """Writes a figure as .png, .pdf or .svg. Raises ValueError for another ending."""
    path = Path(path)
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise ValueError(f"{path}: a picture's name ends in .png, .pdf or .svg")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def canvas(names: Sequence[Any] | pd.Series) -> tuple[Figure, Axes]:
    """Axes with one named place per row, the first on top."""
    figure, axes = plt.subplots(figsize=(8, 1.2 + _ROW_HEIGHT * len(names)), layout="constrained")
    axes.set_yticks(np.arange(len(names)), [str(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    return figure, axes


def finished(figure: Figure, axes: Axes) -> Figure:
    """Bare axes, and a legend below where anything is named."""
    bare(axes)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def bare(axes: Axes) -> None:
    """Without a frame above and on the right."""
    axes.spines[["top", "right"]].set_visible(False)


def _strip(
    row: Sequence[Axes], frames: np.ndarray, times: Sequence[float] | None, maps: np.ndarray | None
) -> None:
    for i, axes in enumerate(row):
        axes.imshow(frames[i])
        if maps is not None:
            axes.imshow(
                _enlarged(maps[i], frames.shape[1:3]), cmap="magma", alpha=0.6, vmin=0, vmax=maps.max()
            )
        if times is not None:
            axes.set_title(f"{times[i]:.1f} s", fontsize=9)
        _no_ticks(axes)


def _enlarged(values: Float[np.ndarray, "h w"], size: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    picture = Image.fromarray(values.astype(np.float32))
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _no_ticks(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
