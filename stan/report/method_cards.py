"""The name of a temporal method or a similarity in; its card out: all that is known here about it, and from where.

Every number on a card is read from a record that comes with the package: the last comparison with released code, the
counts of `stan cost`, the printed tables, the shipped runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from stan import results
from stan.common.paths import ASSETS
from stan.experiments import published
from stan.experiments.released import RELEASED
from stan.experiments.studies import STUDIES, Row
from stan.report import mechanisms
from stan.report.mechanisms import Mechanism

if TYPE_CHECKING:
    import pandas as pd

    from stan.experiments.paper_rows import Benchmark

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
    left_out: Mapping[str, Sequence[str]]
    """Outputs that aren't reproduced, by the reason."""
    layout: str | None
    """The released layout of the set's checkpoint, if it loads."""

    @property
    def words(self) -> str:
        """The finding in a few words."""
        left_out = sum(len(outputs) for outputs in self.left_out.values())
        rest = f", {left_out} left out" if left_out else ""
        return f"{self.equal} of {self.outputs} outputs equal, largest difference {self.largest:.1e}{rest}"


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
    def source(self) -> str:
        """The papers, and repositories at the commits that were compared with."""
        return "; ".join(dict.fromkeys([self.mechanism.paper, *(one.source for one in self.compared)]))

    @property
    def parity(self) -> str:
        """The status of the comparison with released code, in words."""
        if not self.compared:
            return "not compared yet" if self.mechanism.sets else "no released outputs to compare with"
        return "; ".join(f"{one.set}: {one.words}" for one in self.compared)


def names(kind: str = "") -> list[str]:
    """Return the names of all cards, or of one kind, in the order of the registries."""
    return [name for one, known in KINDS.items() if kind in ("", one) for name in known]


def card(name: str) -> Card:
    """Return a card. Raises ValueError for an unknown name, listing the known ones, and for one without counts."""
    if name not in names():
        raise ValueError(f"no method or similarity {name!r}; there are {', '.join(names())}")
    kind = next(kind for kind, known in KINDS.items() if name in known)
    if name not in costs()[kind]:
        raise ValueError(f"{COSTS} lacks {name}: run `stan cost --out {COSTS}` in the clone")
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
        f"Counts: `stan cost`, against a mean-pooled {of['backbone']} over {of['frames']} frames, default options,"
        f" linear layers as the paper counts. Parity: `stan doctor --parity`, {parity()['date'][:10]}, torch"
        f" {parity()['torch']}; outputs count as equal up to {parity()['tolerance']:g} of their largest value. Own"
        f" numbers: the shipped runs of `stan ablate {STUDY} --size quick`, mean and 95 % interval."
    )


def _stands_for(card: Card, temporal: str, similarity: str) -> bool:
    """Tell whether a model is one of the card's; mean pooling and the cosine stand for themselves only together."""
    plain = ("mean", "cosine")
    return (temporal, similarity) == plain if card.name in plain else card.name in (temporal, similarity)


def rows(card: Card) -> list[Row]:
    """Return the rows of the study that stand for a method or similarity."""
    return [row for row in STUDIES[STUDY].rows if _stands_for(card, row.temporal, row.similarity)]


def released(card: Card) -> list[Benchmark]:
    """Return the rows that train it as its authors do."""
    of_model = ((row, row.experiment.model) for row in RELEASED.values())
    return [row for row, model in of_model if _stands_for(card, model.temporal, model.similarity)]


def facts(card: Card) -> list[tuple[str, str]]:
    """Return what a card says in words, as (question, answer)."""
    of = card.mechanism
    own_recipe = released(card)
    left_out = [
        f"{one.set}, {len(outputs)} outputs: {reason}"
        for one in card.compared
        for reason, outputs in one.left_out.items()
    ]
    return [
        ("Adds", card.added),
        ("Acts", of.where),
        ("Source", card.source),
        ("Parity", card.parity),
        *([("Left out", "; ".join(left_out))] if left_out else []),
        ("Loads", "; ".join(card.loads) or "no released weights"),
        ("Differs by default", of.differs),
        ("Starts as", of.starts),
        ("The source's recipe", of.recipe),
        *(
            [("Rows with its settings", ", ".join(f"`{row.name}`" for row in own_recipe))]
            if own_recipe
            else []
        ),
    ]


def printed(card: Card) -> pd.DataFrame:
    """Return the numbers that the paper and the method's authors print: row, benchmark, metric, value, source."""
    import pandas as pd

    of_study = {found for row in rows(card) for found in row.printed}
    of_authors = {(row.table, row.row) for row in released(card)}
    items = [
        item
        for item in published.numbers() + published.released()
        if (item["table"], item["row"]) in of_study | of_authors
    ]
    return pd.DataFrame(items, columns=["row", "benchmark", "metric", "value", "source"])


def own(card: Card) -> pd.DataFrame:
    """Return the shipped runs' numbers: row, suite, value with its 95 % interval (as text), metric, seeds."""
    import pandas as pd

    from stan.report import formats, tables

    runs = _shipped([row.name for row in rows(card)])
    lines = [
        {
            "row": line["row"],
            "suite": suite,
            "metric": metric.removeprefix("t2v."),
            "value": formats.with_interval(line["mean"], line["low"], line["high"]),
            "seeds": line["n"],
        }
        for suite, of_suite in (runs.groupby("suite") if len(runs) else ())
        for metric in [tables.headline(str(suite))]
        for line in tables.rows(of_suite, metric).to_dict("records")
    ]
    return pd.DataFrame(lines, columns=["row", "suite", "value", "metric", "seeds"])


def _shipped(rows: list[str]) -> pd.DataFrame:
    runs = results.on_backbone(results.load([], shipped=True))
    return runs[(runs["study"] == STUDY) & runs["row"].isin(rows)]


def _compared(of: dict[str, Any]) -> Compared:
    left_out: dict[str, list[str]] = {}
    for one in of["differences"]:
        if one["reason"]:
            left_out.setdefault(one["reason"], []).append(one["output"])
    source = f"{of['repository']} {of['commit'][:7]}"
    counts = (of["outputs"], of["equal"], of["largest"])
    return Compared(of["set"], source, *counts, left_out, of["layout"])
