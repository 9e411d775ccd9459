"""The table of runs in; what its reader chose to see of it out. All of it stands in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard import labels
from dashboard.components import url_widgets
from dashboard.tables import arguments, records, run_lines, study_tables
from stan.results import expressions

KEYS = (
    *("filter", "status", "columns", "differ", "computed", "group", "value"),
    *("sort", "highest", "hidden", "unlike"),
)
"""Names of the widgets, under which the address and saved views hold what was chosen."""
BASELINE = "baseline"

_COLUMNS = ["status", "origin", "tags", "suite", "size", "t2v.R@1", "top-1", "order.accuracy", "seconds"]
_AS_LISTED = "as listed"


@dataclass(frozen=True)
class Choices:
    table: pd.DataFrame
    """All runs in the order chosen, with the computed columns."""
    kept: pd.Series
    """Which of them pass the filter."""
    columns: list[str]
    computed: list[str]
    by: list[str]
    value: str
    baseline: str | None
    unlike: bool
    """Whether lines are compared with the baseline although their protocols differ."""
    editing: bool
    """Whether the table has cells for tags and notes instead of ticks."""


def ask(table: pd.DataFrame, known: Sequence[str], numbers: Sequence[str]) -> Choices:
    """Show the widgets and return what they say. known: the columns that hold values; numbers: those with numbers."""
    kept = _filtered(table)
    with st.expander("Columns, groups and order"):
        left, right = st.columns(2)
        with right:
            table, computed = _computed(table)
        names, numbers = [*computed, *known, "tags", "note"], [*computed, *numbers]
        with left:
            columns = _columns(table, names)
        first, second, third = st.columns(3)
        with first:
            possible = [name for name in names if name not in run_lines.OF_LINES or name == "tags"]
            by = url_widgets.several(
                "Groups by", possible, "group", help="Runs that agree in these columns are one line."
            )
        with second:
            value = url_widgets.one(
                "Value",
                numbers,
                "value",
                default=_headline(table, kept, numbers),
                help="What groups are averaged, drawn and compared by.",
            )
        with third:
            table = _in_order(table, names)
        with st.container(horizontal=True):
            hidden = url_widgets.switch("Hidden runs, too", "hidden")
            unlike = url_widgets.switch("Compare what isn't like for like", "unlike")
            editing = arguments.writable() and not by and url_widgets.switch("Edit tags and notes", "edit")
    if not hidden:
        kept &= ~table["hidden"]
    kept = kept.loc[table.index]
    baseline = st.query_params.get(BASELINE)
    return Choices(table, kept, [*columns, *computed], computed, by, value, baseline, unlike, editing)


def _filtered(table: pd.DataFrame) -> pd.Series:
    left, right = st.columns([2, 1])
    with left:
        text = st.text_input(
            "Filter",
            key="filter",
            placeholder="part of an id, suite or tag: motions, stan/",
            bind="query-params",
        )
    with right:
        statuses = url_widgets.several("Status", sorted(table["status"].unique()), "status")
    kept = records.named(table, text)
    return kept & table["status"].isin(statuses) if statuses else kept


def _columns(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    columns = url_widgets.several("Columns", names, "columns", default=_COLUMNS)
    if url_widgets.switch("Only what differs", "differ"):
        columns = study_tables.differing(table[columns])
    return columns


def _computed(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the table with the columns that the reader computes from others, and their names."""
    text = st.text_input(
        "Columns computed from others",
        key="computed",
        placeholder="gap = `seen.t2v.R@1` - `unseen.t2v.R@1`; seconds / 60",
        help="Names of columns in backticks, numbers, + - * /, parentheses, min, max and abs; "
        "several between semicolons.",
        bind="query-params",
    )
    try:
        return expressions.with_columns(table, text, run_lines.OF_LINES)
    except ValueError as error:
        st.error(labels.plain(error))
        return table, []


def _in_order(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the runs in the order of a column; those without a value come last."""
    by = url_widgets.one("Order", [_AS_LISTED, *names], "sort", help="Of runs; groups stand best first.")
    highest = url_widgets.switch("Highest first", "highest", True)
    if by == _AS_LISTED:
        return table
    values = table[by]
    if not pd.api.types.is_numeric_dtype(values):
        values = values.astype(str).where(values.notna())
    order = values.sort_values(ascending=not highest, kind="stable", na_position="last").index
    return table.loc[order]


def _headline(table: pd.DataFrame, kept: pd.Series, numbers: Sequence[str]) -> str:
    """Return the first of `labels.METRICS` that a kept run has."""
    known = [name for name in labels.METRICS if name in numbers and (table[name].notna() & kept).any()]
    return next(iter(known), numbers[0])
