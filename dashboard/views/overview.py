"""First page: what this is, what is there, what is running now."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import charts, data, words
from dashboard.views import ablation

_WHAT = """
CLIP knows pictures; a video is more than its pictures. This suite trains **STAN** and the temporal methods it is
compared with on one backbone, by one recipe, and shows what each part of them is worth. Every number comes from a
run's record and can be traced to its command, commit and data.
"""


def show() -> None:
    st.title("What carries CLIP over to video?")
    st.markdown(_WHAT)
    table = data.runs()
    _counts(table)
    _live()
    _at_a_glance(data.studies(table))


def _counts(table: pd.DataFrame) -> None:
    own = table[~table["shipped"]]
    counts = own["status"].value_counts()
    broken = sum(int(counts.get(status, 0)) for status in ("died", "failed", "interrupted", "damaged"))
    with st.container(horizontal=True):
        st.metric("your runs, done", int(counts.get("done", 0)), border=True)
        st.metric("running", int(counts.get("running", 0)), border=True)
        st.metric("died or failed", broken, border=True)
        st.metric("shipped reference", int(table["shipped"].sum()), border=True)
    if own.empty:
        st.info("No runs of your own yet. This trains the component ablation, one seed:")
        st.code("stan ablate components --suite motions --size quick --seeds 0", language="bash")


@st.fragment(run_every=2)
def _live() -> None:
    """Reads the heartbeats again every two seconds, without running the rest of the page."""
    jobs = data.live()
    if not jobs:
        return
    st.subheader("Live")
    for job in jobs:
        if job.died:
            silent = words.duration(job.silent)
            st.warning(f"{words.plain(job.id)} **died**: no heartbeat for {silent}. This resumes it:")
            st.code(job.command, language="bash", wrap_lines=True)
        else:
            loss = "" if job.loss is None else f", loss {job.loss:.3f}"
            st.progress(job.share, text=f"{words.plain(job.id)}: epoch {job.epoch} of {job.epochs}{loss}")


def _at_a_glance(studies: list[data.Study]) -> None:
    st.subheader("Studies at a glance")
    if not studies:
        st.info("No run is done yet. `stan runs` lists what there is.")
    for left, right in zip(studies[::2], [*studies[1::2], None], strict=False):
        for column, study in zip(st.columns(2), (left, right), strict=True):
            if study is not None:
                with column, st.container(border=True):
                    _glance(study)


def _glance(study: data.Study) -> None:
    metric = data.metrics(study)[0]
    summary = data.summary(study, metric)
    st.markdown(f"#### {words.plain(study.label)}")
    st.caption(f"{len(study.runs)} runs · {words.metric(metric)}, test split, best on validation")
    figure = charts.rows(summary, data.seeds(study, metric), words.metric(metric))
    st.plotly_chart(figure, key=f"glance {study.label}", config=charts.CONFIG)
    page = st.Page(ablation.show, title="Ablation", url_path="ablation")
    st.page_link(
        page, label="Open the ablation", icon=":material/arrow_forward:", query_params={"study": study.label}
    )
