"""The numbers that the paper and its slides print, filtered and drawn; one's own runs never enter here."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import charts, data, tables, words
from dashboard.views import grid, pick

_TITLES = {
    "retrieval": "Text-to-video retrieval",
    "recognition": "Recognition",
    "ablation_components": "Ablation: components",
    "ablation_structures": "Ablation: structures",
    "ablation_levels": "Ablation: levels",
}


def show() -> None:
    st.title("Printed benchmark tables")
    st.caption(
        "What the paper (R. Liu et al., CVPR 2023, arXiv 2301.11116) and its slides print; a dash is a dash in "
        "print. Nothing here was measured by this suite: your own runs stand under *Ablation* and *Runs*."
    )
    tables = data.published_tables()
    name = pick.one("Table", [name for name in _TITLES if name in tables], "table", format_func=_TITLES.get)
    {"retrieval": _retrieval, "recognition": _recognition}.get(name, _ablation)(tables[name])
    _disagreements(name)


def _disagreements(name: str) -> None:
    cells = data.disagreements()
    cells = cells[cells["table"] == name].drop(columns="table")
    if cells.empty:
        return
    st.subheader("Where slides and paper disagree")
    st.caption("This table shows what its source prints; these cells differ in the other.")
    grid.show(cells, key="disagreements")


def _filters(table: pd.DataFrame) -> pd.DataFrame:
    left, right = st.columns(2)
    with left:
        benchmark = pick.one("Benchmark", list(table["benchmark"].unique()), "benchmark")
    table = table[table["benchmark"] == benchmark]
    with right:
        groups = pick.several("Groups", list(table["group"].unique()), "group")
    return table[table["group"].isin(groups)] if groups else table


def _retrieval(table: pd.DataFrame) -> None:
    shown = _filters(table)
    named = tables.with_tricks(shown)
    st.plotly_chart(
        charts.printed_rows(named, "method", "R@1", "group"), key="retrieval", config=charts.CONFIG
    )
    grid.show(shown.drop(columns="benchmark").rename(columns=words.PRINTED), key="cells")


def _recognition(table: pd.DataFrame) -> None:
    shown = _filters(table)
    st.plotly_chart(charts.accuracy_over_cost(shown), key="cost", config=charts.CONFIG)
    st.caption(
        "GFLOPs as printed, all views. The STAN rows count multiply-accumulates of linear and patch layers only; "
        "their convolutional figures agree neither with the paper's bottleneck equation (541 and 610) nor with the "
        "first released code (849 and 1071). Methods printed without GFLOPs are in the table only."
    )
    grid.show(shown.drop(columns="benchmark").rename(columns=words.PRINTED), key="cells")


def _ablation(table: pd.DataFrame) -> None:
    columns = [column for column in words.BENCHMARKS if column in table]
    column = pick.one("Benchmark", columns, "column", format_func=words.BENCHMARKS.get)
    named = tables.labelled(table).rename(columns=words.BENCHMARKS)
    figure = charts.printed_rows(named, "label", words.BENCHMARKS[column])
    st.plotly_chart(figure, key="printed", config=charts.CONFIG)
    headers = words.BENCHMARKS | words.COMPONENTS | words.PRINTED
    grid.show(tables.ticked(table).rename(columns=headers), key="cells")
