"""The name of a temporal method or a similarity in; its card out: all that is known here about it, and from where.

Every number on a card is read from a record that comes with the package: the last comparison with released code, the
counts of `stan cost`, the printed tables, the shipped runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from stan import results
from stan.common.paths import ASSETS
from stan.experiments import published
from stan.experiments.studies import STUDIES, Row
from stan.report import mechanisms
from stan.report.mechanisms import Mechanism

if TYPE_CHECKING:
    import pandas as pd

PARITY, COSTS = ASSETS / "parity.json", ASSETS / "costs.json"
STUDY = "structures"
"""The study whose rows stand for methods and similarities."""
KINDS = {"temporal": mechanisms.TEMPORAL, "similarity": mechanisms.SIMILARITIES}
MILLION = 10**6


@dataclass(frozen=True)
class Compared:
    """What the last comparison with one set of a source's outputs found."""

    set: str
    source: str
    """Repository at commit."""
    outputs: int
    equal: int
    largest: float
    """The largest difference, as a share of the output's largest value."""
    left_out: tuple[str, ...]
    """Outputs that aren't reproduced, each with the reason."""
    layout: str | None
    """The released layout of the set's checkpoint, if it loads."""

    @property
    def words(self) -> str:
        """The finding in a few words."""
        return f"{self.equal} of {self.outputs} outputs equal, largest difference {self.largest:.1e}"


@dataclass(frozen=True)
class Card:
    """What is known about one method or similarity."""

    name: str
    kind: str
    """`temporal` or `similarity`."""
    mechanism: Mechanism
    params: int
    """Parameters that it adds."""
    gmacs: tuple[float, float] | None
    """Multiply-accumulates that it adds, in 10^9: as the paper counts, and with attention's products; None for a
    similarity."""
    compared: tuple[Compared, ...]
    loads: tuple[str, ...]
    """Released layouts that load."""

    @property
    def added(self) -> str:
        """What it adds, in words."""
        size = f"{self.params / MILLION:.2f} million parameters" if self.params else "no parameters"
        if self.gmacs is None:
            return size
        linear, everything = self.gmacs
        return f"{size}, {linear:+.2f} GMACs ({everything:+.2f} with attention's products)"

    @property
    def parity(self) -> str:
        """The status of the comparison with released code, in words."""
        if not self.compared:
            return "not compared yet" if self.mechanism.sets else "no released outputs to compare with"
        return "; ".join(f"{one.set}: {one.words}" for one in self.compared)


def names() -> list[tuple[str, str]]:
    """Return (kind, name) of every card, in the order of the registries."""
    return [(kind, name) for kind, known in KINDS.items() for name in known]


def card(kind: str, name: str) -> Card:
    """Return a card. Raises ValueError for an unknown kind or name, listing the known ones."""
    if name not in KINDS.get(kind, {}):
        raise ValueError(f"no card of {kind} {name!r}; there are {', '.join('/'.join(one) for one in names())}")
    mechanism, added = KINDS[kind][name], costs()[kind][name]
    compared = tuple(_compared(parity()["sets"][one]) for one in mechanism.sets if one in parity()["sets"])
    loads = [one.layout for one in compared if one.layout] + list(mechanism.layouts)
    gmacs = (added["gmacs_linear"], added["gmacs_all"]) if kind == "temporal" else None
    return Card(name, kind, mechanism, added["params"], gmacs, compared, tuple(dict.fromkeys(loads)))


@cache
def parity() -> dict[str, Any]:
    """Return the record of the last comparison with released code; its sets are {name: set}."""
    record = json.loads(PARITY.read_text(encoding="utf-8"))
    return record | {"sets": {one["set"]: one for one in record["sets"]}}


@cache
def costs() -> dict[str, Any]:
    """Return the record of what methods add (`stan.bench.flops.of_methods`)."""
    return json.loads(COSTS.read_text(encoding="utf-8"))


def origin() -> str:
    """Return where a card's counts and its comparison come from."""
    of = costs()
    return (
        f"Counts: `stan cost`, against a mean-pooled {of['backbone']} over {of['frames']} frames, default options, linear"
        f" layers as the paper counts. Parity: `stan doctor --parity`, {parity()['date'][:10]}, torch"
        f" {parity()['torch']}; outputs count as equal up to {parity()['tolerance']:g} of their largest value."
    )


def rows(kind: str, name: str) -> list[Row]:
    """Return the rows of the study that stand for a method or similarity: the ones in which the other is plain."""
    if kind == "similarity" and name != "cosine":
        return [row for row in STUDIES[STUDY].rows if row.similarity == name]
    temporal = name if kind == "temporal" else "mean"
    return [row for row in STUDIES[STUDY].rows if row.temporal == temporal and row.similarity == "cosine"]


def printed(kind: str, name: str) -> list[dict[str, Any]]:
    """Return the paper's numbers of a method: {"row", "table", "benchmark", "metric", "value"}."""
    items = published.numbers()
    return [
        {"row": row} | {key: item[key] for key in ("benchmark", "metric", "value", "source")}
        for table, row in dict.fromkeys(found for one in rows(kind, name) for found in one.printed)
        for item in items
        if (item["table"], item["row"]) == (table, row)
    ]


def own(kind: str, name: str) -> pd.DataFrame:
    """Return the shipped runs' numbers: row, suite, metric, n (seeds), mean, low, high."""
    import pandas as pd

    from stan.report import tables

    runs = _shipped()
    wanted = [row.name for row in rows(kind, name)]
    runs = runs[runs["row"].isin(wanted)]
    found = []
    for suite, of_suite in runs.groupby("suite"):
        metric = tables.headline(str(suite))
        found.append(tables.rows(of_suite, metric).assign(suite=suite, metric=metric.removeprefix("t2v.")))
    columns = ["row", "suite", "metric", "n", "mean", "low", "high"]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


@cache
def _shipped() -> pd.DataFrame:
    runs = results.load([], shipped=True)
    return runs[runs["study"] == STUDY]


def _compared(of: dict[str, Any]) -> Compared:
    left_out = [f"{one['output']}: {one['reason']}" for one in of["differences"] if one["reason"]]
    source = f"{of['repository']} {of['commit'][:7]}"
    counts = (of["outputs"], of["equal"], of["largest"])
    return Compared(of["set"], source, *counts, tuple(left_out), of["layout"])
