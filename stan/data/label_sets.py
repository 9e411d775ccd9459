"""The name of a set of labels in, its labels out; and sentences that have nothing to do with most videos."""

from __future__ import annotations

from collections.abc import Callable

from stan.data.datasets import kinetics, something
from stan.data.world import sentences as reading
from stan.data.world import suites

LABEL_SETS: dict[str, Callable[[], tuple[str, ...]]] = {
    "kinetics-400": kinetics.class_names,
    "something-something-v2": something.class_names,
    "motions": lambda: suites.labels("motions"),
}
"""Kinetics-400's 400 classes, Something-Something v2's 174, the embedded world's 19 motions."""

READINGS = 512
"""Sentences about the embedded world drawn for `unrelated`, before equal ones are dropped."""


def named(name: str) -> tuple[str, ...]:
    """The labels of the set `name`. Raises ValueError for a name that isn't known, listing those that are."""
    if name not in LABEL_SETS:
        raise ValueError(f"there is no label set {name!r}; there are {', '.join(LABEL_SETS)}")
    return LABEL_SETS[name]()


def unrelated() -> tuple[str, ...]:
    """Some 1,300 sentences that few videos show: both big label sets, and the embedded world's, for its own models."""
    sentences = [*named("kinetics-400"), *named("something-something-v2")]
    for wording in reading.draw_readings(READINGS, seed=0):
        sentences += wording
    return tuple(dict.fromkeys(sentences))
