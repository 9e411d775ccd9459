"""Runs that pass the page's filter in, the lines of its table out: runs or groups, with differences from a baseline."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.tables import records, study_tables
from stan import results
from stan.evaluation.definitions import definition
from stan.results import grouping

DRAWN = 40
"""Most lines in one figure."""

OF_LINES = frozenset(
    (
        *grouping.COLUMNS,
        "runs",
        "± sd",
        "95 %",
        "difference",
        "difference, 95 %",
        "taken",
        "tags",
        "note",
        "hidden",
    )
)
"""Names that columns of lines have, which computed columns must not have and groups can't be made by."""


@dataclass(frozen=True)
class Lines:
    """The lines of the run table, in their order: single runs (`by` is empty) or groups of them."""

    runs: pd.DataFrame
    """The runs behind the lines; the pinned baseline's among them."""
    of_run: pd.Series
    """The name of each run's line: its own id, or its group's name."""
    by: tuple[str, ...]
    value: str
    table: pd.DataFrame
    """One row per line, in the order shown: line; for groups also `by`, configs, n, mean, sd, low, high, reason."""
    changes: pd.DataFrame | None
    """`grouping.differences` by line, if there is a baseline."""

    @property
    def unit(self) -> str:
        return "percent" if in_percent(self.value) else ""

    @property
    def summary(self) -> pd.DataFrame:
        """Row, mean, low, high and n of the first lines that have a value, as charts draw them."""
        if self.by:
            found = self.table[["line", "mean", "low", "high", "n"]].rename(columns={"line": "row"})
        else:
            values = self.runs[["id", self.value]].dropna()
            found = pd.DataFrame({"row": values["id"], "mean": values[self.value].astype(float), "n": 1})
            found = found.assign(low=np.nan, high=np.nan)
        return found[["row", "mean", "low", "high", "n"]].head(DRAWN)

    @property
    def seeds(self) -> pd.DataFrame:
        """Row, seed and value of every run in `summary`."""
        found = grouping.members(self.runs, self.of_run, self.value).rename(columns={"line": "row"})
        return found[found["row"].isin(self.summary["row"])]

    @property
    def paired(self) -> pd.DataFrame:
        """Row, change, low, high, won and lost of the first lines that are paired with the baseline."""
        if self.changes is None:
            return pd.DataFrame(columns=["row"])
        found = self.changes[self.changes["how"] == grouping.PAIRED]
        found = found.rename_axis("row").reset_index().head(DRAWN)
        return found.astype({"won": int, "lost": int})


def lines(
    runs: pd.DataFrame, kept: pd.Series, by: Sequence[str], value: str, baseline: str | None, unlike: bool
) -> Lines:
    """Return the lines of the runs that are `kept`, the baseline first, even if none of its runs is kept.

    Raises ValueError if no run of the baseline counts.
    """
    names = grouping.line_names(runs, by) if by else runs["id"]
    pinned = names == baseline
    # the filter decides which runs of a group count
    chosen = kept if (kept & pinned).any() else kept | pinned
    runs, names = runs[chosen], names[chosen]
    if not by and not baseline:
        return Lines(runs, names, (), value, pd.DataFrame({"line": runs["id"]}), None)
    key = _key(runs, names, value)
    table = _groups(key, tuple(by), value, runs) if by else pd.DataFrame({"line": runs["id"]})
    table = table.sort_values("line", key=lambda line: line != baseline, kind="stable")
    place = names.map({name: place for place, name in enumerate(table["line"])}).sort_values(kind="stable")
    runs, names = runs.loc[place.index], names.loc[place.index]
    changes = _differences(key, value, baseline, unlike, runs, names) if baseline else None
    return Lines(runs, names, tuple(by), value, table.reset_index(drop=True), changes)


def shown(found: Lines, columns: Sequence[str]) -> pd.DataFrame:
    """Return the table of lines as the page shows it: the columns chosen, or each group's mean with its interval."""
    if found.by:
        table = found.table.drop(columns=["line", "low", "high", "reason"])
        band = [study_tables.interval(low, high) for low, high in found.table[["low", "high"]].to_numpy()]
        table = table.rename(columns={"n": "runs", "sd": "± sd"}).assign(**{"95 %": band})
    else:
        table = found.runs[["id", *columns]].reset_index(drop=True)
    if found.changes is None:
        return table
    changes = found.changes.reindex(found.table["line"]).reset_index(drop=True)
    ends = [study_tables.interval(low, high, "+") for low, high in changes[["low", "high"]].to_numpy()]
    told = {"difference": changes["change"], "difference, 95 %": ends, "taken": changes["how"]}
    place = len(found.by) if found.by else 1
    for offset, (name, values) in enumerate(told.items()):
        table.insert(place + offset, name, values)
    return table


def exact(found: Lines, computed: Sequence[str]) -> list[str]:
    """Return the columns of `shown` whose numbers are of any size, and so need four digits instead of one decimal."""
    return [*computed, *([] if in_percent(found.value) else ["mean", "± sd", "difference"])]


def printed(found: Lines, columns: Sequence[str], computed: Sequence[str]) -> pd.DataFrame:
    """Return `shown` for files that print one decimal: settings and numbers of any size are texts with four digits."""
    table = shown(found, columns)
    loose = {*exact(found, computed), *(name for name in table if results.is_setting(name))}
    floats = [name for name in table.select_dtypes("float") if name in loose]
    return table.assign(
        **{name: table[name].map("{:.4g}".format, na_action="ignore").astype(object) for name in floats}
    )


def reasons(found: Lines) -> list[str]:
    """Return, once each, why lines have no interval or no difference."""
    told = [] if found.changes is None else list(found.changes["reason"])
    if found.by:
        told += list(found.table["reason"])
    return [reason for reason in dict.fromkeys(told) if reason]


def in_percent(value: str) -> bool:
    """Tell whether a column holds percent: a metric that isn't a rank or a count."""
    return definition(value) is not None and not value.endswith(("MdR", "MnR", "N"))


def _key(runs: pd.DataFrame, names: pd.Series, value: str) -> str:
    """Return a cache key that changes with the runs, their order, their records, their lines and values."""
    values = runs[value].to_numpy(dtype=float, na_value=np.nan)
    told = [records.stamps(), *runs["id"], *names, values.tobytes().hex()]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


@st.cache_data(show_spinner="Averaging the groups ...", max_entries=32)
def _groups(key: str, by: tuple[str, ...], value: str, _runs: pd.DataFrame) -> pd.DataFrame:
    return grouping.groups(_runs, by, value)


@st.cache_data(show_spinner="Comparing query by query ...", max_entries=32)
def _differences(
    key: str, value: str, baseline: str, unlike: bool, _runs: pd.DataFrame, _names: pd.Series
) -> pd.DataFrame:
    return grouping.differences(_runs, _names, value, baseline, unlike)
