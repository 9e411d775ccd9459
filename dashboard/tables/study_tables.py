"""Tables of runs and of printed numbers in, the pages' tables out. Printed and own numbers never share a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dashboard import labels
from stan import report, results
from stan.report.formats import one_decimal, with_interval
from stan.results.comparison import PROTOCOL


def in_order(table: pd.DataFrame, rows: Sequence[str]) -> pd.DataFrame:
    """Return a table with row and hash in the order of `rows`; rows with several configs get the hash in their name."""
    table = table.assign(place=table["row"].map(list(rows).index)).sort_values("place", kind="stable")
    return report.told_apart(table).drop(columns="place").reset_index(drop=True)


def ordered(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return the distinct names in the order of `known`, the study's own; names that aren't in it come last."""
    present = list(dict.fromkeys(names))
    return [name for name in known if name in present] + [name for name in present if name not in known]


def ablation(
    summary: pd.DataFrame,
    changes: pd.DataFrame,
    means: pd.DataFrame,
    printed: pd.DataFrame | None,
    columns: Sequence[str],
) -> pd.DataFrame:
    """Return one line per row: components, own numbers, the change and, in separate columns, the paper's numbers.

    `summary`: row, hash, n, mean, sd, low, high; `changes`: row, change, low, high; `means`: row and further own means;
    `printed`: from `printed_beside`; `columns`: its columns to show. Rows that are printed but not done have empty
    cells. The lines of a row with several configs stand at its place.
    """
    own = summary[["row", "n", "mean", "sd"]].rename(columns={"n": "seeds", "sd": "± sd"})
    own["95 %"] = [interval(low, high) for low, high in zip(summary["low"], summary["high"], strict=True)]
    moved = changes[["row"]].assign(change=[_change(line) for line in changes.itertuples()])
    own = own.merge(moved, on="row", how="left").merge(means, on="row", how="left")
    if printed is None:
        return own
    ticks = printed[["row", *[column for column in labels.COMPONENTS.values() if column in printed]]]
    numbers = printed[["row", *columns]].rename(
        columns={column: labels.paper_column(column) for column in columns}
    )
    lines: dict[str, list[str]] = {row: [] for row in printed["row"]}
    for name, config in zip(summary["row"], summary["hash"], strict=True):
        lines.setdefault(name.removesuffix(f" ({config[:6]})"), []).append(name)
    names = [(row, name) for row, told in lines.items() for name in told or [row]]
    table = (
        pd.DataFrame(names, columns=["of", "row"])
        .merge(ticks.rename(columns={"row": "of"}), how="left")
        .merge(own, how="left")
        .merge(numbers.rename(columns={"row": "of"}), how="left")
    )
    return table.drop(columns="of").astype({"seeds": "Int64"})


def interpolations(table: pd.DataFrame) -> pd.DataFrame:
    """Return `stan.report.interpolations` as the page shows it, with intervals in words."""
    values = table[["low", "high"]].itertuples(index=False, name=None)
    changes = table[["change", "change_low", "change_high"]].itertuples(index=False, name=None)
    return pd.DataFrame(
        {
            "row": table["row"],
            "seeds": table["n"],
            "measured on": table["on"],
            "metric": table["metric"],
            "CLIP's share": [f"{share:.0%}" for share in table["share"]],
            "value": table["value"],
            "95 %": [interval(*ends) for ends in values],
            "change": [with_interval(*change, "+") for change in changes],
            "p": table["p"],
        }
    )


def interval(low: float, high: float, sign: str = "") -> str | None:
    """Return the form 50.1 to 54.4; None if there is no interval. sign: "+" for that of a change."""
    return None if np.isnan(low) else f"{one_decimal(low, sign)} to {one_decimal(high, sign)}"


def _change(line: Any) -> str | None:
    return None if np.isnan(line.low) else with_interval(line.change, line.low, line.high, "+")


