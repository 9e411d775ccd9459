"""A row in; the learning rate that was chosen for it on validation, and how it was chosen, out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stan.common.files import read_settings
from stan.common.paths import ASSETS
from stan.config import Experiment, ModelConfig
from stan.data.datasets import WORLD, task
from stan.experiments.studies import STUDIES

if TYPE_CHECKING:
    import pandas as pd

LEARNING_RATES = (3e-4, 1e-3, 3e-3)
"""The learning rates that are tried for every row; validation decides."""


RATES_FILE = ASSETS / "learning_rates.json"


def rate_key(experiment: Experiment) -> str:
    """Return the key of the experiment's row in `learning_rates.json`: suite/size/row.

    Rows that train alike share one key. In the world, a row on another backbone than its study's has one of its own.
    """
    data, name = experiment.data, experiment.row.partition("@")[0]
    known = STUDIES.get(experiment.study)
    row = next((row for row in known.rows if row.name == experiment.row), None) if known else None
    if row is not None:
        name = row.rate_of or row.name
        if row.tower is None and data.suite in WORLD and experiment.model.backbone != ModelConfig.backbone:
            name += f"-on-{Path(experiment.model.backbone).name}"  # which may be a folder
    return f"{data.suite}/{data.size}/{name}"


def learning_rate(experiment: Experiment, runs_root: str | Path) -> dict[str, Any]:
    """Return how the experiment's learning rate was chosen: {"lr", "tried": {rate: validation}, "chosen_on"}.

    The choice is looked up among those made under `runs_root`, then among the shipped ones. A rate that isn't the
    recorded choice has no trials: it is the setting's default, or was set by hand.
    """
    for file in (Path(runs_root) / RATES_FILE.name, RATES_FILE):
        record = chosen_rates(file).get(rate_key(experiment))
        if isinstance(record, Mapping) and record.get("lr") == experiment.train.lr:
            return record
    return {"lr": experiment.train.lr, "tried": {}, "chosen_on": "not chosen: a default, or set by hand"}


def chosen_rates(file: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return the choices in `file` (None: the shipped ones) by suite/size/row; {} if there is no such file."""
    file = file or RATES_FILE
    return read_settings(file) if file.is_file() else {}


def choose_rates(runs: pd.DataFrame, trials: list[Experiment] | None = None) -> dict[str, dict[str, Any]]:
    """Return the content of `learning_rates.json`: for each row, the rate that is best on validation in its trials.

    `runs`: as `results.load` returns them. `trials`: the `rate_trials` that count, if `runs` also holds trials with
    other settings. Only done trials with seed 0 count; of equally good rates, the lower one is taken. A row is left out
    until all of its trials are done. Raises ValueError if one rate of a row was tried with several settings.
    """
    from stan.evaluation.metrics import HEADLINE

    tried = runs[(runs["study"] == "learning-rates") & (runs["status"] == "done") & (runs["seed"] == 0)]
    if trials is not None:
        tried = tried[tried["id"].isin([trial.id for trial in trials])]
    choices = {}
    for (suite, size, name), of_row in tried.groupby(["suite", "size", tried["row"].str.split("@").str[0]]):
        if of_row["train.lr"].duplicated().any():
            raise ValueError(f"{name} on {suite} was tried with several settings: say which trials count")
        scores = of_row[f"validation.{HEADLINE[task(suite)]}"].astype(float)
        values = dict(sorted(zip(of_row["train.lr"].astype(float), scores, strict=True)))
        if set(LEARNING_RATES) <= set(values):
            best = max(values, key=values.__getitem__)
            shown = {f"{rate:g}": value for rate, value in values.items()}
            choices[f"{suite}/{size}/{name}"] = {
                "lr": best,
                "tried": shown,
                "chosen_on": "validation, seed 0",
            }
    return choices
