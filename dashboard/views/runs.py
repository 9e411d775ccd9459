"""All runs in, a page out: their table, the record of one ticked run, or a comparison of several where it is fair."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.charts import run_charts, study_charts
from dashboard.components import comparability, data_grid, downloads, url_widgets
from dashboard.tables import notes, study_tables
from dashboard.tables import records as data
from stan.report.formats import with_interval

TITLE = "Runs"

_COLUMNS = ["status", "origin", "tags", "suite", "size", "t2v.R@1", "top-1", "order.accuracy", "seconds"]
_SMOOTH = (1, 5, 20, 100)
_AXES = ["model.temporal", "train.lr", "seed", "seconds"]


def show() -> None:
    st.title(TITLE)
    table = data.marked(data.runs())
    if table.empty:
        st.info(f"No records under {labels.plain(', '.join(data.roots()))}. This makes some:")
        st.code("stan ablate components --suite motions --size quick --seeds 0", language="bash")
        return
    shown = _filtered(table)
    chosen = _select(shown)
    _damaged(shown)
    if len(chosen) == 1:
        _detail(chosen.iloc[0])
    elif len(chosen) > 1:
        _compare(chosen)
    else:
        st.caption("Tick a run to see its record; tick two or more to compare them.")
    _parallel(chosen if len(chosen) > 1 else shown)


def _damaged(table: pd.DataFrame) -> None:
    """Show the records that can't be read, each with the reason."""
    damaged = table[table["status"] == "damaged"]
    if len(damaged):
        with st.expander(f"{len(damaged)} damaged {'record' if len(damaged) == 1 else 'records'}"):
            st.caption("They count nowhere. Delete the folder, or run the row again.")
            data_grid.show(damaged[["id", "reason"]], key="damaged")


def _filtered(table: pd.DataFrame) -> pd.DataFrame:
    left, right = st.columns([2, 1])
    with left:
        text = st.text_input(
            "Filter",
            key="filter",
            placeholder="part of an id, suite or tag: motions, stan/",
            bind="query-params",
        )
    with right:
        statuses = url_widgets.several("Status", sorted(table["status"].unique()), "status")
    names = table["id"] + " " + table["suite"].fillna("") + " " + table["tags"]
    kept = names.str.contains(text.strip(), case=False, regex=False)
    return table[kept & (table["status"].isin(statuses) if statuses else True)]


