"""One run in; a page of its lost queries out: their groups, what was answered instead, and links to the demo."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.charts import run_charts, study_charts
from dashboard.components import data_grid, downloads, url_widgets
from dashboard.tables import arguments, queries, records, studies
from stan.report import lost_queries

TITLE = "Lost queries"

_ALL = "all"


def show() -> None:
    st.title(TITLE)
    found = studies.done(records.runs())
    if not found:
        st.info("No run is done whose answers could be looked at. This makes some:")
        st.code(labels.FIRST_STUDY, language="bash")
        return
    run = _choose(found)
    try:
        table = queries.of_run(run["path"])
    except ValueError as error:
        st.error(f"This run's answers can't be read: {labels.plain(error)}.")
        return
    lost = int(table["lost"].sum())
    st.caption(
        f"{labels.plain(run['id'])}: {lost} of {len(table)} queries are lost, that is, their right answer doesn't "
        "stand first and alone."
    )
    by = _groups(table)
    if by is not None:
        _lost(table, by, run)


def _choose(found: list[studies.StudyRuns]) -> pd.Series:
    first, second, third = st.columns([2, 1, 1])
    with first:
        study = url_widgets.study(found)
    with second:
        row = url_widgets.one("Row", studies.rows(study), "row", default="stan")
    seeds = study.runs[study.runs["row"] == row].sort_values("seed")
    with third:
        run = url_widgets.one("Run", list(seeds["id"]), "run", format_func=lambda id: id.rpartition("/")[2])
    return seeds.set_index("id", drop=False).loc[run]


def _groups(table: pd.DataFrame) -> str | None:
    """Show the groups and return the column they are grouped by.

    Return "right" if no column tells the queries apart, and None if no query is lost.
    """
    known = queries.groupings(table)
    if not table["lost"].any():
        st.success("No query is lost.")
        return None
    if not known:
        st.info("Nothing is known of these queries that they could be grouped by.")
        return "right"
    by = url_widgets.one("Grouped by", known, "by", format_func=queries.GROUPS.__getitem__)
    counted = lost_queries.groups(table, by)
    st.plotly_chart(run_charts.lost(counted.head(queries.MOST)), key="groups", config=study_charts.CONFIG)
    if len(counted) > queries.MOST:
        st.caption(f"The {queries.MOST} groups of {len(counted)} in which most was lost.")
    return by


def _lost(table: pd.DataFrame, by: str, run: pd.Series) -> None:
    st.subheader("Lost queries")
    value = url_widgets.one(f"Only, by {queries.GROUPS[by]}", [_ALL, *queries.values(table, by)], "only")
    shown = queries.lost(table, by, None if value == _ALL else value, arguments.demo())
    if not any(map(len, table["answers"])):
        st.info(
            "This record is from before the first five answers were kept: it tells ranks, and no answers. A run that "
            "is made now keeps them."
        )
    st.caption(
        "*rank*: the right answer's place. *1* to *5*: what was answered first. *demo*: searches for the same words "
        "in the demo, which `stan demo` starts."
    )
    data_grid.show(shown, key="lost", links={"demo": "search"}, height=460)
    command = f"stan runs --study {run['study']} --suite {run['suite']} --json"
    downloads.table("lost_queries", shown, [run["id"]], command)
