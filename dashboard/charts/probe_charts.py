"""Scores of probes by level in, a plotly heat map out."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from dashboard.charts import palette
from dashboard.charts.study_charts import layout, printable

_SCALE = [[0.0, "#F1F3F5"], [1.0, palette.BLUE]]


def by_level(table: pd.DataFrame) -> go.Figure:
    """Draw one line per target and one column per level, each cell with its score.

    `table`: target, level, score (0 for guessing, 1 without error; below 0 where a probe is worse than guessing).
    """
    targets = list(dict.fromkeys(table["target"]))
    grid = table.pivot(index="target", columns="level", values="score").loc[targets]
    figure = go.Figure(
        go.Heatmap(
            z=grid.to_numpy(),
            x=[str(level) for level in grid.columns],
            y=printable(targets),
            zmin=0,
            zmax=1,
            colorscale=_SCALE,
            texttemplate="%{z:.2f}",
            hovertemplate="%{y} at level %{x}: %{z:.2f}<extra></extra>",
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    layout(figure, len(targets), x_title="level (0: input of the first block)")
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_xaxes(type="category")
    return figure
