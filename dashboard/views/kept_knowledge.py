"""Runs measured with CLIP's weights moved back in; a page out with what training gained and what it cost."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboard.charts import run_charts, study_charts
from dashboard.components import data_grid, downloads, measured_runs
from dashboard.tables import studies, study_tables
from stan.report import study_figures
from stan.results.record_files import INTERPOLATION

TITLE = "Kept knowledge"


def show() -> None:
    st.title(TITLE)
    st.caption(
        "What does training on videos make CLIP forget? CLIP's trained weights are moved back towards those that they "
        "started from, while the temporal method stays as trained (WiSE-FT, Open-VCLIP). Left of each panel: the model "
        "as trained. Right: CLIP's own weights. In the embedded world, unseen concepts and stills show what CLIP knew."
    )
    command = "stan interpolate runs/STUDY/ROW/HASH-s0"
    shown = measured_runs.chosen(INTERPOLATION, studies.interpolations, "hash", command)
    if shown:
        _interpolations(*shown)


def _interpolations(study: studies.StudyRuns, table: pd.DataFrame) -> None:
    st.plotly_chart(run_charts.interpolations(table), key="interpolation", config=study_charts.CONFIG)
    st.caption(
        "Means over seeds with 95 % intervals over queries; *change* is paired with the same model as trained, and its "
        "interval and p are also over seeds."
    )
    shown = study_tables.interpolations(table)
    data_grid.show(shown, key="interpolations", pinned="row", exact=["p"])
    ids = study.runs.loc[study.runs["hash"].isin(table["hash"]), "id"].tolist()
    command = " && ".join(f"stan interpolate runs/{run}" for run in ids)
    downloads.table("kept_knowledge", table, ids, command)
    downloads.figure("kept_knowledge", partial(study_figures.interpolations, table), ids, command)
