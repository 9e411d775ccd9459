"""Run records in, the start page out: what the suite is, which runs and studies there are, what is running now."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.charts import study_charts
from dashboard.components import refresh
from dashboard.tables import live, records, studies
from dashboard.views import ablation

TITLE = "Overview"

_WHAT = """
CLIP knows pictures; a video is more than its pictures. This suite trains **STAN** and the temporal methods it is
compared with on one backbone, by one recipe, and shows what each part of them is worth. Every number comes from a
run's record and can be traced to its command, commit and data.
"""

_AT_ONCE, _LINKS = 4, 20
"""Maximum numbers of studies drawn on the page and of further ones linked below: more intervals would take too long."""


def show() -> None:
    st.title("What carries CLIP over to video?")
    st.markdown(_WHAT)
    _now()
    _at_a_glance(studies.done(records.runs()))
    refresh.when_a_run_ends()


@st.fragment(run_every=2)
def _now() -> None:
    """Read the records again every two seconds, without rerunning the rest of the page."""
    table = records.runs()
    _counts(table)
    _live(table)


def _counts(table: pd.DataFrame) -> None:
    own = table[~table["shipped"]]
    counts = own["status"].value_counts()
    broken = sum(int(counts.get(status, 0)) for status in ("died", "failed", "interrupted", "damaged"))
    with st.container(horizontal=True):
        st.metric("your runs, done", int(counts.get("done", 0)), border=True)
        st.metric("running", int(counts.get("running", 0)), border=True)
        st.metric("died or failed", broken, border=True)
        st.metric("shipped reference", int(table["shipped"].sum()), border=True)
    _next_step(own, broken)


def _next_step(own: pd.DataFrame, broken: int) -> None:
    """Suggest what a newcomer could do next."""
    if own.empty:
        st.info("No runs of your own yet. This trains the component ablation, one seed:")
        st.code(labels.FIRST_STUDY, language="bash")
    elif broken:
        st.info(
            "Runs that died or failed stand under *Runs*, each with its reason; the same `stan ablate` resumes them."
        )
    elif (own["status"] == "done").any():
        st.caption(
            "Next: *Ablation* compares rows, *Lost queries* shows what was lost; this writes a report to take along:"
        )
        st.code("stan report components --out report", language="bash")


def _live(table: pd.DataFrame) -> None:
    unfinished, work = live.unfinished(table), live.work()
    if not unfinished and not work:
        return
    st.subheader("Live")
    for one in work:
        st.progress(one.share, text=labels.plain(one.words))
    for run in unfinished:
        if run.status == "running":
            at = run.progress
            loss = "" if at.loss is None else f", loss {at.loss:.3f}"
            st.progress(run.share, text=f"{labels.plain(run.id)}: epoch {at.epoch or 0} of {at.epochs}{loss}")
    for command, stopped in live.stopped(unfinished).items():
        names = "; ".join(f"{labels.plain(run.id)} **{run.status}**" for run in stopped)
        how = "This resumes what stopped:" if command else labels.NO_COMMAND
        st.warning(f"{names}: no heartbeat for {labels.duration(stopped[0].silent)}. {how}")
        if command:
            st.code(command, language="bash", wrap_lines=True)


def _at_a_glance(found: list[studies.StudyRuns]) -> None:
    st.subheader("Studies at a glance")
    if not found:
        st.info("No run is done yet. `stan runs` lists what there is.")
    shown, others = found[:_AT_ONCE], found[_AT_ONCE:]
    for left, right in zip(shown[::2], [*shown[1::2], None], strict=False):
        for column, study in zip(st.columns(2), (left, right), strict=True):
            if study is not None:
                with column, st.container(border=True):
                    _glance(study)
    for study in others[:_LINKS]:
        _link(study, labels.plain(study.label))
    if len(others) > _LINKS:
        st.caption(f"{len(others) - _LINKS} more stand under *Ablation*.")


def _glance(study: studies.StudyRuns) -> None:
    metric = studies.metrics(study)[0]
    summary = studies.summary(study, metric)
    st.markdown(f"#### {labels.plain(study.label)}")
    runs = f"{len(study.runs)} run{'s' * (len(study.runs) != 1)}"
    st.caption(f"{runs} · {labels.metric(metric)}, test split; weights: {labels.plain(study.weights)}")
    figure = study_charts.rows(summary, studies.seeds(study, metric), labels.metric(metric))
    st.plotly_chart(figure, key=f"glance {study.label}", config=study_charts.CONFIG)
    _link(study, "Open the ablation")


def _link(study: studies.StudyRuns, label: str) -> None:
    page = st.Page(ablation.show, title=ablation.TITLE, url_path="ablation")
    st.page_link(page, label=label, icon=":material/arrow_forward:", query_params={"study": study.label})
