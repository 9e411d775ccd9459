"""A study's runs in; its tables, rows in the study's own order and the paper's numbers beside, out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from stan import experiments, results
from stan.metrics import HEADLINE


def study_runs(
    study: str, suite: str, size: str, runs: str | Path | Sequence[str | Path], shipped: bool = True
) -> pd.DataFrame:
    """The study's runs, as `results.load`. Shipped runs of a row that was run here with another config are left out.

    Raises ValueError where there is no done run, because a report of nothing would look like one of zeros.
    """
    found = results.load(runs, shipped)
    found = found[(found["study"] == study) & (found["suite"] == suite) & (found["size"] == size)]
    own = found[~found["shipped"].astype(bool) & (found["status"] == "done")]
    outdated = (
        found["shipped"].astype(bool) & found["row"].isin(own["row"]) & ~found["hash"].isin(own["hash"])
    )
    found = found[~outdated]
    if not (found["status"] == "done").any():
        raise ValueError(
            f"no done run of {study} on {suite}, size {size}, in {runs}: run `stan ablate {study}` first"
        )
    return _in_order(found, study)


def headline(suite: str) -> str:
    """The metric by which the suite's tables are read."""
    return HEADLINE[experiments.task(suite)]


def rows(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """`results.summary` in the study's order."""
    return _in_order(results.summary(runs, metric), runs["study"].iloc[0])


def changes(runs: pd.DataFrame, metric: str, baseline: str = "") -> pd.DataFrame:
    """`results.changes` against `baseline` (the study's own if empty), in the study's order.

    Test-time tricks are let pass, because a row that adds them is one of the components; the row's name says so.
    """
    study = runs["study"].iloc[0]
    return _in_order(
        results.changes(runs, baseline or experiments.STUDIES[study].baseline, metric, allow=True), study
    )


def printed(study: str, suite: str) -> dict[str, float | None]:
    """The paper's number by row, on the benchmark that the suite mirrors."""
    return {row.name: row.paper(suite) for row in experiments.STUDIES[study].rows}


def overview(runs: pd.DataFrame, suite: str) -> pd.DataFrame:
    """Per row: seeds; headline metric and order accuracy, each also on seen and unseen, with intervals; the
    paper's; minutes.
    """
    study, metric = runs["study"].iloc[0], headline(suite)
    table = pd.DataFrame({"row": rows(runs, metric)["row"], "seeds": rows(runs, metric)["n"]})
    wanted = [f"{group}{name}" for name in (metric, "order.accuracy") for group in ("", "seen.", "unseen.")]
    for name in (name for name in wanted if name in runs):
        table = table.merge(_with_interval(rows(runs, name), name), on="row", how="left")
    table["paper"] = table["row"].map(printed(study, suite))
    minutes = runs[runs["status"] == "done"].groupby("row", observed=True)["seconds"].mean() / 60
    table["minutes"] = table["row"].map(minutes).round(1)
    return table.astype({"row": str}).set_index("row")


def status(runs: pd.DataFrame) -> pd.DataFrame:
    """Where every number comes from: row, seed, status, shipped, learning rate, epoch, seconds, commit, machine."""
    columns = ["row", "seed", "status", "shipped", "train.lr", "epoch", "seconds", "commit", "machine", "id"]
    return runs[columns].reset_index(drop=True)


def _with_interval(summary: pd.DataFrame, name: str) -> pd.DataFrame:
    texts = [
        f"{row.mean_:.1f}" + ("" if pd.isna(row.low) else f" [{row.low:.1f}, {row.high:.1f}]")
        for row in summary.rename(columns={"mean": "mean_"}).itertuples()
    ]
    return pd.DataFrame({"row": summary["row"], name: texts})


def _in_order(table: pd.DataFrame, study: str) -> pd.DataFrame:
    known = [row.name for row in experiments.STUDIES[study].rows] if study in experiments.STUDIES else []
    place = {name: i for i, name in enumerate(known)}
    return table.sort_values(
        "row", key=lambda names: names.map(lambda name: place.get(name, len(place))), kind="stable"
    )
