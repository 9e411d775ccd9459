"""A page in; the same page drawn anew when a run has ended, out."""

from __future__ import annotations

import streamlit as st

from dashboard.tables import records

_SECONDS = 5


def when_a_run_ends() -> None:
    """Runs the page again once the number of done runs is another than when it was drawn."""
    _look(_done())


@st.fragment(run_every=_SECONDS)
def _look(drawn: int) -> None:
    if _done() != drawn:
        st.rerun()


def _done() -> int:
    return int((records.runs()["status"] == "done").sum())
