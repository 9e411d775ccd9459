"""Attention, frames, levels and scores of one video in, matplotlib figures out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from stan.common.plotting import BLUE, GREY, canvas, finished

if TYPE_CHECKING:
    from stan.explain.attention import Attention


def strip(
    frames: UInt8[np.ndarray, "T H W 3"],
    times: Sequence[float] | None = None,
    maps: Float[np.ndarray, "T h w"] | None = None,
    title: str = "",
) -> Figure:
    """Draw frames side by side with their times in seconds. `maps` lies over them, on one scale for all frames."""
    figure, row = plt.subplots(
        1, len(frames), figsize=(1.5 * len(frames), 2), squeeze=False, layout="constrained"
    )
    _strip(row[0], frames, times, maps)
    figure.suptitle(title, fontsize=10)
    return figure


def contact_sheet(
    seen: Mapping[str, tuple[UInt8[np.ndarray, "T H W 3"], Float[np.ndarray, " T"]]],
) -> Figure:
    """Draw the frames of several videos with their times in seconds, one row per video under its name."""
    columns = max(len(frames) for frames, _ in seen.values())
    figure = plt.figure(figsize=(1.3 * columns, 1.9 * len(seen)), layout="constrained")
    rows = np.asarray(figure.subfigures(len(seen), 1, squeeze=False)).ravel()
    for (name, (frames, times)), row in zip(seen.items(), rows, strict=True):
        row.suptitle(name.replace("$", r"\$"), fontsize=9, ha="left", x=0.01)
        _strip(row.subplots(1, columns, squeeze=False)[0], frames, times, None)
    return figure


def attention(maps: Attention) -> Figure:
    """Draw the frames, the attention of CLIP's last block, of its pooling and of the branch's last layer, as far as
    there is any, and the note below.

    The attention is averaged over heads.
    """
    last = {
        "CLIP": None if maps.clip is None else maps.clip[-1],
        "pooling": maps.pooling,
        "branch": None if maps.branch is None else maps.branch[-1],
    }
    rows: list[tuple[str, np.ndarray | None]] = [("frames", None)]
    rows += [(name, heads.mean(axis=1)) for name, heads in last.items() if heads is not None]
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
    """Draw the frames and, below them, one row of maps per name, each row on its own scale."""
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
    """Draw which frame (row) reads which frame (column). Rows sum to one."""
    figure, axes = plt.subplots(figsize=(4, 3.6), layout="constrained")
    image = axes.imshow(weights, cmap="viridis", vmin=0)
    axes.set(xlabel="frame that is read", ylabel="frame that reads", title=title)
    figure.colorbar(image, ax=axes)
    return figure


def scores(values: Mapping[str, float], xlabel: str = "cosine") -> Figure:
    """Draw one bar per text, the highest on top."""
    ordered = dict(sorted(values.items(), key=lambda item: -item[1]))
    figure, axes = canvas(list(ordered))
    axes.barh(np.arange(len(ordered)), list(ordered.values()), height=0.6, color=BLUE)
    axes.set_xlabel(xlabel)
    return finished(figure, axes)


def _strip(
    row: Sequence[Axes],
    frames: np.ndarray,
    times: Sequence[float] | np.ndarray | None,
    maps: np.ndarray | None,
) -> None:
    for i, axes in enumerate(row):
        axes.imshow(frames[i])
        if maps is not None:
            axes.imshow(
                _enlarged(maps[i], frames.shape[1:3]), cmap="magma", alpha=0.6, vmin=0, vmax=maps.max()
            )
        if times is not None:
            digits = 1 if times[-1] - times[0] >= 1 else 2
            axes.set_title(f"{times[i]:.{digits}f} s", fontsize=9)
        _no_ticks(axes)


def _no_ticks(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _enlarged(values: Float[np.ndarray, "h w"], size: tuple[int, int]) -> Float[np.ndarray, "H W"]:
    picture = Image.fromarray(values.astype(np.float32))
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BILINEAR))
