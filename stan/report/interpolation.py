"""A study's runs in; what each row finds with CLIP's weights moved back, by measured set or on two at once, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from stan.report.tables import in_study_order, told_apart
from stan.results import interpolated
from stan.results.comparison import one_per_seed
from stan.results.interpolated import GROUPS, lines

COLUMNS = (
    *("row", "hash", "n", "on", "metric", "share", "value", "low", "high"),
    *("change", "change_low", "change_high", "won", "lost", "p"),
)


def interpolations(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a line per row, measured set and share, of the done runs that `stan interpolate` measured.

    Columns: COLUMNS; n is the number of seeds, and on, share and what follows are those of
    `stan.results.interpolated.lines`. A row with several configs is told apart by the hash in its name. Only
    what all seeds of a row were measured on is there. Raises ValueError for seeds with other queries.
    """
    done = runs[runs["status"] == "done"]
    found = done.assign(document=list(map(interpolated.read, done["path"])))
    found = in_study_order(found[found["document"].notna()], runs["study"].iloc[0])
    table = [
        {"row": seeds["row"].iloc[0], "hash": seeds["hash"].iloc[0], "n": len(documents)} | line
        for _, seeds in found.groupby(found["row"] + found["hash"], sort=False)
        for documents in [one_per_seed(seeds)["document"].tolist()]
        for line in _lines(documents)
    ]
    return told_apart(pd.DataFrame(table, columns=list(COLUMNS)))


def trade_off(table: pd.DataFrame) -> pd.DataFrame:
    """Return what rows find at each share on two sets at once, as WiSE-FT draws it: what CLIP knew, and another set.

    table: from `interpolations`. x is what CLIP knew, the first measured set that isn't the run's own videos: in the
    embedded world the stills, elsewhere what `stan interpolate --also` named. y is each other set in turn. Rows that
    weren't measured on x are left out.
    Columns: row, n, share, x_set, x, x_low, x_high, y_set, y, y_low, y_high; a set is named with its metric, and values
    are in percent. There is a line per set on y, row and share. Intervals are those of `table`; a row of a single seed
    has none, because nothing tells how far another seed would be from it.
    """
    known = table["on"].isin([on for on in dict.fromkeys(table["on"]) if on not in GROUPS][:1])
    plane = _on_axis("x", table[known]).merge(_on_axis("y", table[~known]), on=["row", "n", "share"])
    ends = ["x_low", "x_high", "y_low", "y_high"]
    plane[ends] = plane[ends].where(plane["n"] > 1, np.nan)
    return plane


def _on_axis(axis: str, of_sets: pd.DataFrame) -> pd.DataFrame:
    values = of_sets[["value", "low", "high"]].set_axis([axis, f"{axis}_low", f"{axis}_high"], axis=1)
    place = of_sets[["row", "n", "share"]].assign(**{f"{axis}_set": of_sets["on"] + ", " + of_sets["metric"]})
    return place.join(values)


def _lines(documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    measured = [document["measured"] for document in documents]
    sets = [name for name in measured[0] if all(name in one for one in measured)]
    return [line for name in sets for line in lines(name, [one[name] for one in measured])]
