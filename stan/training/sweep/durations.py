"""An experiment and the records so far in; an estimate of how long its run will take, out."""

from __future__ import annotations

import pandas as pd

from stan import results
from stan.config import Experiment


def known(records: pd.DataFrame) -> pd.DataFrame:
    """Return the runs to estimate from: the done ones of `records` (as from `results.load`) and the shipped ones."""
    done = records[records["status"] == "done"] if len(records) else records
    return pd.concat([done, results.load([], shipped=True)])


def seconds(one: Experiment, known: pd.DataFrame, tested: bool = False) -> float | None:
    """Return the median seconds of the runs that did the same; None if there is none.

    tested: the run only tests weights that another run trained. Runs that differ in their seeds alone count before runs
    that are merely similar. Within each group, local runs count before the shipped ones, which another machine made.
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
