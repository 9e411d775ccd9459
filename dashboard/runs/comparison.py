"""Several runs in; what differs between them, their paired change, curves and parallel coordinates out."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.charts import run_charts, study_charts
from dashboard.components import comparability, data_grid, downloads, url_widgets
from dashboard.runs import learning_curves
from dashboard.tables import records, study_tables
from stan.report.formats import with_interval

MOST = 12
"""Most runs beside each other."""

_AXES = ["model.temporal", "train.lr", "seed", "seconds"]


def show(chosen: pd.DataFrame) -> None:
    """Show up to MOST runs beside each other, if they may be compared."""
    if len(chosen) > MOST:
        st.caption(f"{len(chosen)} runs are ticked; up to {MOST} are shown beside each other.")
        return
    st.subheader(f"{len(chosen)} runs beside each other")
    if not comparability.allowed(chosen):
        return
    _paired(chosen)
    beside = study_tables.side_by_side(chosen)
    data_grid.show(beside, key="beside", pinned="what")
    downloads.table("runs", beside, list(chosen["id"]), records.commands(chosen))
    st.markdown("##### Learning curves")
    learning_curves.show({run["id"]: records.record(run["path"]) for _, run in chosen.iterrows()})


def _paired(chosen: pd.DataFrame) -> None:
    """Show the change from the first ticked run to the second if there are exactly two, on the same queries."""
    if len(chosen) != 2 or chosen["headline"].nunique() != 1:
        return
    try:
        change = records.change(chosen)
    except ValueError as error:
        st.caption(f"Not paired: {labels.plain(error)}.")
        return
    low_high = labels.plain(with_interval(change.change, change.low, change.high, "+"))
    st.markdown(
        f"{labels.metric(chosen['headline'].iloc[0])}, from the first to the second: **{low_high}** points, "
        f"{change.won} queries won, {change.lost} lost (paired, 95 %)."
    )


def parallel(runs: pd.DataFrame, names: Sequence[str]) -> None:
    """Show parallel coordinates of runs, with axes to choose from `names`."""
    measured = [name for name in labels.METRICS if name in runs and runs[name].notna().sum() > 1]
    if not measured:
        return
    with st.expander("Parallel coordinates"):
        metric = url_widgets.one("Metric", measured, "metric", format_func=labels.metric)
        axes = url_widgets.several("Axes", names, "axes", default=_AXES)
        filled = [name for name in axes if runs[name].notna().any()]
        figure = run_charts.parallel(runs, filled, metric)
        st.plotly_chart(figure, key="parallel", config=study_charts.CONFIG)
