"""Nothing in; the colours, canvas and file writer that all matplotlib figures share, out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by colour-blind readers too
BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8A94A3"
ROW_HEIGHT = 0.42
"""Inches."""


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
    figure, axes = plt.subplots(figsize=(8, 1.2 + ROW_HEIGHT * len(names)), layout="constrained")
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