def printed_beside(rows: Sequence[Any], ticks: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the paper's numbers by row, one column per benchmark, and the ticks of the components.

    rows: the rows of a `stan.experiments.studies.Study`. ticks: from `stan.report.components`. None if nothing is
    printed.
    """
    found = pd.DataFrame(
        {"row": row.name, **{column: row.number(column) for column in labels.BENCHMARKS}}
        for row in rows
        if row.printed
    )
    if found.empty:
        return None
    printed = found.dropna(axis=1, how="all")
    return (printed if ticks is None else printed.merge(ticks)).rename(columns=labels.COMPONENTS)


def means(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the means over seeds, in percent, by row and hash.

    Columns, if the runs have them: order, seen, unseen, "order, seen", "order, unseen" and last. `last` is the metric
    after the last epoch, in contrast to the weights that were tested.
    """
    columns = {
        "order.accuracy": "order",
        f"seen.{metric}": "seen",
        f"unseen.{metric}": "unseen",
        "seen.order.accuracy": "order, seen",
        "unseen.order.accuracy": "order, unseen",
        f"last.{metric}": "last",
    }
    present = [column for column in columns if column in runs and runs[column].notna().any()]
    return runs.groupby(["row", "hash"], sort=False)[present].mean().rename(columns=columns).reset_index()


def seen_unseen(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return row, hash, seen and unseen: means over seeds in percent; empty if the runs don't report both."""
    table = means(runs, metric)
    if not {"seen", "unseen"} <= set(table):
        return pd.DataFrame(columns=["row", "hash", "seen", "unseen"])
    return table[["row", "hash", "seen", "unseen"]].dropna()


def order_kinds(ranks: Mapping[str, Sequence[Mapping[str, np.ndarray]]]) -> pd.DataFrame:
    """Return row, kind, accuracy (percent, over seeds and twins) and N (twins). `ranks`: by row, its runs' arrays."""
    parts = [
        pd.DataFrame({"row": row, "kind": arrays["order_kinds"], "right": arrays["order_correct"]})
        for row, runs in ranks.items()
        for arrays in runs
        if "order_kinds" in arrays
    ]
    if not parts:
        return pd.DataFrame(columns=["row", "kind", "accuracy", "N"])
    grouped = pd.concat(parts).groupby(["row", "kind"], sort=False)["right"]
    table = grouped.agg(accuracy="mean", N="size").reset_index()
    runs_of = {row: len(runs) for row, runs in ranks.items()}
    return table.assign(accuracy=100 * table["accuracy"], N=table["N"] // table["row"].map(runs_of))


def gains(before: Sequence[pd.Series], after: Sequence[pd.Series]) -> pd.DataFrame:
    """Return query, before, after and gain (percent of seeds that are right), the largest gain first.

    Each series holds one seed's values by query.
    """
    table = pd.DataFrame(
        {"before": pd.concat(before, axis=1).mean(axis=1), "after": pd.concat(after, axis=1).mean(axis=1)}
    )
    table = table.dropna().assign(gain=table["after"] - table["before"])
    return (
        table.rename_axis("query")
        .reset_index()
        .sort_values("gain", ascending=False, kind="stable", ignore_index=True)
    )


def curves(log: pd.DataFrame, headline: str) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return the steps (epoch, loss), the validations (epoch, value) and the metric of the latter, from a run's log.

    Both tables also have step and time (seconds) if the log does. A validation is placed at the last step of its epoch.
    """
    empty = pd.DataFrame(columns=["epoch", "loss"])
    if "loss" not in log or "epoch" not in log:  # a foreign run's log has other names
        return empty, empty.rename(columns={"loss": "value"}), headline
    logged = log.dropna(subset=["loss"])
    clocks = [name for name in ("step", "time") if name in logged]
    within = logged.groupby("epoch")["loss"]
    part = within.cumcount() / within.size().max()  # the last epoch may be in progress
    steps = logged[clocks].assign(epoch=logged["epoch"] + part, loss=logged["loss"])
    measured = [name for name in labels.METRICS if f"validation.{name}" in log]
    chosen = headline if headline in measured else next(iter(measured), headline)
    if f"validation.{chosen}" not in log:
        return steps, empty.rename(columns={"loss": "value"}), chosen
    values = log.dropna(subset=[f"validation.{chosen}"])
    ends = pd.DataFrame({"epoch": values["epoch"] + 1, "value": values[f"validation.{chosen}"]})
    last = logged.groupby("epoch")[clocks].max()
    return steps, ends.assign(**{name: values["epoch"].map(last[name]) for name in clocks}), chosen


def metrics(tested: Mapping[str, Any], last: Mapping[str, Any]) -> pd.DataFrame:
    """Return metric, tested, last: all that one run measured, by dotted names, except counts (names ending in N)."""
    shown = {name: value for name, value in tested.items() if not name.endswith("N")}
    lines = [{"metric": name, "tested": value, "last": last.get(name)} for name, value in shown.items()]
    return pd.DataFrame(lines, columns=["metric", "tested", "last"])


def pairs(values: Mapping[str, Any]) -> pd.DataFrame:
    """Return a dictionary as a table of name and value, both text."""
    return pd.DataFrame(
        [{"name": name, "value": "" if value is None else str(value)} for name, value in values.items()]
    )


def differing(runs: pd.DataFrame) -> list[str]:
    """Return the columns in which the runs differ."""
    return [column for column in runs if runs[column].astype(str).nunique(dropna=False) > 1]


def columns(runs: pd.DataFrame) -> list[str]:
    """Return the columns of the run table that can be chosen: all that hold any value."""
    return [column for column in runs if column not in ("id", "path") and runs[column].notna().any()]


def not_comparable(runs: pd.DataFrame) -> list[str]:
    """Return the reasons not to compare these runs: unfinished runs and each part of the protocol that differs."""
    unfinished = runs.loc[runs["status"] != "done", "id"]
    reasons = [f"{run} is not done" for run in unfinished]
    for name in PROTOCOL:
        told = sorted(
            {"none" if pd.isna(value) or value == "" else str(value) for value in runs.get(name, [])}
        )
        if len(told) > 1:
            reasons.append(f"{name} ({', '.join(told)})")
    return reasons


def side_by_side(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a table of what differs: one line per setting or metric, settings first, and one column per run."""
    chosen = [column for column in differing(runs) if not column.startswith(_ASIDE)]
    chosen = sorted(chosen, key=lambda column: not results.is_setting(column))
    table = runs.set_index("id")[chosen].astype(object).T.map(_short)
    return table.rename_axis("what").reset_index()


_ASIDE = (
    "id",
    "path",
    "hash",
    "training_hash",
    "start",
    "end",
    "heartbeat",
    "command",
    "last.",
    "validation.",
)


def _short(value: object) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else one_decimal(value) if abs(value) >= 1 else f"{value:.4g}"
    return "" if value is None else str(value)