def _select(table: pd.DataFrame) -> pd.DataFrame:
    """Show the run table and return the ticked runs; the address keeps their ids as `run`."""
    shown = table[["id", *_columns(table)]]
    wanted = st.query_params.get_all("run")
    ticked = [place for place, run in enumerate(table["id"]) if run in wanted]
    event = data_grid.show(
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
        columns = url_widgets.several("Columns", study_tables.columns(table), "columns", default=_COLUMNS)
        if url_widgets.switch("Only what differs", "differ"):
            columns = study_tables.differing(table[columns])
    return columns


def _detail(run: pd.Series) -> None:
    st.subheader(labels.plain(run["id"]))
    record = data.record(run["path"])
    _state(run, record)
    left, right = st.columns(2)
    with left:
        st.markdown("##### Learning curve")
        _curves({run["id"]: record})
    with right:
        _metrics(record)
    _marks(run)
    with st.expander("Provenance", expanded=True):
        st.code(str(record.run.get("command") or ""), language="bash", wrap_lines=True)
        data_grid.show(study_tables.pairs(record.provenance), key="provenance")
    with st.expander("Configuration"):
        data_grid.show(study_tables.pairs(record.config), key="config")
    _notebook(run)


def _marks(run: pd.Series) -> None:
    """Show the form for tags and a note, which are kept beside the run's folder and never in it."""
    with st.form("marks", border=True):
        st.markdown("##### Tags and note")
        tags = st.text_input(
            "Tags",
            run["tags"],
            key=f"tags {run['id']}",
            placeholder="separated by commas: for the paper, odd",
        )
        note = st.text_area("Note", run["note"], key=f"note {run['id']}", max_chars=notes.LONGEST)
        if st.form_submit_button("Keep"):
            data.mark(run["id"], tags, note)
            st.rerun()


def _state(run: pd.Series, record: data.Record) -> None:
    if run["status"] == "died":
        st.warning("This run **died**: it never said that it was done. The command below resumes it.")
    elif run["status"] in ("failed", "interrupted", "damaged"):
        st.error(f"This run is {labels.plain(run['status'])}:")
        st.code(str(run["reason"]), language=None, wrap_lines=True)
    elif run["status"] == "foreign":
        state = f" There it is *{labels.plain(record.run['state'])}*." if record.run.get("state") else ""
        st.info(
            f"A **foreign** run: its numbers come from {labels.plain(record.run.get('source'))} and were not measured"
            f" here.{state} It counts in no comparison."
        )
    if run["shipped"]:
        st.caption(
            f"Shipped reference, made on {labels.plain(record.run.get('machine'))} "
            f"at commit {labels.plain(str(record.run.get('commit'))[:10])}."
        )


def _curves(records: dict[str, data.Record]) -> None:
    logged = {name: record for name, record in records.items() if not record.steps.empty}
    if not logged:
        st.caption("Nothing logged.")
        return
    first, second, third = st.columns(3)
    with first:
        by = url_widgets.one("Along", list(run_charts.CLOCKS), "along", format_func=run_charts.CLOCKS.get)
    with second:
        smooth = url_widgets.one(
            "Smoothed over", _SMOOTH, "smooth", format_func=lambda n: f"{n} step{'s' * (n > 1)}"
        )
    with third:
        log = url_widgets.switch("Loss on a log scale", "log")
    lines = {name: (record.steps, record.validation) for name, record in logged.items()}
    metric = labels.metric(next(iter(logged.values())).headline)
    st.plotly_chart(
        run_charts.curves(lines, metric, by, smooth, log), key="curve", config=study_charts.CONFIG
    )


def _metrics(record: data.Record) -> None:
    st.markdown("##### Metrics")
    if record.metrics.empty:
        st.caption("Not evaluated yet.")
        return
    picked, epoch = record.evaluation.get("selected"), record.evaluation.get("epoch")
    when = f", after epoch {epoch + 1}" if isinstance(epoch, int) else ""
    st.caption(f"Test split. *best*: {labels.plain(picked)}{when}; *last*: after the last epoch.")
    data_grid.show(record.metrics, key="metrics", height=390)


def _notebook(run: pd.Series) -> None:
    """Offer the executed notebooks as downloads only: a run's folder may come from anywhere, so none is rendered."""
    for page in data.executed_notebooks(run["path"]):
        st.download_button(
            f"Executed notebook: {labels.plain(page.name)}",
            page.read_bytes,
            file_name=page.name,
            mime="application/octet-stream",
            on_click="ignore",
            icon=":material/download:",
        )


def _paired(chosen: pd.DataFrame) -> None:
    """Show the change from the first ticked run to the second if there are exactly two, on the same queries."""
    if len(chosen) != 2 or chosen["headline"].nunique() != 1:
        return
    try:
        change = data.change(chosen)
    except ValueError as error:
        st.caption(f"Not paired: {labels.plain(error)}.")
        return
    low_high = labels.plain(with_interval(change.change, change.low, change.high, "+"))
    st.markdown(
        f"{labels.metric(chosen['headline'].iloc[0])}, from the first to the second: **{low_high}** points, "
        f"{change.won} queries won, {change.lost} lost (paired, 95 %)."
    )


def _compare(chosen: pd.DataFrame) -> None:
    st.subheader(f"{len(chosen)} runs beside each other")
    if not comparability.allowed(chosen):
        return
    _paired(chosen)
    beside = study_tables.side_by_side(chosen)
    data_grid.show(beside, key="beside", pinned="what")
    downloads.table("runs", beside, list(chosen["id"]), "; ".join(chosen["command"].dropna().astype(str)))
    st.markdown("##### Learning curves")
    _curves({run["id"]: data.record(run["path"]) for _, run in chosen.iterrows()})


def _parallel(runs: pd.DataFrame) -> None:
    """Show parallel coordinates of several ticked runs, else of all runs that pass the filter."""
    measured = [name for name in labels.METRICS if name in runs and runs[name].notna().sum() > 1]
    if not measured:
        return
    with st.expander("Parallel coordinates"):
        metric = url_widgets.one("Metric", measured, "metric", format_func=labels.metric)
        axes = url_widgets.several("Axes", study_tables.columns(runs), "axes", default=_AXES)
        figure = run_charts.parallel(runs, axes, metric)
        st.plotly_chart(figure, key="parallel", config=study_charts.CONFIG)
