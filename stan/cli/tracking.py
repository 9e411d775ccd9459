"""Runs and trackers in, what was sent out; and other people's results in, foreign runs out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import RUNS, Json, Runs, emit, quiet, table


def track(
    run: Annotated[list[str], typer.Argument(help="Folders or ids of runs.")],
    logger: Annotated[
        str,
        typer.Option(
            help="tensorboard, wandb, mlflow, trackio; several separated by commas. Left out: those that know the run."
        ),
    ] = "",
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Send to trackers what they have not got of runs' records: all of it, or what was logged while they were away."""
    from stan.tracking.base import chosen
    from stan.tracking.sending import tracked

    folders = [_folder(name, runs) for name in run]
    wanted = {folder: chosen(logger) or tracked(folder) for folder in folders}
    unknown = [str(folder) for folder, names in wanted.items() if not names]
    if unknown:
        raise ValueError(f"no tracker knows {', '.join(unknown)} yet: name one with --logger")
    with quiet():
        document = [_sent(folder, name) for folder, names in wanted.items() for name in names]
    emit(document, as_json, table)
    if any(one["error"] for one in document):
        raise typer.Exit(1)


def _folder(name: str, root: Path) -> Path:
    from stan import results
    from stan.results.record_files import is_run

    folder = next((path for path in (Path(name), root / name) if is_run(path)), None)
    if folder is None:
        raise ValueError(f"no run {name!r}, neither a folder nor in {root}")
    found = results.read(folder)
    if found["experiment"] is None:
        reason = found["reason"] or "its numbers were not measured here"
        raise ValueError(f"{name} is {found['status']} ({reason}): there is nothing to send")
    return folder


def _sent(folder: Path, name: str) -> dict[str, Any]:
    """Send one run to one tracker; an error of its client is part of the answer, so that the others are sent, too."""
    from stan.tracking.sending import sender

    with sender(folder, name) as sending:
        before = sending.sent.lines
        try:
            sending.close()
            error = None
        except Exception as failure:  # each client has errors of its own
            error = f"{type(failure).__name__}: {' '.join(str(failure).split())[:200]}"
        told = sending.sent
    sent = {"run": str(folder), "logger": name, "at": told.id, "lines": told.lines - before}
    return sent | {"evaluation": told.evaluated, "error": error}


def import_runs(
    source: Annotated[
        Path,
        typer.Argument(
            help="A table (.csv), Weights & Biases' runs (.csv, .jsonl), or a folder of TensorBoard's."
        ),
    ],
    study: Annotated[str, typer.Option(help="Study to show the runs under.")] = "foreign",
    suite: Annotated[
        str | None, typer.Option(help="What they were tested on, such as msrvtt, where no column says.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric", help="THEIRS=OURS: a column that is a metric, e.g. test/R1=t2v.R@1; repeatable."
        ),
    ] = None,
    runs: Runs = RUNS,
    as_json: Json = False,
) -> None:
    """Bring results that were measured elsewhere into the folder of runs, marked as foreign.

    Tables show them; comparisons, reports and printed numbers leave them out, as they have no ranks per query.
    """
    from stan.results import foreign
    from stan.tracking import imported

    with quiet():
        found = imported.read(source, dict(map(_named, metric or [])), suite)
        folders = foreign.write(runs, imported.folder_name("--study", study), found, source.name)
    document = [
        {"run": str(folder), "row": one.row, "seed": one.seed, "suite": one.suite, **one.metrics}
        for folder, one in zip(folders, found, strict=True)
    ]
    emit(document, as_json, table)


def _named(given: str) -> tuple[str, str]:
    theirs, equals, ours = given.rpartition("=")
    if not equals:
        raise ValueError(f"--metric {given}: write THEIRS=OURS, e.g. test/R1=t2v.R@1")
    return theirs, ours
