"""Names of suites, studies and rows in; rendered worlds, trained and evaluated runs, finished ablations out."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import Json, Runs, Worlds, emit, lines, quiet, say, table

Suite = Annotated[
    str,
    typer.Option(
        "--suite",
        "--data",
        help="A suite of the embedded world (retrieval, paragraph, scenes, motions), or SET:ROOT for a real set.",
    ),
]
Size = Annotated[str, typer.Option(help="Size of the embedded world: quick or full.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Change a setting, e.g. train.epochs=4 or model.options.layers=2; repeatable."
    ),
]
Backbone = Annotated[str | None, typer.Option(help="tiny, or any ViT of open_clip.")]
Pretrained = Annotated[str | None, typer.Option(help="A tag of open_clip, a local file, or random.")]

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
    from stan.data.world.folder import write

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
    from stan import pretrain as pretraining

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

    from stan import benchmarks, sweep
    from stan.train import train as train_one

    overrides = _overrides(settings, backbone, pretrained)
    suite, _, root = suite.partition(":")
    if study == benchmarks.STUDY:
        as_named = benchmarks.experiment(row, suite, root or None, seed)
    else:
        as_named = sweep.experiment(study, row, suite, size, seed, root or None)
    wanted = sweep.changed(as_named, overrides)
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
    from stan.models.presets import export as write
    from stan.reliability import calibrate as fit

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
    from stan.checkpoints import convert as write
    from stan.models.presets import CHECKPOINT

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
    from stan.evaluate import evaluate as measure_again
    from stan.time_probe import keep, probe

    if time_probe:
        with quiet():
            found = probe(run, split, worlds, test_time or ())
        found["kept"] = keep(run, found)
        return emit(found, as_json, _probe_table)
    with quiet():
        found, _ = measure_again(run, split, test_time or (), worlds)
    emit(found, as_json, lines)


def ablate(
    study: Annotated[str, typer.Argument(help="Which study, e.g. components.")] = "components",
    suite: Suite = "motions",
    size: Size = "quick",
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas.")] = "0",
    rows: Annotated[str, typer.Option(help="Only these rows, separated by commas.")] = "",
    engine: Annotated[
        str, typer.Option(help="local, or ray: the cluster that RAY_ADDRESS names, else one started here.")
    ] = "local",
    jobs: Annotated[int | None, typer.Option(help="Runs at once; one per core by default.", min=1)] = None,
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
    runs: Runs = _RUNS,
    worlds: Worlds = _WORLDS,
    as_json: Json = False,
) -> int:
    """Run a whole study through its notebooks: what is done is skipped, what died is resumed."""
    from stan import sweep

    suite, _, root = suite.partition(":")
    asked: dict[str, Any] = {
        "runs": runs,
        "root": root or None,
        "choose_rates": choose_rates or ship_rates,
        "overrides": _overrides(settings, backbone, pretrained),
        "only": [name for name in rows.split(",") if name],
    }
    if dry_run:
        return _planned((study, suite, size, _seeds(seeds)), asked, jobs, as_json)
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
    document = {
        "runs": [_outcome(run) for run in report.runs],
        "notebook": report.notebook,
        "rates": report.rates,
        "time": asdict(report.spent) | {"outside": report.spent.outside},
    }
    emit(document, as_json, _summary)
    return 1 if report.failed else 0


def _planned(names: tuple[Any, ...], asked: dict[str, Any], jobs: int | None, as_json: bool) -> int:
    from stan import engines, plan

    steps = plan.plan(*names, **asked)
    at_once = engines.engine("local", jobs, len(steps)).at_once
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


def _summary(document: dict[str, Any]) -> str:
    place = f"\n\nreport: {Path(document['notebook']).with_suffix('.html')}" if document["notebook"] else ""
    runs = [
        run | {"outside": None if run["outside"] is None else f"{run['outside']:.0%}"}
        for run in document["runs"]
    ]
    columns = ("row", "seed", "status", "metric", "value", "seconds", "training", "outside")
    return table(runs, columns) + _time_spent(document["time"]) + place


def _time_spent(spent: dict[str, Any]) -> str:
    if not spent["seconds"]:
        return ""
    places = spent["seconds"] * spent["at_once"]
    return (
        f"\n\n{spent['seconds']:.0f} s with {spent['at_once']} at once. Steps of training took"
        f" {spent['training']:.0f} of these {places:.0f} s, {spent['outside']:.0%} were spent outside:"
        f" {spent['preparing']:.0f} s before the first run, {spent['reporting']:.0f} s for the report, the rest on"
        " kernels' starts, levels, validation and tests"
    )


def _outcome(run: Any) -> dict[str, Any]:
    from stan import results

    evaluation = results.read(run.folder)["evaluation"]
    flat = results.reader.flatten(evaluation.get("metrics", {}))
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
        "outside": run.outside,
    }


def _emit_run(folder: Path, as_json: bool) -> None:
    from stan import results

    found = results.read(folder)
    document = {name: found[name] for name in ("id", "study", "row", "seed", "status", "path")}
    document |= {"suite": found["experiment"].data.suite, "metrics": found["evaluation"].get("metrics", {})}
    emit(document, as_json, lines)


def _overrides(settings: list[str] | None, backbone: str | None, pretrained: str | None) -> dict[str, Any]:
    """Nested fields from `part.field=value`; values are JSON where they read as such, else text."""
    changed: dict[str, Any] = {}
    named = {"model.backbone": backbone, "model.pretrained": pretrained}
    pairs = [f"{name}={json.dumps(value)}" for name, value in named.items() if value is not None]
    for pair in [*pairs, *(settings or [])]:
        name, equals, value = pair.partition("=")
        *parts, last = name.split(".")
        if not equals or not parts:
            raise ValueError(f"--set {pair}: write PART.FIELD=VALUE, e.g. train.epochs=4")
        inner = changed
        for part in parts:
            inner = inner.setdefault(part, {})
        inner[last] = _value(value)
    return changed


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _seeds(text: str) -> list[int]:
    try:
        seeds = [int(part) for part in text.replace(",", " ").split()]
    except ValueError:
        raise ValueError(f"--seeds {text}: write numbers separated by commas, e.g. 0,1,2") from None
    if min(seeds, default=0) < 0:
        raise ValueError(f"--seeds {text}: a seed is 0 or more")
    return seeds


def _step(line: dict[str, float]) -> None:
    say("  ".join(f"{name} {value:g}" for name, value in line.items()))
