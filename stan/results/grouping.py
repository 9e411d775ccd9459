"""The table of runs and columns to group it by in; one line per group, and its difference from a baseline, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from stan.results.comparison import PROTOCOL, change_between, higher_is_better, interval

MOST = 120
"""Most runs whose answers are read for intervals: a page would wait too long for those of thousands."""

BASELINE, PAIRED, PLAIN, REFUSED = "the baseline", "paired", "plain", "not compared"
"""How a line's difference from the baseline was taken."""

COLUMNS = ("line", "configs", "n", "mean", "sd", "low", "high", "reason")
"""Columns of `groups` beside those that the runs are grouped by."""

_READ = ("id", "path", "status", "shipped", "hash", "seed")


def line_names(df: pd.DataFrame, by: Sequence[str]) -> pd.Series:
    """Return the name of each run's group: its values of the columns `by`, in that order, between middle dots."""
    told = [df[name].map(_told) for name in by]
    return told[0].str.cat(told[1:], sep=" · ")


def groups(
    df: pd.DataFrame, by: Sequence[str], value: str, most: int = MOST, repeats: int = 10000
) -> pd.DataFrame:
    """Return one line per group of done runs that agree in all columns `by`, the best mean of `value` first.

    Columns: line (the group's name), those of `by`, configs and n (numbers of configs and of runs), mean, sd, low,
    high, reason. A run that is there several times, in the package or under other studies, counts once. sd is over runs
    (ddof 1). low and high: 95 % bootstrap interval over queries, with the group's runs averaged; empty, with a reason,
    if the runs answered different queries or `value` has none. Only the first groups have one, those with `most` runs
    together. Raises ValueError if a column of `by` has the name of another one here.
    """
    named = set(by) & set(COLUMNS)
    if named:
        raise ValueError(f"runs can't be grouped by {', '.join(named)}: groups have a column of that name")
    runs = _counted(df, line_names(df, by), value, by)
    lines = runs.groupby("line", sort=False)
    table = lines[value].agg(n="size", mean="mean", sd="std").assign(configs=lines["hash"].nunique())
    table = table.join(lines[list(by)].first())
    table = table.sort_values("mean", ascending=not higher_is_better(value), kind="stable")
    near = _within(table["n"], most)
    bands = {name: interval(runs[runs["line"] == name], value, repeats) for name in table.index[near]}
    beyond = {
        "low": np.nan,
        "high": np.nan,
        "reason": f"intervals are of the first {most} runs: filter for others",
    }
    band = pd.DataFrame([bands.get(name, beyond) for name in table.index], index=table.index)
    table = table.join(band.astype({"low": float, "high": float}) if len(band) else band)
    return table.rename_axis("line").reset_index().reindex(columns=["line", *by, *COLUMNS[1:]])


def members(df: pd.DataFrame, lines: pd.Series, value: str) -> pd.DataFrame:
    """Return line, id, seed and value of every run that counts in `groups`."""
    runs = _counted(df, lines, value, [])
    return runs[["line", "id", "seed", value]].rename(columns={value: "value"}).reset_index(drop=True)


def differences(
    df: pd.DataFrame,
    lines: pd.Series,
    value: str,
    baseline: str,
    allow: bool = False,
    most: int = MOST,
    repeats: int = 10000,
) -> pd.DataFrame:
    """Return every line's difference in `value` from the line called `baseline`, indexed by the lines' names.

    lines: for each run of `df` the name of its line: its group's, or its own id. Columns: change, low, high, won, lost,
    how (one of the constants above), reason. A difference is paired, with a 95 % interval, where the runs answered the
    same queries, and plain otherwise. Only the first lines are paired, those with `most` runs together. Lines of
    another protocol are refused unless `allow`. Raises ValueError if no run of the baseline counts.
    """
    runs = _counted(df, lines, value, [name for name in PROTOCOL if name in df])
    parts = runs.groupby("line", sort=False)
    base = runs[runs["line"] == baseline]
    if base.empty:
        raise ValueError(f"the baseline {baseline} has no done run with {value} here")
    change = parts[value].mean() - base[value].mean()
    table = pd.DataFrame({"change": change, "low": np.nan, "high": np.nan, "won": np.nan, "lost": np.nan})
    refused = pd.Series("", table.index) if allow else _refusals(runs, base)
    reason = refused.where(refused != "", f"the first {most} runs are paired: filter for others")
    table = table.assign(how=np.where(refused != "", REFUSED, PLAIN), reason=reason)
    table.loc[table["how"] == REFUSED, "change"] = np.nan
    others = runs.loc[(runs["line"].map(refused) == "") & (runs["line"] != baseline), "line"]
    sizes = others.value_counts(sort=False)
    for name in sizes.index[_within(sizes, most)]:
        paired = _paired(base, runs[runs["line"] == name], value, repeats)
        table.loc[name, list(paired)] = list(paired.values())
    table.loc[baseline, ["change", "how", "reason"]] = [0.0, BASELINE, ""]
    return table


def _counted(df: pd.DataFrame, lines: pd.Series, value: str, columns: Sequence[str]) -> pd.DataFrame:
    """Return the done runs with a value and their lines; a run's own record comes before the shipped one's."""
    names = list(dict.fromkeys([*_READ, *columns, value]))
    runs = df.loc[(df["status"] == "done") & df[value].notna(), names]
    runs = runs.assign(line=lines, **{value: runs[value].astype(float)})
    first = runs.sort_values("shipped", kind="stable").drop_duplicates(["line", "hash", "seed"])
    return runs.loc[runs.index.isin(first.index)]


def _within(sizes: pd.Series, most: int) -> pd.Series:
    """Tell which lines come before `most` runs are used up; one that is larger than all of them is passed over."""
    small = sizes.where(sizes <= most, 0)
    return (small.cumsum() <= most) & (sizes <= most)


def _refusals(runs: pd.DataFrame, base: pd.DataFrame) -> pd.Series:
    """Return by line why it isn't compared with the runs `base`: what differs in the protocol, or an empty text."""
    names = [name for name in PROTOCOL if name in runs]
    protocol = pd.Series(list(zip(*(runs[name].map(_told) for name in names), strict=True)), runs.index)
    if protocol[base.index].nunique() > 1:
        return pd.Series("the baseline's runs are of several protocols", runs["line"].unique())
    own = protocol[base.index[0]]
    reasons = {
        other: "; ".join(f"{n} {a} against {b}" for n, a, b in zip(names, own, other, strict=True) if a != b)
        for other in protocol.unique()
    }
    parts = protocol.groupby(runs["line"], sort=False)
    return parts.first().map(reasons).where(parts.nunique() == 1, "its runs are of several protocols")


def _paired(base: pd.DataFrame, runs: pd.DataFrame, value: str, repeats: int) -> dict[str, Any]:
    try:
        change = change_between(base, runs, value, allow=True, repeats=repeats)
    except ValueError as error:
        return {"reason": str(error)}
    shown = {name: getattr(change, name) for name in ("change", "low", "high", "won", "lost")}
    return shown | {"how": PAIRED, "reason": ""}


def _told(value: Any) -> str:
    if value is None or value == "" or value != value:
        return "none"
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value)
