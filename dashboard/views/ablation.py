"""One study on one suite in; its page out: rows, seeds, intervals, twins, queries and the paper's numbers."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.charts import run_charts, study_charts
from dashboard.components import data_grid, downloads, refresh, url_widgets
from dashboard.tables import arguments, queries, records, studies
from stan.report import figures, formats, study_figures

TITLE = "Ablation"


def show() -> None:
    st.title(TITLE)
    refresh.when_a_run_ends()
    found = studies.done(records.runs())
    if not found:
        st.info("No study has a finished run. This runs the component ablation, one seed:")
        st.code(labels.FIRST_STUDY, language="bash")
        return
    study, metric, baseline = _choose(found)
    st.caption(_origin(study))
    summary = studies.summary(study, metric)
    changes = studies.changes(study, baseline, metric)
    _headlines(summary, changes, metric, baseline)
    _table(study, metric, summary, changes, baseline)
    left, right = st.columns(2, gap="large")
    with left:
        changes = _change(study, changes, baseline, metric)
    with right:
        _knowledge(study, metric)
    _seeds(study, metric, summary)
    _twins(study)
    _cost(study, metric)
    _queries(study, metric, baseline)
    _export(study, metric, baseline, summary, changes)


def _choose(found: list[studies.StudyRuns]) -> tuple[studies.StudyRuns, str, str]:
    """Return the chosen study, metric and baseline; each is kept in the address."""
    first, second, third = st.columns([2, 1, 1])
    with first:
        study = url_widgets.study(found)
    with second:
        metric = url_widgets.one("Metric", studies.metrics(study), "metric", format_func=labels.metric)
    with third:
        baseline = url_widgets.one(
            "Compared with", studies.rows(study), "baseline", default=studies.baseline(study)
        )
    return study, metric, baseline


def _origin(study: studies.StudyRuns) -> str:
    text = f"Test split; weights: {labels.plain(study.weights)}. Intervals: 95 %, over queries and seeds."
    if study.shipped:
        machines = ", ".join(sorted(study.runs["machine"].astype(str).unique()))
        commits = ", ".join(sorted(study.runs["commit"].astype(str).str[:10].unique()))
        text += f" **Shipped reference**, made on {labels.plain(machines)} at commit {labels.plain(commits)}."
    return text


def _headlines(summary: pd.DataFrame, changes: pd.DataFrame, metric: str, baseline: str) -> None:
    """Show the best row that may be compared with the baseline, the baseline, and their difference."""
    fair = changes[changes["reason"] == ""]
    if fair.empty:
        return
    best = fair.loc[fair["change"].idxmax()]
    quiet: dict[str, Any] = {"delta_color": "off", "delta_arrow": "off", "border": True}
    with st.container(horizontal=True):
        for own in summary[summary["row"].isin([best["row"], baseline])].itertuples():
            seeds = f"{labels.metric(metric)}, {own.n} {'seed' if own.n == 1 else 'seeds'}"
            st.metric(labels.plain(own.row), f"{formats.one_decimal(own.mean)} %", seeds, **quiet)
        change, low, high = (formats.one_decimal(best[name], "+") for name in ("change", "low", "high"))
        st.metric("difference, paired", f"{change} points", f"95 %: {low} to {high}", **quiet)


def _table(
    study: studies.StudyRuns, metric: str, summary: pd.DataFrame, changes: pd.DataFrame, baseline: str
) -> None:
    st.subheader("Rows")
    every = url_widgets.switch("All of the paper's benchmarks", "printed")
    data_grid.show(studies.ablation_table(study, metric, summary, changes, every), key="rows", pinned="row")
    st.caption(
        f"{labels.metric(metric)} in percent; sd over seeds. Change: against {labels.plain(baseline)}, in points, "
        "paired over identical queries. *order*: order accuracy over twins. *seen*, *unseen*: on concepts that did "
        "and did not appear in training videos. *last*: after the last epoch instead of the best on validation or of"
        " the mean."
    )
    if studies.printed(study.study) is not None:
        st.caption(
            "Columns that begin with *paper* are printed numbers for the benchmark they name, from real videos "
            "and real CLIP weights: a neighbour to look at, not the same quantity."
        )


def _change(study: studies.StudyRuns, changes: pd.DataFrame, baseline: str, metric: str) -> pd.DataFrame:
    """Show the forest plot and return the changes that it shows."""
    st.subheader(f"Change against {labels.plain(baseline)}")
    refused = changes[changes["reason"] != ""]
    if not refused.empty:
        reasons = (
            f"**{labels.plain(line.row)}** ({labels.plain(line.reason)})" for line in refused.itertuples()
        )
        listed = "; ".join(reasons)
        if url_widgets.switch("Compare what isn't like for like", "anyway"):
            changes = studies.changes(study, baseline, metric, allow=True)
            st.caption(f"Compared all the same: {listed}.")
        else:
            st.caption(f"Left out: {listed}.")
    shown = changes[changes["reason"] == ""]
    if shown.empty:
        st.info("No other row is done that could be compared.")
    else:
        figure = study_charts.forest(shown, labels.metric(metric))
        st.plotly_chart(figure, key="forest", config=study_charts.CONFIG)
    return shown


def _knowledge(study: studies.StudyRuns, metric: str) -> None:
    table = studies.seen_unseen(study, metric)
    if table.empty:
        return
    st.subheader("Knowledge carried over")
    st.caption(
        "Some shapes, colours and backgrounds never appear in a training video. What a structure keeps of CLIP's "
        "knowledge about them shows in the unseen half of the test set."
    )
    st.plotly_chart(
        study_charts.seen_unseen(table, labels.metric(metric)), key="knowledge", config=study_charts.CONFIG
    )


def _twins(study: studies.StudyRuns) -> None:
    table = studies.orders(study)
    if table.empty:
        return
    st.subheader("Twins: does time matter?")
    st.caption(
        "A test video of a kind that has a direction has its time-reversed twin in the test set. A model that is "
        "blind to order is right on half of them."
    )
    kinds = studies.order_kinds(study)
    left, right = st.columns(2) if len(kinds) else (st.container(), None)
    with left:
        st.plotly_chart(study_charts.order(table), key="order", config=study_charts.CONFIG)
    if right:
        with right:
            st.plotly_chart(study_charts.order_by_kind(kinds), key="kinds", config=study_charts.CONFIG)


def _seeds(study: studies.StudyRuns, metric: str, summary: pd.DataFrame) -> None:
    st.subheader("Seeds")
    figure = study_charts.rows(summary, studies.seeds(study, metric), labels.metric(metric))
    st.plotly_chart(figure, key="seeds", config=study_charts.CONFIG)


def _cost(study: studies.StudyRuns, metric: str) -> None:
    st.subheader("Quality against cost")
    if not url_widgets.switch("Count it on the models", "cost", help="Some seconds, the first time."):
        return
    table = studies.costs(study, metric)
    known = [name for name in study_figures.COSTS if table[name].notna().any()]
    if not known:
        st.info("No model of these runs can be built here, and their seconds are of several machines.")
        return
    column = url_widgets.one("Cost", known, "costs", format_func=study_figures.COSTS.__getitem__)
    figure = run_charts.cost(table, column, study_figures.COSTS[column], labels.metric(metric))
    st.plotly_chart(figure, key="cost-figure", config=study_charts.CONFIG)
    st.caption(
        "Multiply-accumulates of one video with all its views, linear and patch layers only, as the paper counts. "
        "Rows that share their weights share their seconds; seconds of several machines are left out."
    )
    data_grid.show(table.drop(columns="hash"), key="costs-table", decimals="%.4g", pinned="row")
    downloads.table("cost", table, study.ids, study.command)


def _queries(study: studies.StudyRuns, metric: str, baseline: str) -> None:
    others = [row for row in studies.rows(study) if row != baseline]
    if not others:
        return
    st.subheader("Queries won and lost")
    row = url_widgets.one("Row", others, "row", default="stan")
    try:
        table = queries.moved(study, baseline, row, metric)
    except ValueError as error:
        st.caption(f"Not compared: {labels.plain(error)}.")
        return
    won, lost = int((table["gain"] > 0).sum()), int((table["gain"] < 0).sum())
    st.caption(
        f"**{labels.plain(row)}** against {labels.plain(baseline)}: {won} queries won, {lost} lost. Numbers are the "
        "percentage of seeds that answer the query right."
    )
    shown = table.rename(columns={"before": baseline, "after": row})
    data_grid.show(shown, key="queries", decimals="%.0f", height=280)
    downloads.table("queries", shown, study.ids, study.command)
    if len(table):
        _videos(study, table, (baseline, row))


def _videos(study: studies.StudyRuns, table: pd.DataFrame, rows: tuple[str, str]) -> None:
    query = url_widgets.one("Look at", list(table["query"]), "query")
    files = queries.videos(study, query, rows)
    if not files:
        st.caption(
            "Its videos aren't here. Where the suite is rendered (`stan world`), `stan dashboard --worlds` names the"
            f" folder: looked for in {labels.plain(arguments.worlds())}."
        )
        return
    columns = st.columns(max(len(files), 2))  # a single column would fill the page
    for column, (name, file) in zip(columns, files, strict=False):
        with column:
            st.caption(labels.plain(name))
            st.video(str(file), loop=True, muted=True)


def _export(
    study: studies.StudyRuns, metric: str, baseline: str, summary: pd.DataFrame, shown: pd.DataFrame
) -> None:
    st.subheader("Take it along")
    st.caption("Every file holds the ids of its runs and the command that makes them again.")
    table = studies.ablation_table(study, metric, summary, shown, every=True)
    downloads.table("ablation", table, study.ids, study.command)
    if not shown.empty:
        draw = partial(figures.forest, formats.unmathed(shown), labels.metric(metric), baseline)
        downloads.figure("changes", draw, study.ids, study.command)
