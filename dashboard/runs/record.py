"""One run in; its record out: state, curves, metrics, marks, provenance, configuration, notebooks."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.components import data_grid
from dashboard.runs import learning_curves
from dashboard.tables import arguments, records, study_tables
from stan.results import marks
from stan.results.record_files import BEST


def show(run: pd.Series) -> None:
    st.subheader(labels.plain(run["id"]))
    record = records.record(run["path"])
    _state(run, record)
    left, right = st.columns(2)
    with left:
        st.markdown("##### Learning curve")
        learning_curves.show({run["id"]: record})
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
    if not arguments.writable():
        told = [f"tags: {labels.plain(run['tags'])}"] * bool(run["tags"]) + [labels.plain(run["note"])]
        st.caption("; ".join(filter(None, told)))
        return
    with st.form("marks", border=True):
        st.markdown("##### Tags and note")
        tags = st.text_input(
            "Tags",
            run["tags"],
            key=f"tags {run['id']}",
            placeholder="separated by commas: for the paper, odd",
        )
        note = st.text_area("Note", run["note"], key=f"note {run['id']}", max_chars=marks.LONGEST)
        if st.form_submit_button("Keep"):
            records.mark(run["id"], tags=marks.parsed(tags), note=note.strip())
            st.rerun()


def _state(run: pd.Series, record: records.Record) -> None:
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


def _metrics(record: records.Record) -> None:
    st.markdown("##### Metrics")
    if record.metrics.empty:
        st.caption("Not evaluated yet.")
        return
    if "selected" in record.evaluation:  # a foreign run doesn't tell
        st.caption(f"Test split. *tested*: {_tested(record)}; *last*: after the last epoch.")
    data_grid.show(record.metrics, key="metrics", height=390)


def _tested(record: records.Record) -> str:
    """Return which weights were tested; of one epoch, also which. A mean names its epochs itself."""
    picked, epoch = record.evaluation["selected"], record.evaluation["epoch"]
    one = picked == BEST and isinstance(epoch, int)
    return labels.plain(picked) + (f", after epoch {epoch + 1}" if one else "")


def _notebook(run: pd.Series) -> None:
    """Offer the executed notebooks as downloads only: a run's folder may come from anywhere, so none is rendered."""
    for page in records.executed_notebooks(run["path"]):
        st.download_button(
            f"Executed notebook: {labels.plain(page.name)}",
            page.read_bytes,
            file_name=page.name,
            mime="application/octet-stream",
            on_click="ignore",
            icon=":material/download:",
        )
