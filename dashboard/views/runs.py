"""All runs in, a page out: their table, by run or by group, and the record of one run or a comparison of several."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.components import data_grid
from dashboard.runs import actions, choices, comparison, export, lines, record, views
from dashboard.runs.choices import Choices
from dashboard.tables import arguments, records, run_lines
from dashboard.tables.run_lines import Lines

TITLE = "Runs"


def show() -> None:
    st.title(TITLE)
    runs = records.runs()
    if runs.empty:
        st.info(f"No records under {labels.plain(', '.join(arguments.roots()))}. This makes some:")
        st.code(labels.FIRST_STUDY, language="bash")
        return
    names, numbers = records.columns(runs), records.numbers(runs)
    chosen = choices.ask(records.marked(runs), names, numbers)
    found = _lines(chosen)
    if chosen.editing:
        actions.edit(found.runs[list(dict.fromkeys(["id", "tags", "note", *chosen.columns]))])
        ticked = []
    else:
        ticked = lines.show(found, chosen)
    runs = found.runs[found.of_run.isin(set(ticked))]
    _below(found, chosen, ticked, runs)
    _damaged(found.runs)
    if not found.by and not chosen.editing:
        _ticked(runs)
    comparison.parallel(runs if len(runs) > 1 else found.runs, names)
    if arguments.writable():
        actions.show_trash()


def _lines(chosen: Choices) -> Lines:
    """Return the table's lines; without the baseline, if it has nothing to compare with."""
    wanted = (chosen.table, chosen.kept, chosen.by, chosen.value)
    try:
        return run_lines.lines(*wanted, chosen.baseline, chosen.unlike)
    except ValueError as error:
        st.warning(f"Not compared: {labels.plain(error)}.")
        return run_lines.lines(*wanted, None, chosen.unlike)


def _below(found: Lines, chosen: Choices, ticked: list[str], runs: pd.DataFrame) -> None:
    """Show what belongs to the table as a whole: actions, ways to take it along, its explanation, charts."""
    if arguments.writable():
        actions.said()
    with st.container(horizontal=True):
        lines.pin(ticked, chosen.baseline)
        if arguments.writable() and len(runs):
            actions.show(runs)
        views.show()
        export.share(found, chosen)
        kind = export.choose()
    if kind:
        export.copy(found, chosen, kind)
    lines.explain(found)
    lines.charts(found, chosen)


def _ticked(ticked: pd.DataFrame) -> None:
    if len(ticked) == 1:
        record.show(ticked.iloc[0])
    elif len(ticked) > 1:
        comparison.show(ticked)
    else:
        st.caption("Tick a run to see its record; tick two or more to compare them.")


def _damaged(table: pd.DataFrame) -> None:
    """Show the records that can't be read, each with the reason."""
    damaged = table[table["status"] == "damaged"]
    if len(damaged):
        with st.expander(f"{len(damaged)} damaged {'record' if len(damaged) == 1 else 'records'}"):
            st.caption("They count nowhere. Delete the folder, or run the row again.")
            data_grid.show(damaged[["id", "reason"]], key="damaged")
