"""All runs in one table; one ticked: its record; two or more: what differs, where comparing is fair."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import charts, data, tables, words
from dashboard.views import downloads, grid, pick

_COLUMNS = ["status", "origin", "suite", "size", "t2v.R@1", "top-1", "order.accuracy", "seconds"]


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
    shown = table[["id", *_columns(table)]]
    wanted = st.query_params.get_all("run")
    ticked = [place for place, run in enumerate(table["id"]) if run in wanted]
    event = grid.show(
        shown,
        key="runs",
        pinned="id",
        pinned_width=310,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": ticked}},
        height=min(430, 75 + 35 * len(table)),
    )
    chosen = table.iloc[[place for place in event.selection.rows if place < len(table)]]
    st.query_params["run"] = list(chosen["id"])
    return chosen


def _columns(table: pd.DataFrame) -> list[str]:
    with st.expander("Columns"):
        columns = pick.several("Columns", tables.columns(table), "columns", default=_COLUMNS)
        if pick.switch("Only what differs", "differ"):
            columns = [column for column in columns if column in tables.differing(table)]
    return columns


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
        grid.show(tables.pairs(record.provenance), key="provenance")
    with st.expander("Configuration"):
        grid.show(tables.pairs(record.config), key="config")
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
    when = f", after epoch {epoch + 1}" if isinstance(epoch, int) else ""
    st.caption(f"Test split. *best*: {words.plain(picked)}{when}; *last*: after the last epoch.")
    grid.show(record.metrics, key="metrics", height=390)


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


def _paired(chosen: pd.DataFrame) -> None:
    """Two runs of the same queries: the change from the first ticked to the second."""
    if len(chosen) != 2 or chosen["headline"].nunique() != 1:
        return
    try:
        change = data.change(chosen)
    except ValueError as error:
        st.caption(f"Not paired: {words.plain(error)}.")
        return
    low_high = words.plain(words.interval(change.change, change.low, change.high))
    st.markdown(
        f"{words.metric(chosen['headline'].iloc[0])}, from the first to the second: **{low_high}** points, "
        f"{change.won} queries won, {change.lost} lost (paired, 95 %)."
    )


def _compare(chosen: pd.DataFrame) -> None:
    st.subheader(f"{len(chosen)} runs beside each other")
    reasons = tables.not_comparable(chosen)
    if reasons:
        st.error("Not compared, because these differ: " + words.plain("; ".join(reasons)))
        if not pick.switch("Compare them anyway", "anyway"):
            return
    _paired(chosen)
    beside = tables.side_by_side(chosen)
    grid.show(beside, key="beside", pinned="what")
    downloads.table("runs", beside, list(chosen["id"]), "; ".join(chosen["command"].dropna().astype(str)))
