"""A study, a suite and seeds in; its finished runs with their report, or the plan for them, out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stan.cli.output import RUNS, WORLDS, Json, Runs, Worlds, emit, say, table
from stan.cli.overrides import Backbone, Pretrained, Set, Size, Suite, listed, overrides

if TYPE_CHECKING:
    from stan.training import sweep


def ablate(
    study: Annotated[str, typer.Argument(help="Which study, e.g. components.")] = "components",
    suite: Suite = "motions",
    size: Size = "quick",
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0",
    rows: Annotated[str, typer.Option(help="Only these rows, separated by commas.")] = "",
    engine: Annotated[
        str, typer.Option(help="local, or ray: the cluster that RAY_ADDRESS names, else one started here.")
    ] = "local",
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Runs at once. Default: one per core, up to 4; with ray one per GPU or core.", min=1
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be run and how long it may take; run nothing.")
    ] = False,
    backbone: Backbone = None,
    pretrained: Pretrained = None,
    settings: Set = None,
    choose_rates: Annotated[
        bool,
        typer.Option("--choose-rates", help="First try three learning rates for every row, on validation."),
    ] = False,
    ship_rates: Annotated[
        bool,
        typer.Option(
            "--ship-rates", help="Choose them and write them into the package, for its maintainers."
        ),
    ] = False,
    runs: Runs = RUNS,
    worlds: Worlds = WORLDS,
    as_json: Json = False,
) -> int:
    """Run a whole study through its notebooks. Finished runs are skipped, interrupted ones are resumed."""
    from stan.training import sweep

    suite, _, root = suite.partition(":")
    asked: dict[str, Any] = {
        "runs": runs,
        "root": root or None,
        "choose_rates": choose_rates or ship_rates,
        "overrides": overrides(settings, backbone, pretrained),
        "only": [name for name in rows.split(",") if name],
    }
    if dry_run:
        return _planned((study, suite, size, _seeds(seeds)), asked, engine, jobs, as_json)
    report = sweep.ablate(
        *(study, suite, size, _seeds(seeds)),
        engine=engine,
        jobs=jobs,
        worlds=worlds,
        ship_rates=ship_rates,
        **asked,
    )
    for run in report.failed:
        say(f"{run.experiment.id} failed: {run.reason}")
    emit(_document(report), as_json, _summary)
    return 1 if report.failed else 0


def _planned(
    names: tuple[Any, ...], asked: dict[str, Any], engine: str, jobs: int | None, as_json: bool
) -> int:
    from stan.training.sweep import engines, plan

    steps = plan.plan(*names, **asked)
    at_once = engines.engine(engine, jobs, len(steps)).at_once
    hours = plan.hours(steps, at_once)
    document = {
        "runs": [{"id": s.experiment.id, "what": s.what, "seconds": s.seconds} for s in steps],
        "counts": {what: sum(step.what == what for step in steps) for what in plan.WHAT},
        "at_once": at_once,
        "hours": hours,
    }
    emit(document, as_json, _plan_table)
    return 0


def _plan_table(document: dict[str, Any]) -> str:
    counts = ", ".join(f"{count} {what}" for what, count in document["counts"].items() if count)
    hours = document["hours"]
    took = (
        "how long it takes is not known from records" if hours is None else f"about {60 * hours:.0f} minutes"
    )
    return f"{table(document['runs'])}\n\n{counts}; {document['at_once']} at once, {took}"


def _document(report: sweep.SweepReport) -> dict[str, Any]:
    return {
        "runs": [_outcome(run) for run in report.runs],
        "notebook": report.notebook,
        "rates": report.rates,
        "time": asdict(report.spent) | {"outside": report.spent.outside},
    }


def _summary(document: dict[str, Any]) -> str:
    place = f"\n\nreport: {Path(document['notebook']).with_suffix('.html')}" if document["notebook"] else ""
    runs = [
        run | {"outside": None if run["outside"] is None else f"{run['outside']:.0%}"}
        for run in document["runs"]
    ]
    columns = ("row", "seed", "status", "metric", "value", "seconds", "training", "validation", "outside")
    return table(runs, columns) + _time_spent(document["time"]) + place


def _time_spent(spent: dict[str, Any]) -> str:
    if not spent["seconds"]:
        return ""
    places = spent["seconds"] * spent["at_once"]
    return (
        f"\n\n{spent['seconds']:.0f} s with {spent['at_once']} at once. Steps of training took"
        f" {spent['training']:.0f} and validation {spent['validation']:.0f} of these {places:.0f} s,"
        f" {spent['outside']:.0%} were spent outside: {spent['preparing']:.0f} s before the first run,"
        f" {spent['reporting']:.0f} s for the report, the rest on kernels' starts, tests and empty places"
    )


def _outcome(run: sweep.Run) -> dict[str, Any]:
    from stan import results
    from stan.results.record import flatten

    evaluation = results.read(run.folder)["evaluation"]
    flat = flatten(evaluation.get("metrics", {}))
    metric = evaluation.get("headline")
    one = run.experiment
    return {
        "id": one.id,
        "row": one.row,
        "seed": one.seed,
        "status": run.status,
        "metric": metric,
        "value": flat.get(metric),
        "reason": run.reason or None,
        "seconds": run.seconds or None,
        "training": run.training,
        "validation": run.validation,
        "outside": run.outside,
    }


def _seeds(text: str) -> list[int]:
    seeds = listed("--seeds", text, int, "0,1,2")
    if min(seeds, default=0) < 0:
        raise ValueError(f"--seeds {text}: a seed is 0 or more")
    return seeds
