"""Names of suites, studies and rows in; rendered worlds, weights, trained and evaluated runs out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import Json, Runs, Worlds, emit, lines, quiet, say, table
from stan.cli.overrides import Backbone, Pretrained, Set, Size, Suite, overrides

_RUNS = Path("runs")
_WORLDS = Path("worlds")


def world(
    suite: Annotated[str, typer.Argument(help="retrieval, paragraph, scenes or motions.")],
    size: Size = "quick",
    out: Annotated[Path, typer.Option(help="Folder of worlds.")] = _WORLDS,
    seed: Annotated[int, typer.Option(help="Another seed renders other videos.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Render a suite of the embedded world: real video files with captions."""
    from stan.data.world.writer import write

    with quiet():
        folder = write(suite, size, out, seed)
    document = {"folder": folder, "suite": suite, "size": size, "seed": seed}
    emit(document, as_json, lambda document: document["folder"])


def pretrain(
    out: Annotated[Path, typer.Option(help="The weights to write (safetensors).")] = Path(
        "tiny_clip.safetensors"
    ),
    steps: Annotated[int | None, typer.Option(help="Steps of the optimizer.", min=1)] = None,
    batch: Annotated[int | None, typer.Option(help="Stills per step.", min=2)] = None,
    stills: Annotated[int | None, typer.Option(help="How many stills to draw.", min=2)] = None,
    readings: Annotated[
        int | None, typer.Option(help="How many sentences about motions the text tower reads.", min=2)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of weights and stills.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Train the tiny CLIP on stills, from scratch, and measure what its levels hold."""
    from stan.training import pretrain as pretraining

    given = {"steps": steps, "batch": batch, "stills": stills, "readings": readings}
    with quiet():
        record = pretraining.pretrain(
            out,
            seed=seed,
            progress=_step,
            **{name: value for name, value in given.items() if value is not None},
        )
    emit(record, as_json, lines)


def train(
    row: Annotated[str, typer.Argument(help="Row of the study.")] = "stan",
    study: Annotated[
        str, typer.Option(help="Study that the row is taken from; benchmarks: one that `stan recipe` lists.")
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
    runs: Runs = _RUNS,
    worlds: Worlds = _WORLDS,
    as_json: Json = False,
) -> None:
    """Train one row of a study, or a recipe, test it and record it; resumes what was interrupted.

    With several devices the first process alone prints.
    """
    from lightning_fabric.utilities.rank_zero import rank_zero_only

    from stan.experiments import paper_rows
    from stan.experiments.overrides import changed, experiment
    from stan.training.trainer import train as train_one

    suite, _, root = suite.partition(":")
    if study == paper_rows.STUDY:
        as_named = paper_rows.experiment(row, suite, root or None, seed)
    else:
        as_named = experiment(study, row, suite, size, seed, root or None)
    wanted = changed(as_named, overrides(settings, backbone, pretrained))
    if name or wanted.hash != as_named.hash:
        study, _, row = (name or f"own/{row}").rpartition("/")
        wanted = replace(wanted, study=study or "own", row=row)
    with quiet():
        folder = train_one(wanted, runs, worlds, devices=devices, nodes=nodes, strategy=strategy)
    if rank_zero_only.rank == 0:
        _emit_run(folder, as_json)


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, or a checkpoint.")],
    out: Annotated[Path, typer.Option(help="The checkpoint to write (safetensors, half precision).")],
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="With a temperature fitted on the run's validation split: recognition uses it.",
        ),
    ] = False,
    worlds: Worlds = _WORLDS,
    as_json: Json = False,
) -> None:
    """Write a run's weights as one small file that every command and `stan.load_model` reads."""
    from stan.models.factory import export as write
    from stan.results.calibrate import calibrate as fit

    with quiet():
        fitted = fit(run, worlds) if calibrate else None
    write(run, out, fitted and fitted["temperature"])
    document = {"run": run, "out": out, "bytes": out.stat().st_size}
    emit(document | ({"calibration": fitted} if fitted else {}), as_json, lines)


def convert(
    file: Annotated[
        Path,
        typer.Argument(help="Weights of a released STAN or a CLIP: .safetensors, or .pth of plain tensors."),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for checkpoint.safetensors, which `stan.load_model` reads.")
    ],
    activation: Annotated[
        str | None,
        typer.Option(
            help="quick_gelu or gelu; left out: what a config.json beside FILE says, else quick_gelu."
        ),
    ] = None,
    frames: Annotated[int, typer.Option(help="Frames of a video, where no config.json says.", min=1)] = 12,
    as_json: Json = False,
) -> None:
    """Turn weights in the layout of the released STAN, Hugging Face, OpenAI or open_clip into ours."""
    from stan.models.convert import convert as write
    from stan.models.factory import CHECKPOINT

    with quiet():
        report = write(file, out / CHECKPOINT, frames, activation)
    emit(report, as_json, lines)


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    split: Annotated[str, typer.Option(help="test or val.")] = "test",
    test_time: Annotated[
        list[str] | None,
        typer.Option(
            help="A trick used only when testing: dsl, qbnorm, views-1x3, views-4x3 or views-10x3; repeatable."
        ),
    ] = None,
    time_probe: Annotated[
        bool,
        typer.Option("--time-probe", help="Does time matter? Frames shuffled, reversed, frozen, left out."),
    ] = False,
    worlds: Worlds = _WORLDS,
    as_json: Json = False,
) -> None:
    """Measure a finished run's weights again, on another split or with test-time tricks; its record stays as it is.

    A time probe of the test split without tricks is kept beside it, for report and dashboard.
    """
    from stan.results.evaluate import evaluate as measure_again
    from stan.results.frame_order import keep, probe

    if time_probe:
        with quiet():
            found = probe(run, split, worlds, test_time or ())
        found["kept"] = keep(run, found)
        return emit(found, as_json, _probe_table)
    with quiet():
        found, _ = measure_again(run, split, test_time or (), worlds)
    emit(found, as_json, lines)


def _probe_table(document: dict[str, Any]) -> str:
    rows = [
        {
            "frames are": row["arrangement"],
            document["headline"]: row["value"],
            "change": row["change"],
            "from": row["interval"][0],
            "to": row["interval"][1],
            "won": row["won"],
            "lost": row["lost"],
            "order": row["order"],
        }
        for row in document["arrangements"]
    ]
    return table(rows)


def _emit_run(folder: Path, as_json: bool) -> None:
    from stan import results

    found = results.read(folder)
    document = {name: found[name] for name in ("id", "study", "row", "seed", "status", "path")}
    document |= {"suite": found["experiment"].data.suite, "metrics": found["evaluation"].get("metrics", {})}
    emit(document, as_json, lines)


def _step(line: dict[str, float]) -> None:
    say("  ".join(f"{name} {value:g}" for name, value in line.items()))
