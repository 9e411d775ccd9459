"""Runs measured with CLIP's weights moved back in; a page out with what training gained and what it cost."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboard.charts import run_charts, study_charts
from dashboard.components import data_grid, downloads, measured_runs, url_widgets
from dashboard.tables import studies, study_tables
from stan import report
from stan.report import formats, study_figures
from stan.results.record_files import INTERPOLATION

TITLE = "Kept knowledge"


def show() -> None:
    st.title(TITLE)
    st.caption(
        "What does training on videos make CLIP forget? CLIP's trained weights are moved back towards those that they "
        "started from, while the temporal method stays as trained (WiSE-FT, Open-VCLIP). A share of 0% is the model as "
        "trained, 100% are CLIP's own weights. In the embedded world, unseen concepts and stills show what CLIP knew."
    )
    command = "stan interpolate runs/STUDY/ROW/HASH-s0"
    shown = measured_runs.chosen(INTERPOLATION, studies.interpolations, "hash", command)
    if shown:
        study, table = shown
        ids = study.runs.loc[study.runs["hash"].isin(table["hash"]), "id"].tolist()
        command = " && ".join(f"stan interpolate runs/{run}" for run in ids)
        _trade_off(report.trade_off(table), ids, command)
        _shares(table, ids, command)


def _trade_off(table: pd.DataFrame, ids: list[str], command: str) -> None:
    """Show what rows find of one set over what they kept, where they were measured on a set that tells it."""
    if table.empty:
        return
    st.subheader("What is found, over what is kept")
    plane = table[table["y_set"] == url_widgets.one("Found", list(table["y_set"].unique()), "found")]
    st.plotly_chart(run_charts.trade_off(plane), key="trade-off", config=study_charts.CONFIG)
    shares = ", ".join(f"{share:.0%}" for share in plane["share"].unique())
    st.caption(
        f"Marks at {shares} of CLIP's own weights. A row above and to the right of another finds more and has kept "
        "more. Means over n seeds with 95 % intervals over queries; a row of a single seed has no interval here."
    )
    draw = partial(study_figures.trade_off, formats.unmathed(plane))
    downloads.figure("trade_off", draw, ids, command)


def _shares(table: pd.DataFrame, ids: list[str], command: str) -> None:
    st.subheader("Every set by share")
    st.plotly_chart(run_charts.interpolations(table), key="interpolation", config=study_charts.CONFIG)
    st.caption(
        "Means over seeds with 95 % intervals over queries; *change* is paired with the same model as trained, and its "
        "interval and p are also over seeds."
    )
    data_grid.show(study_tables.interpolations(table), key="interpolations", pinned="row", exact=["p"])
    downloads.table("kept_knowledge", table, ids, command)
    draw = partial(study_figures.interpolations, formats.unmathed(table))
    downloads.figure("kept_knowledge", draw, ids, command)
