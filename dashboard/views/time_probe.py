"""Runs that were probed: what each scores with its frames shuffled, reversed, frozen or left out."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboard import charts, data, run_charts, words
from dashboard.views import downloads, fair, grid, pick
from stan import export, study_figures


def show() -> None:
    st.title("Time")
    st.caption(
        "Does time matter? A run's weights are measured again on the test split with the frames of every clip in "
        "another order, frozen to the middle one, or fewer. What doesn't fall has not read time."
    )
    studies = data.probed(data.studies(data.runs()))
    if not studies:
        st.info(
            "No run was probed yet. This probes one that was trained here and keeps the answer beside its record:"
        )
        st.code("stan evaluate runs/STUDY/ROW/HASH-s0 --time-probe", language="bash")
        return
    study = pick.study(studies)
    table = data.time_probes(study)
    rows = pick.several("Rows", list(dict.fromkeys(table["row"])), "rows")
    table = table[table["row"].isin(rows)] if rows else table
    if fair.allowed(study.runs[study.runs["id"].isin(table["id"])]):
        _probes(study, table)


def _probes(study: data.Study, table: pd.DataFrame) -> None:
    metric = words.metric(str(study.runs["headline"].iloc[0]))
    st.plotly_chart(run_charts.time_probe(table, metric), key="probe", config=charts.CONFIG)
    st.caption("Mean and 95 % interval over queries; *change* is paired with the frames as given.")
    grid.show(table.drop(columns=["row", "seed", "id"]), key="probes", pinned="run")
    ids = list(dict.fromkeys(table["id"]))
    command = " && ".join(f"stan evaluate runs/{run} --time-probe" for run in ids)
    downloads.table("time", table, ids, command)
    named = table.assign(run=export.unmathed(table.assign(row=table["run"]))["row"])
    downloads.figure("time", partial(study_figures.time_probes, named, metric), ids, command)
