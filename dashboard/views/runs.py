"""All runs in one table; one selected: its record; two or more: what differs, where comparing them is fair."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import charts, data, tables, words
from dashboard.views import downloads, formats, pick

_COLUMNS = [
    "status",
    "origin",
    "study",
    "row",
    "suite",
    "size",
    "seed",
    "t2v.R@1",
    "top-1",
    "order.accuracy",
    "seconds",
]


def show() -> None:
    st.title("Runs")
    table = data.runs()
    if table.empty:
        st.info(f"No records under {words.plain(', '.join(data.roots()))}. This makes some:")
        st.code("stan ablate components --suite motions --size quick --seeds 0", language="bash")
        return
    chosen = _select(_filtered(table))
    if len(chosen) == 1:
        _detail(chosen.iloc[0])
    elif len(chosen) > 1:
        _compare(chosen)
    else:
        st.caption("Tick a run to see its record; tick two or more to compare them.")


def _filtered(table: pd.DataFrame) -> pd.DataFrame:
    left, right = st.columns([2, 1])
    with left:
        text = st.text_input(
            "Filter", key="filter", placeholder="part of an id or suite: motions, stan/", bind="query-params"
        )
    with right:
        statuses = pick.several("Status", sorted(table["status"].unique()), "status")
    names = table["id"] + " " + table["suite"].fillna("")
    kept = names.str.contains(text.strip(), case=False, regex=False)
    return table[kept & (table["status"].isin(statuses) if statuses else True)]


def _select(table: pd.DataFrame) -> pd.DataFrame:
    """The run table; what is ticked stands in the address as `run`."""
    columns = pick.several("Columns", tables.columns(table), "columns", default=_COLUMNS)
    if pick.switch("Only columns that differ", "differ"):
        columns = [column for column in columns if column in tables.differing(table)]
    wanted = st.query_params.get_all("run")
    event = st.dataframe(
        table[["id", *columns]],
        hide_index=True,
        key="runs",
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={
            "selection": {"rows": [place for place, run in enumerate(table["id"]) if run in wanted]}
        },
        column_config=formats.table(table[["id", *columns]]),
        height=min(430, 75 + 35 * len(table)),
    )
    chosen = table.iloc[[place for place in event.selection.rows if place < len(table)]]
    st.query_params["run"] = list(chosen["id"])
    return chosen


def _detail(run: pd.Series) -> None:
    st.subheader(words.plain(run["id"]))
    record = data.record(run["path"])
    _state(run, record)
    left, right = st.columns(2)
    with left:
        _curve(record)
    with right:
        _metrics(record)
    with st.expander("Provenance", expanded=True):
        st.code(str(record.run.get("command") or ""), language="bash", wrap_lines=True)
        st.dataframe(tables.pairs(record.provenance), hide_index=True, height="content", key="provenance")
    with st.expander("Configuration"):
        st.dataframe(tables.pairs(record.config), hide_index=True, height="content", key="config")
    _notebook(run)


def _state(run: pd.Series, record: data.Record) -> None:
    if run["status"] == "died":
        st.warning("This run **died**: it never said that it was done. The command below resumes it.")
    elif run["status"] in ("failed", "interrupted", "damaged"):
        st.error(f"This run is {words.plain(run['status'])}:")
        st.code(str(run["reason"]), language=None, wrap_lines=True)
    if run["shipped"]:
        st.caption(
            f"Shipped reference, made on {words.plain(record.run.get('machine'))} "
            f"at commit {words.plain(str(record.run.get('commit'))[:10])}."
        )


def _curve(record: data.Record) -> None:
    st.markdown("##### Learning curve")
    if record.steps.empty:
        st.caption("Nothing logged.")
        return
    figure = charts.learning_curve(record.steps, record.validation, words.metric(record.headline))
    st.plotly_chart(figure, key="curve", config=charts.CONFIG)


def _metrics(record: data.Record) -> None:
    st.markdown("##### Metrics")
    if record.metrics.empty:
        st.caption("Not evaluated yet.")
        return
    picked, epoch = record.evaluation.get("selected"), record.evaluation.get("epoch")
    st.caption(
        f"Test split. *best*: {words.plain(picked)}, epoch {words.plain(epoch)}. *last*: after the last epoch."
    )
    st.dataframe(
        record.metrics,
        hide_index=True,
        column_config=formats.table(record.metrics),
        key="metrics",
        height=390,
    )


def _notebook(run: pd.Series) -> None:
    """Never rendered: a run's folder may come from anywhere."""
    for page in data.executed_notebooks(run["path"]):
        st.download_button(
            f"Executed notebook: {words.plain(page.name)}",
            page.read_bytes,
            file_name=page.name,
            mime="application/octet-stream",
            on_click="ignore",
            icon=":material/download:",
        )


def _compare(chosen: pd.DataFrame) -> None:
    st.subheader(f"{len(chosen)} runs beside each other")
    reasons = tables.not_comparable(chosen)
    if reasons:
        st.error("Not compared, because these differ: " + words.plain("; ".join(reasons)))
        if not pick.switch("Compare them anyway", "anyway"):
            return
    beside = tables.side_by_side(chosen)
    st.dataframe(beside, hide_index=True, key="beside", height="content")
    downloads.table("runs", beside, list(chosen["id"]), "; ".join(chosen["command"].dropna().astype(str)))
