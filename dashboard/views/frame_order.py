"""Probed runs in; a page out with their scores on shuffled, reversed, frozen or fewer frames."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.charts import run_charts, study_charts
from dashboard.components import data_grid, downloads, measured_runs
from dashboard.tables import studies
from stan.report import formats, study_figures
from stan.results.record_files import PROBE

TITLE = "Frame order"


def show() -> None:
    st.title(TITLE)
    st.caption(
        "Does time matter? A run's weights are measured again on the test split with the frames of every clip in "
        "another order, frozen to the middle one, or fewer. What doesn't fall has not read time."
    )
    command = "stan evaluate runs/STUDY/ROW/HASH-s0 --time-probe"
    shown = measured_runs.chosen(PROBE, studies.time_probes, "id", command)
    if shown:
        _probes(*shown)


def _probes(study: studies.StudyRuns, table: pd.DataFrame) -> None:
    metric = labels.metric(str(study.runs["headline"].iloc[0]))
    st.plotly_chart(run_charts.time_probe(table, metric), key="probe", config=study_charts.CONFIG)
    st.caption("Mean and 95 % interval over queries; *change* is paired with the frames as given.")
    data_grid.show(table.drop(columns=["row", "seed", "id"]), key="probes", pinned="run")
    ids = list(dict.fromkeys(table["id"]))
    command = " && ".join(f"stan evaluate runs/{run} --time-probe" for run in ids)
    downloads.table("frame_order", table, ids, command)
    named = table.assign(run=formats.unmathed(table.assign(row=table["run"]))["row"])
    downloads.figure("frame_order", partial(study_figures.time_probes, named, metric), ids, command)
