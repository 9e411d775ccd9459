"""A study's runs in; what each row finds with CLIP's weights moved back, averaged over its seeds, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from stan.report.tables import in_study_order, told_apart
from stan.results import interpolated
from stan.results.comparison import one_per_seed
from stan.results.interpolated import lines

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


def _lines(documents: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    measured = [document["measured"] for document in documents]
    sets = [name for name in measured[0] if all(name in one for one in measured)]
    return [line for name in sets for line in lines(name, [one[name] for one in measured])]
