"""Runs in; whether they may be compared out: refused with the reason, and an override that stays on the page."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import tables, words
from dashboard.views import pick


def allowed(runs: pd.DataFrame) -> bool:
    """Whether one protocol made the runs, or the reader wants them compared although it didn't."""
    reasons = tables.not_comparable(runs)
    if not reasons:
        return True
    listed = words.plain("; ".join(reasons))
    message = st.empty()
    anyway = pick.switch("Compare them anyway", "anyway")
    if anyway:
        message.warning(f"Compared all the same, although these differ: {listed}")
    else:
        message.error(f"Not compared, because these differ: {listed}")
    return anyway
