"""The lines of the run table in; the table, its charts and the runs ticked in it out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import streamlit as st

from dashboard import labels
from dashboard.charts import study_charts
from dashboard.components import data_grid
from dashboard.runs import choices
from dashboard.runs.choices import Choices
from dashboard.tables import run_lines
from dashboard.tables.run_lines import Lines

TICKED = "run"
"""Name in the address of the ids of the ticked runs."""


def show(found: Lines, chosen: Choices) -> list[str]:
    """Show the table and return the names of its ticked lines; the address keeps those of runs as `run`."""
    table = run_lines.shown(found, chosen.columns)
    names = list(found.table["line"])
    wanted = [] if found.by else st.query_params.get_all(TICKED)
    with st.container(key="runs"):
        event = data_grid.show(
            table,
            # another key for other lines: ticks are kept by place, and would move to whatever stands there now
            key=f"lines {_digest(names)}",
            pinned=None if found.by else "id",
            pinned_width=310,
            exact=run_lines.exact(found, chosen.computed),
            on_select="rerun",
            selection_mode="multi-row",
            selection_default={"selection": {"rows": [names.index(run) for run in wanted if run in names]}},
            height=data_grid.height(table),
        )
    ticked = [names[place] for place in event.selection.rows if place < len(names)]
    st.query_params[TICKED] = [] if found.by else ticked
    return ticked


def pin(ticked: Sequence[str], baseline: str | None) -> None:
    """Offer to make the one ticked line the baseline, or to do without the one there is."""
    if len(ticked) == 1 and ticked[0] != baseline:
        st.button("Compare all with this", key="pin", on_click=_pinned, args=(ticked[0],))
    if baseline:
        st.button(f"Without baseline {labels.plain(baseline)}", key="unpin", on_click=_pinned, args=(None,))


def _pinned(line: str | None) -> None:
    if line is None:
        del st.query_params[choices.BASELINE]
    else:
        st.query_params[choices.BASELINE] = line


def charts(found: Lines, chosen: Choices) -> None:
    """Draw the first groups' means with their intervals, and what is paired with the baseline."""
    paired, drawn = found.paired, bool(found.by) and len(found.table) > 0
    if not drawn and paired.empty:
        return
    columns = iter(st.columns(2, gap="large") if drawn and len(paired) else [st.container()])
    metric = labels.metric(found.value)
    if drawn:
        with next(columns):
            st.markdown(f"##### {labels.plain(metric)} by {labels.plain(', '.join(found.by))}")
            figure = study_charts.rows(found.summary, found.seeds, metric, found.unit)
            st.plotly_chart(figure, key="groups", config=study_charts.CONFIG)
    if len(paired):
        with next(columns):
            st.markdown(f"##### Against {labels.plain(chosen.baseline)}")
            st.plotly_chart(study_charts.forest(paired, metric), key="against", config=study_charts.CONFIG)
    if len(found.table) > run_lines.DRAWN:
        st.caption(f"Drawn: the first {run_lines.DRAWN} of {len(found.table)} lines.")


def explain(found: Lines) -> None:
    """Say what the lines' numbers are, and why some are missing."""
    if found.by:
        st.caption(
            f"Groups: means of {labels.plain(found.value)} over done runs, a run that is there twice counted once; "
            "sd over runs; *95 %*: interval over queries, with the group's runs averaged. *configs* above 1: the group "
            "mixes settings."
        )
    if found.changes is not None:
        st.caption(
            f"*difference*: in {labels.plain(found.value)} from the baseline. *paired*: query by query, with its 95 % "
            "interval; *plain*: of the two means only."
        )
    told = run_lines.reasons(found)
    if told:
        st.caption(
            "Where something is missing: " + "; ".join(labels.plain(reason) for reason in told[:4]) + "."
        )


def _digest(names: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:10]
