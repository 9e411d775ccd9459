"""An experiment and the records so far in; how long its run will take, out."""

from __future__ import annotations

import pandas as pd

from stan import results
from stan.config import Experiment


def known(records: pd.DataFrame) -> pd.DataFrame:
    """What there is to estimate from: the done runs of `records`, as `results.load` has them, and the shipped ones."""
    done = records[records["status"] == "done"] if len(records) else records
    return pd.concat([done, results.load([], shipped=True)])


def seconds(one: Experiment, known: pd.DataFrame, tested: bool = False) -> float | None:
    """Median of the runs that did the same, None where there is none; `tested`: with weights that another trained.

    Equal but for their seeds count before those that are only alike; of either, those from here before those that came
    with the package, whose machine was another.
    """
    alike = known[
        (known["suite"] == one.data.suite)
        & (known["size"] == one.data.size)
        & (known["data.frames"] == one.data.frames)
        & (known["model.backbone"] == one.model.backbone)
        & (known["model.temporal"] == one.model.temporal)
        & (known["model.similarity"] == one.model.similarity)
        & (known["train.epochs"] == one.train.epochs)
        & (known["train.frozen"] == one.train.frozen)
        & (known["same_as"].notna() == tested)
    ]
    for chosen in (alike[alike["hash"] == one.hash], alike):
        here = chosen[~chosen["shipped"].astype(bool)]
        if len(chosen):
            return float((here if len(here) else chosen)["seconds"].median())
    return None
