"""Runs in; which of the registered orderings of rows hold, which don't, and what would decide the others, out."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from stan.cli.output import RUNS, Json, Runs, emit, table


def orderings(
    runs: Runs = RUNS,
    shipped: Annotated[
        bool, typer.Option(help="Also the runs that come with the package, for rows that were not run here.")
    ] = True,
    size: Annotated[str, typer.Option(help="Size of the suites.")] = "quick",
    backbone: Annotated[str, typer.Option(help="Only runs on this backbone.")] = "tiny",
    as_json: Json = False,
) -> None:
    """Decide the registered orderings: holds, does not, undecided, with paired intervals corrected for all looks."""
    from stan import results
    from stan.experiments.orderings import registered
    from stan.report.orderings import counts
    from stan.results.orderings import orderings as decided

    plan = registered()
    items = decided(results.load(runs, shipped=shipped), size, backbone)
    told = {name: getattr(plan, name) for name in ("registered", "level", "margin")}
    emit(told | {"counts": counts(items), "orderings": items}, as_json, _shown)


def _shown(document: dict[str, Any]) -> str:
    from stan.experiments.orderings import registered
    from stan.report.orderings import lines, notes

    items = document["orderings"]
    # the table's two decimals would show 0.05 for what holds because it lies below
    rows = [line | {"p (Holm)": f"{line['p (Holm)']:.2g}"} for line in lines(items)]
    return "\n".join([table(rows), "", *notes(items, registered())])
