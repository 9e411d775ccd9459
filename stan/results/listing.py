"""A folder of runs in; its records in short, the runs that a name stands for, and their paired changes, out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stan import results

if TYPE_CHECKING:
    import pandas as pd

Wanted = Mapping[str, str | None]
"""What a run's columns must hold, such as {"study": "components"}; None admits everything."""


def listed(root: Path, shipped: bool, wanted: Wanted = {}) -> Iterator[dict[str, Any]]:  # noqa: B006 - it is only read
    """Yield the wanted runs' records in short, read one by one without the full table that `results.load` makes."""
    places = [(root, False)]
    if shipped and root.resolve() != results.SHIPPED:
        places.append((results.SHIPPED, True))
    for place, comes_along in places:
        for path in results.run_folders(place):
            one = _in_short(path, comes_along)
            if all(value is None or one[name] == value for name, value in wanted.items()):
                yield one


def _in_short(path: Path, shipped: bool) -> dict[str, Any]:
    record = results.read(path)
    known = record["experiment"]
    values = {name: record[name] for name in ("id", "study", "row", "seed", "status", "reason", "path")}
    suite = known.data.suite if known else record["config"].get("suite")
    values |= {"suite": suite, "size": known.data.size if known else None}
    values |= {"backbone": known.model.backbone if known else None}
    values |= {
        "shipped": shipped or record["run"].get("shipped") is True,
        "seconds": record["run"].get("seconds"),
    }
    values |= {name: record["evaluation"].get(name) for name in ("headline", "test_time")}
    return values | {"metrics": record["evaluation"].get("metrics", {})}


def done(root: Path, shipped: bool, wanted: Wanted) -> pd.DataFrame:
    """Return the table of the wanted runs that are done."""
    found = results.load(root, shipped)
    for column, value in {**wanted, "status": "done"}.items():
        if value is not None:
            found = found[found[column] == value]
    return found


def chosen(done: pd.DataFrame, name: str, backbone: str | None = None, hint: str = "") -> pd.DataFrame:
    """Return the done runs that are seeds of one config, named by a run's id, by STUDY/ROW or by row.

    backbone: of a row's runs; None: those that its study uses, if it has runs on them. Several studies may have the
    row, as long as it is one config in all of them. Raises ValueError for a name of no run, ended by `hint`, and of
    several configs.
    """
    from stan.results.comparison import one_per_seed

    found = done[done["id"] == name]
    if found.empty:
        study, slash, row = name.rpartition("/")
        of_row = done[(done["row"] == row) & ((done["study"] == study) | (not slash))]
        found = results.on_backbone(of_row, backbone)
        if found.empty and backbone is None:
            found = of_row
    if found.empty:
        known = ", ".join(sorted({f"{s}/{r}" for s, r in zip(done["study"], done["row"], strict=True)}))
        raise ValueError(f"no done run {name!r}; there are {known or 'none'}{hint}")
    kinds = found[["study", "suite", "size", "row", "hash", "model.backbone"]].drop_duplicates()
    configs = kinds.drop_duplicates(["suite", "size", "hash"])
    if len(configs) > 1:
        there = "; ".join(" ".join(map(str, kind)) for kind in kinds.to_numpy())
        raise ValueError(
            f"{name!r} is several configs ({there}): name one by --study, --suite, --size, --backbone or its id"
        )
    return one_per_seed(found)


def compared(
    a: str, one: pd.DataFrame, b: str, other: pd.DataFrame, metric: str | None = None, allow: bool = False
) -> dict[str, Any]:
    """Return the paired change from the runs `one`, called `a`, to the runs `other`, called `b`, with its interval.

    metric: the first side's headline by default. allow: compare although the protocols differ. Raises ValueError for
    runs that cannot be compared.
    """
    from stan.evaluation import statistics

    metric = metric or one["headline"].iloc[0]
    change = results.change_between(one, other, metric, allow)
    ids, before, after = results.paired_queries(one, other, metric)
    won, lost = statistics.won_lost(before, after, ids, results.higher_is_better(metric))
    return {
        "metric": metric,
        "a": a,
        "b": b,
        "change": change.change,
        "interval": [change.low, change.high],
        "won": change.won,
        "lost": change.lost,
        "p": change.p,
        "runs": [side["id"].tolist() for side in (one, other)],
        "seeds": [len(side) for side in (one, other)],
        "values": [float(side[metric].mean()) for side in (one, other)],
        "queries": len(ids),
        "won_queries": won,
        "lost_queries": lost,
        "differing": results.protocol_differences(one, other),
    }
