"""Names of a suite, a study and a row in; a trained, evaluated and recorded run out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from stan.cli.output import RUNS, WORLDS, Json, Runs, Worlds, emit, lines, quiet
from stan.cli.overrides import Backbone, Pretrained, Set, Size, Suite, overrides


def train(
    row: Annotated[str, typer.Argument(help="Row of the study.")] = "stan",
    study: Annotated[
        str,
        typer.Option(
            help="Study that the row is taken from; benchmarks or released: one that `stan recipe` lists."
        ),
    ] = "components",
    suite: Suite = "retrieval",
    size: Size = "quick",
    seed: Annotated[int, typer.Option(help="Seed of weights and batches.", min=0)] = 0,
    backbone: Backbone = None,
    pretrained: Pretrained = None,
    settings: Set = None,
    name: Annotated[
        str | None,
        typer.Option("--as", help="STUDY/ROW to record it under; own/ROW where settings are changed."),
    ] = None,
    devices: Annotated[int, typer.Option(help="Devices of each machine, a process each.", min=1)] = 1,
    nodes: Annotated[int, typer.Option(help="Machines.", min=1)] = 1,
    strategy: Annotated[
        str, typer.Option(help="ddp: each device has the model; fsdp: they share its parameters.")
    ] = "auto",
    runs: Runs = RUNS,
    worlds: Worlds = WORLDS,
    as_json: Json = False,
) -> None:
    """Train one row of a study, or a recipe, then test it and record it. An interrupted run is resumed.

    With several devices, only the first process prints.
    """
    from lightning_fabric.utilities.rank_zero import rank_zero_only

    from stan.experiments import recipes
    from stan.experiments.overrides import changed, experiment
    from stan.training.trainer import train as train_one

    suite, _, root = suite.partition(":")
    if study in recipes.STUDIES:
        as_named = recipes.experiment(row, suite, root or None, seed)
    else:
        as_named = experiment(study, row, suite, size, seed, root or None)
    wanted = changed(as_named, overrides(settings, backbone, pretrained))
    if name or wanted.hash != as_named.hash:
        study, _, row = (name or f"own/{row}").rpartition("/")
        wanted = replace(wanted, study=study or "own", row=row)
    with quiet():
        folder = train_one(wanted, runs, worlds, devices=devices, nodes=nodes, strategy=strategy)
    if rank_zero_only.rank == 0:  # ty: ignore[missing-attribute]  # Lightning gives the function its rank
        _emit_run(folder, as_json)


def _emit_run(folder: Path, as_json: bool) -> None:
    from stan import results

    found = results.read(folder)
    document = {name: found[name] for name in ("id", "study", "row", "seed", "status", "path")}
    document |= {"suite": found["experiment"].data.suite, "metrics": found["evaluation"].get("metrics", {})}
    emit(document, as_json, lines)
