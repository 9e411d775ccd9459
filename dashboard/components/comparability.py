"""Runs in, whether they may be compared out. The page shows the reason of a refusal and a switch to override it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.components import url_widgets
from dashboard.tables import study_tables


def allowed(runs: pd.DataFrame) -> bool:
    """Return whether all runs share one protocol, or the reader chose to compare them anyway."""
    reasons = study_tables.not_comparable(runs)
    if not reasons:
        return True
    listed = labels.plain("; ".join(reasons))
    message = st.empty()
    anyway = url_widgets.switch("Compare them anyway", "anyway")
    if anyway:
        message.warning(f"Compared all the same, although these differ: {listed}")
    else:
        message.error(f"Not compared, because these differ: {listed}")
    return anyway
