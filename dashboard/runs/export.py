"""The table of lines in; its text to copy, and one file to share it with its charts, out."""

from __future__ import annotations

from urllib.parse import urlencode

import streamlit as st

from dashboard import labels
from dashboard.runs.choices import BASELINE, KEYS, Choices
from dashboard.tables import run_lines
from dashboard.tables.run_lines import Lines
from stan.report import figures, formats
from stan.report import share as bundle

_COPIES = ("Markdown", "LaTeX", "CSV")


def choose() -> str | None:
    """Return the form in which the table shall be copied, if any."""
    return st.segmented_control("Copy as", _COPIES, key="copy", label_visibility="collapsed")


def copy(found: Lines, chosen: Choices, kind: str) -> None:
    """Show the table as text, with a button that copies it."""
    ids = list(found.runs["id"])
    if kind == "CSV":
        text = formats.csv(run_lines.shown(found, chosen.columns), ids, _origin())
    else:
        write = formats.markdown if kind == "Markdown" else formats.latex
        text = write(run_lines.printed(found, chosen.columns, chosen.computed), ids, _origin())
    st.code(text.decode(), language={"Markdown": "markdown", "LaTeX": "latex"}.get(kind), height=240)


def share(found: Lines, chosen: Choices) -> None:
    """Offer the table with its charts as one file, which is made when the button is pressed."""
    origin = _origin()  # the address can't be asked for later, when the file is made
    st.download_button(
        "Share as one page",
        lambda: _page(found, chosen, origin),
        file_name="runs.html",
        mime="text/html",
        on_click="ignore",
        key="share",
        help="One HTML file with the table and its charts. It opens without a server or a network.",
    )


def _page(found: Lines, chosen: Choices, origin: str) -> bytes:
    metric, drawn = labels.metric(found.value), {}
    if found.summary["mean"].notna().any():
        rows, seeds = formats.unmathed(found.summary), formats.unmathed(found.seeds)
        figure = figures.ablation(rows, metric, seeds=seeds, unit=found.unit)
        drawn[f"{metric}{' by ' + ', '.join(found.by) if found.by else ''}"] = figure
    if len(found.paired):
        pinned = str(chosen.baseline).replace("$", r"\$")
        drawn[f"Change against {chosen.baseline}"] = figures.forest(
            formats.unmathed(found.paired), metric, pinned
        )
    said = [f"{len(found.table)} {'groups' if found.by else 'runs'}, from {len(found.runs)} records."]
    if found.by:
        said.append("95 %: interval over queries, with a group's runs averaged. ± sd: over runs.")
    if found.changes is not None:
        said.append(
            f"difference: in {found.value} from {chosen.baseline}; "
            "paired: query by query, plain: of two means."
        )
    table = run_lines.printed(found, chosen.columns, chosen.computed)
    return bundle.page("Runs", said, table, drawn, list(found.runs["id"]), origin)


def _origin() -> str:
    """Return what shows the same table again."""
    view = {key: st.query_params.get_all(key) for key in (*KEYS, BASELINE) if key in st.query_params}
    return f"stan dashboard, page /runs?{urlencode(view, doseq=True)}"
