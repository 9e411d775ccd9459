"""Logs of runs in; their learning curves, with the choices of how they are drawn, out."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard import labels
from dashboard.charts import run_charts, study_charts
from dashboard.components import url_widgets
from dashboard.tables import records

_SMOOTH = (1, 5, 20, 100)


def show(runs: Mapping[str, records.Record]) -> None:
    """Draw the curves of runs by name."""
    logged = {name: record for name, record in runs.items() if not record.steps.empty}
    if not logged:
        st.caption("Nothing logged.")
        return
    first, second, third = st.columns(3)
    with first:
        by = url_widgets.one(
            "Along", list(run_charts.CLOCKS), "along", format_func=run_charts.CLOCKS.__getitem__
        )
    with second:
        smooth = url_widgets.one(
            "Smoothed over", _SMOOTH, "smooth", format_func=lambda n: f"{n} step{'s' * (n > 1)}"
        )
    with third:
        log = url_widgets.switch("Loss on a log scale", "log")
    lines = {name: (record.steps, record.validation) for name, record in logged.items()}
    metric = labels.metric(next(iter(logged.values())).headline)
    st.plotly_chart(
        run_charts.curves(lines, metric, by, smooth, log), key="curve", config=study_charts.CONFIG
    )
