"""The table of lines in; its text to copy and its files to take along out."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from dashboard.runs.choices import BASELINE, KEYS, Choices
from dashboard.tables import run_lines
from dashboard.tables.run_lines import Lines
from stan.report import formats

_COPIES = {"Markdown": ("markdown", formats.markdown), "LaTeX": ("latex", formats.latex), "CSV": (None, formats.csv)}


def show(found: Lines, chosen: Choices) -> None:
    """Offer the table as text. It is written only when it is asked for: it may have thousands of lines."""
    kind = st.segmented_control("Copy as", list(_COPIES), key="copy", label_visibility="collapsed")
    if kind:
        language, write = _COPIES[kind]
        text = write(run_lines.shown(found, chosen.columns), list(found.runs["id"]), _origin())
        st.code(text.decode(), language=language, height=240)


def _origin() -> str:
    """Return what shows the same table again."""
    view = {key: st.query_params.get_all(key) for key in (*KEYS, BASELINE) if key in st.query_params}
    return f"stan dashboard, page /runs?{urlencode(view, doseq=True)}"
