"""Runs that are under way, refreshed in place; those that stopped, with what goes on with them; those just ended."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.charts import run_charts, study_charts
from dashboard.components import data_grid, url_widgets
from dashboard.tables import live
from dashboard.views import runs

TITLE = "Live"

_SECONDS = 2
_CURVES = 7
"""Runs drawn in one figure: as many as there are colours."""
_COMMANDS, _NAMED = 8, 8
"""Commands that go on with stopped runs, and runs named with each; of the others is told how many."""


def show() -> None:
    st.title(TITLE)
    left, middle, right = st.columns([2, 1, 1], vertical_alignment="bottom")
    with left:
        part = st.text_input(
            "Filter", key="filter", placeholder="part of an id or suite: motions, stan/", bind="query-params"
        )
    with middle:
        by = url_widgets.one("Along", list(run_charts.CLOCKS), "along", format_func=run_charts.CLOCKS.get)
    with right:
        log = url_widgets.switch("Loss on a log scale", "log")
    _now(part, by, log)


@st.fragment(run_every=_SECONDS)
def _now(part: str, by: str, log: bool) -> None:
    """Reads records and logs again every two seconds, without running the rest of the page."""
    table = live.chosen(part)
    jobs = live.jobs(table)
    running = [job for job in jobs if job.status == "running"]
    _running(running, part, by, log)
    stopped = list(live.stopped(jobs).items())
    for command, group in stopped[:_COMMANDS]:
        _stopped(command, group)
    if len(stopped) > _COMMANDS:
        st.caption(f"{len(stopped) - _COMMANDS} more that stopped stand under *Runs*.")
    _ended(live.ended(table))


def _running(jobs: list[live.Job], part: str, by: str, log: bool) -> None:
    if not jobs:
        st.info(
            f"Nothing is running{' that the filter leaves' if part.strip() else ''}. This starts a sweep:"
        )
        st.code(
            "stan ablate components --suite motions --size quick --seeds 0", language="bash", wrap_lines=True
        )
        return
    data_grid.show(live.table(jobs), key="running", decimals="%.3g", pinned="run", curves=("losses",))
    st.caption("Of the records and logs on disk; a run counts as running while its process lives.")
    drawn = [job for job in jobs if len(job.steps)][:_CURVES]
    if drawn:
        lines = {job.id: (job.steps, job.validation) for job in drawn}
        metric = ", ".join(dict.fromkeys(labels.metric(job.metric) for job in drawn))
        st.plotly_chart(
            run_charts.curves(lines, metric, by, log=log), key="curves", config=study_charts.CONFIG
        )


def _stopped(command: str, jobs: list[live.Job]) -> None:
    told = [
        f"{labels.plain(job.id)} ({job.status}, silent for {labels.duration(job.silent)})"
        for job in jobs[:_NAMED]
    ]
    more = f" and {len(jobs) - _NAMED} more" if len(jobs) > _NAMED else ""
    st.warning(f"**Stopped**: {'; '.join(told)}{more}. This goes on from the last checkpoint:")
    st.code(command, language="bash", wrap_lines=True)


def _ended(table: pd.DataFrame) -> None:
    if table.empty:
        return
    st.subheader("Ended last")
    page = st.Page(runs.show, title=runs.TITLE, url_path="runs")
    for _, run in table.iterrows():
        st.page_link(
            page,
            label=f"{labels.plain(run['id'])}: {run['status']}",
            icon=":material/arrow_forward:",
            query_params={"run": run["id"]},
        )
