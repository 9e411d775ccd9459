"""What a command keeps beside runs' records in; the chosen study and the lines of the chosen rows out."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from dashboard.components import comparability, url_widgets
from dashboard.tables import records, studies


def chosen(
    file: str, read: Callable[[studies.StudyRuns], pd.DataFrame], by: str, command: str
) -> tuple[studies.StudyRuns, pd.DataFrame] | None:
    """Return the chosen study and its table; None where there is nothing to show, after the page has said why.

    file: of the measurement. read: returns a study's table, which has `row` and `by`, the runs' column that tells which
    of them a line is of. command: measures a run.
    """
    found = studies.probed(studies.done(records.runs()), file)
    if not found:
        st.info(
            "No run was probed yet. This probes one that was trained here and keeps the answer beside its record:"
        )
        st.code(command, language="bash")
        return None
    study = url_widgets.study(found)
    table = read(study)
    rows = url_widgets.several("Rows", list(dict.fromkeys(table["row"])), "rows")
    table = table[table["row"].isin(rows)] if rows else table
    return (study, table) if comparability.allowed(study.runs[study.runs[by].isin(table[by])]) else None
