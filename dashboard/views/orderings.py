"""Runs in; a page out with the registered orderings of rows: which hold, and what would decide the others."""

from __future__ import annotations

from textwrap import wrap

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.charts import study_charts
from dashboard.components import data_grid, downloads, url_widgets
from dashboard.tables import orderings as decided
from dashboard.tables import records
from stan.experiments.orderings import registered
from stan.report import orderings

TITLE = "Orderings"
WIDEST = 26
"""Characters of a line beside the figure: a phone must have room for the figure, too."""


def show() -> None:
    st.title(TITLE)
    st.caption(
        "What the paper leads one to expect of the rows, written down before the runs and decided together: "
        "an ordering holds, it doesn't, or these runs can't tell."
    )
    places = decided.places()
    if not places:
        st.info("No run of the embedded world is done yet.")
        return
    names = {
        f"{origin}, {size}, on {backbone}": (origin, size, backbone) for origin, size, backbone in places
    }
    place = names[url_widgets.one("Runs", list(names), "runs")]
    try:
        items = decided.of_place(place)
    except ValueError as error:
        st.warning(labels.plain(str(error)))
        return
    _counts(items)
    # the change of an ordering whose rows were not all run tells only of a part of it
    compared = [one for one in items if "change" in one and not one["missing"]]
    if compared:
        figure = study_charts.forest(_changes(compared), "R@1 or top-1")
        st.plotly_chart(figure, key="forest", config=study_charts.CONFIG)
    lines = pd.DataFrame(orderings.lines(items))
    data_grid.show(lines, key="orderings", decimals="%.4f")
    for note in orderings.notes(items, registered()):
        st.caption(labels.plain(note))
    runs = records.runs()
    origin, size, backbone = place
    command = f"stan orderings --size {size} --backbone {backbone}{' --no-shipped' * (origin == 'yours')}"
    downloads.table("orderings", lines, list(runs.loc[runs["origin"] == origin, "id"]), command)


def _counts(items: orderings.Items) -> None:
    counted = orderings.counts(items)
    for column, (state, count) in zip(st.columns(len(counted)), counted.items(), strict=True):
        column.metric(state, count)


def _changes(items: orderings.Items) -> pd.DataFrame:
    """Return the table that `study_charts.forest` draws: one line per ordering that has runs."""
    names = [f"{one['number']}: {one['above']} / {one['against']}, {one['on']}" for one in items]
    lines = ["\n".join(wrap(name, WIDEST, break_on_hyphens=False)) for name in names]
    table = pd.DataFrame(items)[["change", "low", "high", "won", "lost"]]
    return table.assign(row=lines)
