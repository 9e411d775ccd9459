"""Printed cells in, their page out: paper and slides and, in columns of their own, what the user's runs measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.charts import study_charts
from dashboard.components import data_grid, downloads, url_widgets
from dashboard.tables import reproduction

TITLE = "Benchmarks"

_TITLES = {
    "retrieval": "Text-to-video retrieval",
    "recognition": "Recognition",
    "ablation_components": "Ablation: components",
    "ablation_structures": "Ablation: structures",
    "ablation_levels": "Ablation: levels",
}
_AS_PRINTED = "as printed"
_REPRODUCED = "*reproduced*: the printed number lies in the 95 % interval of runs under the same protocol."
_DISAGREE = "Where slides and paper disagree, the table shows what its own source prints."

Items = Sequence[Mapping[str, Any]]


def show() -> None:
    st.title(TITLE)
    st.caption(
        "What the paper (R. Liu et al., CVPR 2023, arXiv 2301.11116) and its slides print, and beside it, in columns "
        "of their own, what your runs measured on the same benchmark. The embedded world mirrors benchmarks but "
        "doesn't measure them: its runs stand under *Ablation* and never here. A dash is a dash in print."
    )
    name = url_widgets.one("Table", list(_TITLES), "table", format_func=_TITLES.__getitem__)
    counted = url_widgets.switch(
        "Count what STAN costs on the model", "count", help="Some seconds, the first time."
    )
    items = [item for item in reproduction.cells(counted) if item["table"] == name]
    _statuses(items)
    table, metric = _chosen(reproduction.lines(items, reproduction.published_tables()[name]))
    if table.empty:
        st.info("No printed row has all that. Take a filter away.")
        return
    benchmark = str(table["benchmark"].iloc[0])
    _figure(table, metric)
    shown = reproduction.filled(table.drop(columns="benchmark")).rename(columns=labels.COMPONENTS)
    data_grid.show(shown, key="cells", pinned="row")
    _section(
        reproduction.answered(items, benchmark), "What your runs say", _REPRODUCED, "answers", pinned="row"
    )
    _section(reproduction.remarks(items, benchmark), "What to know about single cells", _DISAGREE, "remarks")
    runs = sorted({run for item in items for run in item["runs"]})
    downloads.table(f"benchmark-{name}", shown, runs, f"stan published --table {name} --json")


def _statuses(items: Items) -> None:
    counts = reproduction.statuses(items)
    with st.container(horizontal=True):
        for status, count in counts.items():
            st.metric(status, count, border=True)
    if counts["not run"] == len(items):
        st.caption(
            "No run of yours answers a number of this table yet. With real weights and real data, this does:"
        )
        st.code(
            "stan ablate components --data msrvtt:ROOT --backbone ViT-B-32 --pretrained openai",
            language="bash",
        )


def _chosen(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the lines that pass the filters, in the chosen order, and the metric to draw."""
    left, middle, right = st.columns(3)
    with left:
        benchmark = url_widgets.one("Benchmark", list(table["benchmark"].unique()), "benchmark")
    known = reproduction.metrics(table[table["benchmark"] == benchmark])
    with middle:
        metric = url_widgets.one("Metric", [name for name in known if name != "GFLOPs"], "metric")
    with right:
        order = url_widgets.one("Order", [_AS_PRINTED, *known], "order")
    filters = [name for name in reproduction.FILTERS if name in table and table[name].nunique() > 1]
    wanted = {}
    for name, column in zip(filters, st.columns(len(filters) or 1), strict=False):
        with column:
            wanted[name] = url_widgets.several(name.capitalize(), sorted(table[name].dropna().unique()), name)
    return reproduction.ranked(
        reproduction.narrowed(table, benchmark, wanted), None if order == _AS_PRINTED else order
    ), metric


def _figure(table: pd.DataFrame, metric: str) -> None:
    if "GFLOPs" in table and table["GFLOPs"].notna().any():
        figure = study_charts.accuracy_over_cost(table, metric)
        st.plotly_chart(figure, key="cost", config=study_charts.CONFIG)
        st.caption(
            "GFLOPs as printed, all views. The STAN rows count multiply-accumulates of linear and patch layers only; "
            "their convolutional figures agree neither with the paper's bottleneck equation (541 and 610) nor with "
            "the first released code (849 and 1071). Methods printed without GFLOPs are in the table only."
        )
    if table[metric].notna().any():
        st.plotly_chart(
            study_charts.printed_and_own(table, metric), key="printed", config=study_charts.CONFIG
        )


def _section(table: pd.DataFrame, title: str, caption: str, key: str, pinned: str | None = None) -> None:
    """Show a table under its title; show nothing if it is empty."""
    if table.empty:
        return
    st.subheader(title)
    st.caption(caption)
    data_grid.show(table, key=key, pinned=pinned)
