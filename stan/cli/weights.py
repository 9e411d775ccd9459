"""Weights in, others out: the tiny CLIP made anew, a run's weights as one small file, released weights converted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import WORLDS, Json, Worlds, emit, lines, quiet, say


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
    """Train the tiny CLIP from scratch on stills, and measure what its levels hold."""
    from stan.training import pretrain as pretraining

    given: dict[str, Any] = {"steps": steps, "batch": batch, "stills": stills, "readings": readings}
    with quiet():
        record = pretraining.pretrain(
            out,
            seed=seed,
            progress=_step,
            **{name: value for name, value in given.items() if value is not None},
        )
    emit(record, as_json, lines)


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
    worlds: Worlds = WORLDS,
    as_json: Json = False,
) -> None:
    """Write a run's weights as one small file that every command and `stan.load_model` reads."""
    from stan.models.factory import export as write
    from stan.results.calibrate import calibrate as fit

    with quiet():
        fitted = fit(run, worlds) if calibrate else None
    write(run, out, fitted["temperature"] if fitted else None)
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
    """Convert weights from the layout of the released STAN, Hugging Face, OpenAI or open_clip to the one used here."""
    from stan.models.convert import convert as write
    from stan.models.factory import CHECKPOINT

    with quiet():
        report = write(file, out / CHECKPOINT, frames, activation)
    emit(report, as_json, lines)


def _step(line: dict[str, float]) -> None:
    say("  ".join(f"{name} {value:g}" for name, value in line.items()))
