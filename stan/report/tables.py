"""A study's runs in; its tables out, with rows in the study's own order and the printed numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stan import experiments, results
from stan.config import ModelConfig
from stan.data.datasets import WORLD, task
from stan.evaluation.metrics import HEADLINE
from stan.experiments import published
from stan.report import formats


def study_runs(
    study: str,
    suite: str,
    size: str,
    runs: str | Path | Sequence[str | Path],
    shipped: bool = True,
    backbone: str | None = None,
) -> pd.DataFrame:
    """Return the study's runs on one backbone (None: those that it uses on the suite), as `results.load` does.

    Shipped runs of a row are left out if the row was run here with another config.

    Raises ValueError if there is no done run, because a report of nothing would look like a report of zeros, and for an
    unknown study, suite or size.
    """
    return of_study(results.load(runs, shipped), study, suite, size, f"in {runs}", backbone)


def of_study(
    found: pd.DataFrame, study: str, suite: str, size: str, where: str, backbone: str | None = None
) -> pd.DataFrame:
    """Return `study_runs` of a table that is already loaded. `where` says in messages which table it is."""
    if study not in experiments.STUDIES:
        raise ValueError(f"no study {study!r}; there are {', '.join(experiments.STUDIES)}")
    every = found[(found["study"] == study) & (found["suite"] == suite)]
    found = results.on_backbone(every[every["size"] == size], backbone)
    own = found[~found["shipped"].astype(bool) & (found["status"] == "done")]
    outdated = (
        found["shipped"].astype(bool) & found["row"].isin(own["row"]) & ~found["hash"].isin(own["hash"])
    )
    found = found[~outdated]
    if not (found["status"] == "done").any():
        instead = _instead(every[every["status"] == "done"], study, suite, size)
        raise ValueError(f"no done run of {study} on {suite}, size {size}, {where}: {instead}")
    return in_study_order(found, study)


def _instead(done: pd.DataFrame, study: str, suite: str, size: str) -> str:
    """Say which of the done runs could be asked for, or how to make some. Raises ValueError for a misspelt name."""
    experiments.backbones(study, suite, size)
    if (done["size"] == size).any():
        there = sorted(done.loc[done["size"] == size, "model.backbone"].unique())
        return f"there are some on {' and '.join(there)} (--backbone)"
    if len(done):
        return f"there are some of size {' and '.join(sorted(done['size'].unique()))} (--size)"
    place = f"--suite {suite} --size {size}" if suite in WORLD else f"--data {suite}:ROOT"
    return f"run `stan ablate {study} {place}` first"


def headline(suite: str) -> str:
    """Return the metric by which the suite's tables are read."""
    return HEADLINE[task(suite)]


