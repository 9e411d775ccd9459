"""Offers the colours, the canvas and the file writer that all matplotlib figures share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can also tell apart
BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8A94A3"
ROW_HEIGHT = 0.42
"""Height of one row, in inches."""


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as .png, .pdf or .svg. Raises ValueError for another ending."""
    path = Path(path)
    if path.suffix not in (".png", ".pdf", ".svg"):
        raise ValueError(f"{path}: a picture's name ends in .png, .pdf or .svg")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def canvas(names: Sequence[Any] | pd.Series) -> tuple[Figure, Axes]:
    """Return a figure and axes with one labelled place per row, the first on top."""
    figure, axes = plt.subplots(figsize=(8, 1.2 + ROW_HEIGHT * len(names)), layout="constrained")
    axes.set_yticks(np.arange(len(names)), [str(name) for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    return figure, axes


def finished(figure: Figure, axes: Axes) -> Figure:
    """Return the figure with bare axes, and a legend below if anything has a label."""
    bare(axes)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def bare(axes: Axes) -> None:
    """Remove the lines above and to the right of the axes."""
    axes.spines[["top", "right"]].set_visible(False)
