"""The name of a metric in; what it measures, in words, out: the one table that pages, documentation and hints read."""

from __future__ import annotations

import re

from stan.evaluation.metrics import CONVENTIONS

_TIES = "Ties take their average rank: 5.5 counts among the first 5, but the first place must be held alone"

MEASURES = {
    "R@K": f"Recall at K: percent of queries whose right candidate is among the first K. {_TIES}",
    "MdR": "Median rank of the right candidate, 1 is best. Lower is better",
    "MnR": "Mean rank of the right candidate, 1 is best. Lower is better",
    "top-K": f"Percent of videos whose right class is among the first K. {_TIES}",
    "order.accuracy": "Percent of videos that score higher with their own text than with that of their time-reversed"
    " twin. 50 is chance: a model that is blind to order is right on half of them",
    "N": "Number of queries that the metric was measured on",
}
"""What is measured, by name; K stands for a number."""

DIRECTIONS = {
    "t2v": f"Text-to-video: {CONVENTIONS['t2v']}",
    "v2t": f"Video-to-text: {CONVENTIONS['v2t']}",
    "v2t_all_captions": f"Video-to-text: {CONVENTIONS['v2t_all_captions']}",
}
"""What is a query and what a candidate, by the part of the name before the measure."""

GROUPS = {
    "seen": "Only queries about concepts that appear in training videos",
    "unseen": "Only queries about concepts that appear in no training video",
    "last": "After the last epoch, where the plain name is of the epoch that is best on validation, or of the mean",
    "validation": "On the validation split, where the plain name is of the test split",
    "plain": "Without the test-time tricks that the plain name is measured with",
}
"""What the prefixes of a name change."""

_NAME = re.compile(rf"((?:(?:{'|'.join(GROUPS)})\.)*)(?:({'|'.join(DIRECTIONS)})\.)?(?:order\.(?=N))?(.+)")
_NUMBER = re.compile(r"(?<=[@-])\d+")


def definition(metric: str) -> str | None:
    """Return in sentences what a metric of a record measures, from its dotted name; None for any other name."""
    found = _NAME.fullmatch(metric)
    if found is None:
        return None
    groups, direction, name = found[1].split(".")[:-1], found[2], found[3]
    number = _NUMBER.search(name)
    measure = MEASURES.get(_NUMBER.sub("K", name))
    if measure is None:
        return None
    told = re.sub(r"\bK\b", number[0], measure) if number else measure
    parts = [told, *([DIRECTIONS[direction]] if direction else []), *(GROUPS[group] for group in groups)]
    return ". ".join(parts) + "."