def rows(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return `results.summary` in the study's order."""
    return in_study_order(results.summary(runs, metric), runs["study"].iloc[0])


def changes(runs: pd.DataFrame, metric: str, baseline: str = "") -> pd.DataFrame:
    """Return `results.changes` against `baseline` (the study's own if empty), in the study's order.

    Differing test-time tricks are allowed, because a row that adds them is one of the components; the row's name says
    so.
    """
    study = runs["study"].iloc[0]
    return in_study_order(
        results.changes(runs, baseline or experiments.STUDIES[study].baseline, metric, allow=True), study
    )


def printed(study: str, suite: str) -> dict[str, float | None]:
    """Return the printed number by row, on the benchmark that the suite is or mirrors."""
    return {row.name: row.paper(suite) for row in experiments.STUDIES[study].rows}


def seeds(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return row, seed, value and id of every done run."""
    done = runs[(runs["status"] == "done") & runs[metric].notna()]
    return done[["row", "seed", metric, "id"]].rename(columns={metric: "value"}).reset_index(drop=True)


def components(study: str) -> pd.DataFrame | None:
    """Return row and a boolean per component, as the paper's table has them; None for other kinds of studies."""
    ticks = published.tables()["ablation_components"]
    if {row.name for row in experiments.STUDIES[study].rows} != set(ticks["row"]):
        return None
    names = ["cross_frame", "intra_frame", "branch", "multi_level"]
    return ticks[["row", *names]].astype(dict.fromkeys(names, bool))


def costs(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return row, hash, n, mean, low, high of `metric`, and the costs, counted on the model of the run's own config.

    gmacs: of one video with all views, in 10^9; linear and patch layers, as the paper counts.
    gmacs_all: the same, including attention's products.
    params, params_added: numbers of all parameters, and of those that the method adds.
    seconds: of training, averaged over seeds. Of runs that share their weights, the longest counts. Empty if runs come
        from several machines.

    Counts are empty if this version cannot build the run's model.
    """
    return with_costs(rows(runs, metric), runs)


def with_costs(summary: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return `costs` of runs whose `rows` are already computed."""
    table = summary[["row", "hash", "n", "mean", "low", "high"]].reset_index(drop=True)
    done = runs[runs["status"] == "done"]
    of_config = done.drop_duplicates("hash").set_index("hash")["path"]
    counted = pd.DataFrame([_counted(of_config[one]) for one in table["hash"]], index=table.index)
    trained = done["seconds"].groupby([done["training_hash"], done["seed"]]).transform("max")
    seconds = trained.groupby(done["hash"]).mean()
    alike = len(done[["machine", "device", "threads"]].drop_duplicates()) == 1
    return table.join(counted).assign(seconds=table["hash"].map(seconds) if alike else np.nan)


def time_probes(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one line per arrangement of every done run that was probed (`stan evaluate RUN --time-probe`).

    Columns: run (row and seed; the row as `told_apart` names it), id, row, seed, arrangement, frames, value, low, high,
    change, change_low, change_high, order. Probes are of the test split, without further tricks.
    """
    done = runs[runs["status"] == "done"]
    lines = [
        {"run": f"{name}, seed {run.seed}", "id": run.id, "row": run.row, "seed": run.seed} | line
        for name, run in zip(told_apart(done)["row"], done.itertuples(), strict=True)
        for line in _arrangements(results.time_probe(run.path))
    ]
    columns = ["run", "id", "row", "seed", "arrangement", "frames", "value", "low", "high"]
    return pd.DataFrame(lines, columns=[*columns, "change", "change_low", "change_high", "order"])


def _arrangements(probed: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [
        {name: one[name] for name in ("arrangement", "frames", "value", "change", "order")}
        | dict(zip(("low", "high"), one["value_interval"], strict=True))
        | dict(zip(("change_low", "change_high"), one["interval"], strict=True))
        for one in (probed or {}).get("arrangements", [])
    ]


def _counted(path: str) -> dict[str, float]:
    from stan.evaluation.test_time import views_of

    experiment = results.read(path)["experiment"]
    return _count(experiment.model, experiment.data.frames, views_of(experiment.test_time))


def _count(model: ModelConfig, frames: int, views: int) -> dict[str, float]:
    from stan.bench.flops import of_model

    names = {
        "gmacs": "gmacs_linear",
        "gmacs_all": "gmacs_all",
        "params": "params",
        "params_added": "params_added",
    }
    try:
        found = of_model(model, frames, views)
    except ValueError:  # a record of another version, whose model has options that are unknown here
        return dict.fromkeys(names, np.nan)
    return {name: float(found[key]) for name, key in names.items()}


def overview(runs: pd.DataFrame, suite: str) -> pd.DataFrame:
    """Return, per row, what the study found.

    Columns: seeds; headline metric and order accuracy, each also on seen and unseen, with intervals; the printed
    number; minutes. A row with several configs has a line for each, as `told_apart` names them.
    """
    study, metric = runs["study"].iloc[0], headline(suite)
    wanted = [f"{group}{name}" for name in (metric, "order.accuracy") for group in ("", "seen.", "unseen.")]
    summaries = {name: rows(runs, name) for name in wanted if name in runs}
    table = summaries[metric][["row", "hash", "n"]].rename(columns={"n": "seeds"})
    for name, summary in summaries.items():
        table = table.merge(_with_interval(summary, name), on=["row", "hash"], how="left")
    table["paper"] = table["row"].map(printed(study, suite))
    seconds = runs[runs["status"] == "done"].groupby("hash")["seconds"].mean()
    table["minutes"] = (table["hash"].map(seconds) / 60).round(1)
    return told_apart(table).drop(columns="hash").set_index("row")


def told_apart(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with row and hash in which the name of a row with several configs says which of them it is."""
    names, hashes = table["row"].astype(str), table["hash"]
    several = hashes.groupby(names).transform("nunique") > 1
    return table.assign(row=names.where(~several, names + " (" + hashes.str[:6] + ")"))


def status(runs: pd.DataFrame) -> pd.DataFrame:
    """Return where every number comes from.

    Columns: row, seed, status, shipped, learning rate, selected (which weights were tested), epoch, seconds, commit,
    machine, id.
    """
    columns = ["row", "seed", "status", "shipped", "train.lr", "selected", "epoch", "seconds", "commit"]
    return runs[[*columns, "machine", "id"]].reset_index(drop=True)


def _with_interval(summary: pd.DataFrame, name: str) -> pd.DataFrame:
    texts = [
        formats.with_interval(*numbers)
        for numbers in summary[["mean", "low", "high"]].itertuples(index=False, name=None)
    ]
    return summary[["row", "hash"]].assign(**{name: texts})


def in_study_order(table: pd.DataFrame, study: str) -> pd.DataFrame:
    """Return a table with rows in the study's own order; rows that it doesn't have come last."""
    known = [row.name for row in experiments.STUDIES[study].rows] if study in experiments.STUDIES else []
    place = {name: i for i, name in enumerate(known)}
    return table.sort_values(
        "row", key=lambda names: names.map(lambda name: place.get(name, len(place))), kind="stable"
    )
