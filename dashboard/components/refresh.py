"""A page in, the same page out, drawn again when a run has ended."""

from __future__ import annotations

import streamlit as st

from dashboard.tables import records

_SECONDS = 5


def when_a_run_ends() -> None:
    """Rerun the page as soon as the number of done runs differs from what it was when the page was drawn."""
    _look(_done())


@st.fragment(run_every=_SECONDS)
def _look(drawn: int) -> None:
    if _done() != drawn:
        st.rerun()


def _done() -> int:
    return int((records.runs()["status"] == "done").sum())
