"""Decided orderings in; a line of words and numbers for each, and what to know about all of them, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stan.experiments.orderings import Registered
from stan.report.formats import with_interval
from stan.results.orderings import STATES

NAMED = 4
"""Most rows without runs that a note names."""

Items = Sequence[dict[str, Any]]
"""What `stan.results.orderings.orderings` returns."""


def lines(items: Items) -> list[dict[str, Any]]:
    """Return one line per ordering: number, claim, suite, state, against, change, p (Holm), seeds, would decide."""
    return [
        {
            "number": one["number"],
            "claim": one["claim"],
            "suite": " and ".join(one["suites"]),
            "state": one["state"],
            "against": _against(one),
            "change": with_interval(one["change"], one["low"], one["high"], "+") if "change" in one else "",
            "p (Holm)": one["adjusted"],
            "seeds": one.get("seeds"),
            "would decide": _would_decide(one),
        }
        for one in items
    ]


def counts(items: Items) -> dict[str, int]:
    """Return how many orderings are in each state."""
    return {state: sum(one["state"] == state for one in items) for state in STATES}


def notes(items: Items, plan: Registered) -> list[str]:
    """Return what must be known to read the lines, and the rows that some of them lack."""
    counted = ", ".join(f"{state}: {count}" for state, count in counts(items).items())
    return [
        f"{counted}; of {len(items)}.",
        f"Changes are paired over queries and seeds. Holm's correction keeps the chance of any wrong decision below"
        f" {plan.level:.0%}; each interval is of the level that it leaves.",
        f"Registered {plan.registered}.",
        *(f"No runs for {one['number']}: {_named(one['missing'])}." for one in items if one["missing"]),
    ]


def _named(rows: Sequence[str]) -> str:
    shown = ", ".join(rows[:NAMED])
    return shown if len(rows) <= NAMED else f"{shown} and {len(rows) - NAMED} more"


def _against(one: dict[str, Any]) -> str:
    """Return the row that decides, with its suite where there are several."""
    if "against" not in one:
        return ""
    return one["against"] if len(one["suites"]) == 1 else f"{one['against']} on {one['on']}"


def _would_decide(one: dict[str, Any]) -> str:
    """Return the seeds or the queries that would decide an undecided ordering; either number alone may not do."""
    if one["state"] != "undecided":
        return ""
    numbers = {name: one[f"{name}_needed"] for name in ("seeds", "queries")}
    return " or ".join(f"{number} {name}" for name, number in numbers.items() if number) or "neither alone"
