"""Run folders in; a self-refreshing page out: running runs, stopped runs and how to resume them, and ended runs."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.charts import run_charts, study_charts
from dashboard.components import data_grid, url_widgets
from dashboard.tables import live
from dashboard.views import runs as runs_page

TITLE = "Live"

_SECONDS = 2
_CURVES = 7
"""Maximum number of runs drawn in one figure: there are as many colours."""
_COMMANDS, _NAMED = 8, 8
"""Maximum numbers of resuming commands shown, and of runs named with each. For the rest, the page shows a count."""


def show() -> None:
    st.title(TITLE)
    left, middle, right = st.columns([2, 1, 1], vertical_alignment="bottom")
    with left:
        part = st.text_input(
            "Filter", key="filter", placeholder="part of an id or suite: motions, stan/", bind="query-params"
        )
    with middle:
        by = url_widgets.one(
            "Along", list(run_charts.CLOCKS), "along", format_func=run_charts.CLOCKS.__getitem__
        )
    with right:
        log = url_widgets.switch("Loss on a log scale", "log")
    _now(part, by, log)


@st.fragment(run_every=_SECONDS)
def _now(part: str, by: str, log: bool) -> None:
    """Read records and logs again every two seconds, without rerunning the rest of the page."""
    _work()
    table = live.chosen(part)
    runs = live.unfinished(table)
    running = [run for run in runs if run.status == "running"]
    _running(running, part, by, log)
    stopped = list(live.stopped(runs).items())
    for command, group in stopped[:_COMMANDS]:
        _stopped(command, group)
    if len(stopped) > _COMMANDS:
        st.caption(f"{len(stopped) - _COMMANDS} more that stopped stand under *Runs*.")
    _ended(live.ended(table))


def _work() -> None:
    for job in live.work():
        st.progress(job.share, text=labels.plain(job.words))


def _running(runs: list[live.UnfinishedRun], part: str, by: str, log: bool) -> None:
    if not runs:
        if not live.work():
            left = " that the filter leaves" if part.strip() else ""
            st.info(f"Nothing is running{left}. This starts a sweep:")
            st.code(labels.FIRST_STUDY, language="bash", wrap_lines=True)
        return
    data_grid.show(live.table(runs), key="running", decimals="%.3g", pinned="run", curves=("losses",))
    st.caption("Of the records and logs on disk; a run counts as running while its process lives.")
    drawn = [run for run in runs if len(run.steps)][:_CURVES]
    if drawn:
        lines = {run.id: (run.steps, run.validation) for run in drawn}
        metric = ", ".join(dict.fromkeys(labels.metric(run.metric) for run in drawn))
        st.plotly_chart(
            run_charts.curves(lines, metric, by, log=log), key="curves", config=study_charts.CONFIG
        )


def _stopped(command: str, runs: list[live.UnfinishedRun]) -> None:
    told = [
        f"{labels.plain(run.id)} ({run.status}, silent for {labels.duration(run.silent)})"
        for run in runs[:_NAMED]
    ]
    more = f" and {len(runs) - _NAMED} more" if len(runs) > _NAMED else ""
    how = "This goes on from the last checkpoint:" if command else labels.NO_COMMAND
    st.warning(f"**Stopped**: {'; '.join(told)}{more}. {how}")
    if command:
        st.code(command, language="bash", wrap_lines=True)


def _ended(table: pd.DataFrame) -> None:
    if table.empty:
        return
    st.subheader("Ended last")
    page = st.Page(runs_page.show, title=runs_page.TITLE, url_path="runs")
    for _, run in table.iterrows():
        st.page_link(
            page,
            label=f"{labels.plain(run['id'])}: {run['status']}",
            icon=":material/arrow_forward:",
            query_params={"run": run["id"]},
        )
