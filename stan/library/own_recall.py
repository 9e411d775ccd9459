"""Marks and a search in; how often the search finds, among its first results, what was marked as right, out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from stan.evaluation.statistics import proportion
from stan.library.marks import Mark

RANKS = (1, 5, 10)


@dataclass(frozen=True)
class OwnRecall:
    """R@K over the queries for which a moment of the library was marked as right.

    Its queries are no sample of anybody's: they are those that somebody asked here and judged, and only what a search
    showed can be marked. It compares models and settings on them, not with a benchmark.
    """

    ranks: dict[str, int | None]
    """By query, the rank of the first right moment; None if it is not among the first `max(RANKS)`."""
    recall: dict[int, tuple[float, float, float]]
    """By K, the percentage of queries with a rank of K or better, and its 95 % interval over queries."""
    only_wrong: int
    """Number of queries that are left out, because all their marks are wrong."""
    gone: int
    """Number of right marks that are left out, because the library no longer has their video."""


def own_recall(
    marks: Sequence[Mark], search: Callable[[str, int], Iterable[dict[str, Any]]], videos: Collection[str]
) -> OwnRecall:
    """Return how well a search finds the marked moments.

    search: `search(query, top)` gives results, best first, each with id, start and end. A result is right if a right
        mark of its video shares time with its moment.
    videos: ids of the library's videos.

    Raises ValueError if no right mark of a video is left, and what `search` raises.
    """
    right: dict[str, list[Mark]] = {}
    for mark in marks:
        if mark.right and mark.id in videos:
            right.setdefault(mark.query, []).append(mark)
    if not right:
        raise ValueError(
            "no moment of this library is marked as right yet: search, then mark what is right and wrong"
        )
    ranks = {query: _rank(search(query, max(RANKS)), wanted) for query, wanted in right.items()}
    gone = [mark for mark in marks if mark.right and mark.id not in videos]
    wrong = {mark.query for mark in marks} - {mark.query for mark in marks if mark.right}
    return OwnRecall(ranks, {k: _percent_within(k, ranks) for k in RANKS}, len(wrong), len(gone))


def _rank(results: Iterable[dict[str, Any]], wanted: list[Mark]) -> int | None:
    for rank, result in enumerate(results, 1):
        if any(mark.meets(result["id"], result["start"], result["end"]) for mark in wanted):
            return rank
    return None


def _percent_within(k: int, ranks: dict[str, int | None]) -> tuple[float, float, float]:
    return proportion(sum(rank is not None and rank <= k for rank in ranks.values()), len(ranks))
