"""The name of a label set in, its labels out; also counts a suite's classes, and offers sentences that fit few
videos."""

from __future__ import annotations

from collections.abc import Callable

from stan.data.datasets import SETS, kinetics, something
from stan.data.world import sentences, suites

LABEL_SETS: dict[str, Callable[[], tuple[str, ...]]] = {
    "kinetics-400": kinetics.class_names,
    "something-something-v2": something.class_names,
    "motions": lambda: suites.labels("motions"),
}
"""Kinetics-400's 400 classes, Something-Something v2's 174, the embedded world's 19 motions."""

READINGS = 512
"""Number of sentences about the embedded world that `unrelated` draws, before it drops equal ones."""


def named(name: str) -> tuple[str, ...]:
    """Return the labels of the set `name`. Raises ValueError for an unknown name, listing the known ones."""
    if name not in LABEL_SETS:
        raise ValueError(f"there is no label set {name!r}; there are {', '.join(LABEL_SETS)}")
    return LABEL_SETS[name]()


def count(suite: str) -> int:
    """Return the number of classes of a suite, 0 for a suite of captions."""
    return SETS[suite].classes if suite in SETS else len(suites.labels(suite))


def unrelated() -> tuple[str, ...]:
    """Return some 1,300 sentences that few videos show.

    They are both large label sets and, for models of the embedded world, sentences about it.
    """
    found = [*named("kinetics-400"), *named("something-something-v2")]
    for wording in sentences.draw_readings(READINGS, seed=0):
        found += wording
    return tuple(dict.fromkeys(found))
