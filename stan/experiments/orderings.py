"""The orderings of rows that the paper leads one to expect, registered before the runs that are to show them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from stan.common.paths import ASSETS

FILE = ASSETS / "orderings.json"


@dataclass(frozen=True)
class Ordering:
    """One expectation: on each of the suites, the row `above` is above each of the rows `below` of the same study."""

    number: int
    suites: tuple[str, ...]
    study: str
    above: str
    below: tuple[str, ...]
    claim: str
    at_or: bool = False
    """Whether "at or above" is enough: less than the registered margin below."""


@dataclass(frozen=True)
class Registered:
    """The orderings, and how they are to be decided."""

    registered: str
    """When they were written down."""
    level: float
    """The chance of calling any ordering decided that isn't, over all of them."""
    margin: float
    """Points by which "at or above" may be missed."""
    orderings: tuple[Ordering, ...]


@cache
def registered() -> Registered:
    """Return the registered orderings."""
    told = json.loads(FILE.read_text(encoding="utf-8"))
    items = [
        Ordering(**one | {name: tuple(one[name]) for name in ("suites", "below")})
        for one in told["orderings"]
    ]
    return Registered(told["registered"], told["level"], told["margin"], tuple(items))
