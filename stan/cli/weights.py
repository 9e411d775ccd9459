"""Weights in, others out: the tiny CLIP made anew, a run's weights as one small file, released weights converted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import WORLDS, Json, Worlds, emit, lines, quiet, say
from stan.common.json_values import from_json


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
    backbone: Annotated[str, typer.Option(help="tiny, tiny-siglip, tiny-eva or tiny-averaging.")] = "tiny",
    as_json: Json = False,
) -> None:
    """Train a tiny CLIP from scratch on stills, and measure what its levels hold."""
    from stan.training import pretrain as pretraining

    given: dict[str, Any] = {"steps": steps, "batch": batch, "stills": stills, "readings": readings}
    with quiet():
        record = pretraining.pretrain(
            out,
            seed=seed,
            backbone=backbone,
            progress=_step,
            **{name: value for name, value in given.items() if value is not None},
        )
    emit(record, as_json, lines)


def export(
    run: Annotated[
        str, typer.Argument(help="Folder of a finished run, or a checkpoint; with --onnx, any model's name.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="The checkpoint to write (safetensors, half precision).")
    ] = None,
    onnx: Annotated[
        Path | None,
        typer.Option(help="A new folder for the encoders as ONNX files, with all that using them takes."),
    ] = None,
    pt2: Annotated[
        bool,
        typer.Option("--pt2", help="With --onnx: also the programs of torch.export that they are made of."),
    ] = False,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="With a temperature fitted on the run's validation split: recognition uses it.",
        ),
    ] = False,
    clip_share: Annotated[
        float,
        typer.Option(
            help="With --out: share of CLIP's own weights in those of its towers, from 0 (as trained) to 1"
            " (`stan interpolate` shows what each share gives).",
        ),
    ] = 0.0,
    clip: Annotated[
        str | None,
        typer.Option(
            help="The CLIP that converted weights were trained from: ARCHITECTURE:PRETRAINED, such as ViT-B-16:openai,"
            " or a CLIP's file. A run knows its own."
        ),
    ] = None,
    worlds: Worlds = WORLDS,
    as_json: Json = False,
) -> None:
    """Write a run's weights as one small file that every command and `stan.load_model` reads, or a model as ONNX."""
    if calibrate and clip_share:
        raise ValueError(
            "--calibrate fits a temperature to the run's own weights: leave it out, or --clip-share"
        )
    if onnx is not None and out is None and not calibrate and not clip_share and clip is None:
        emit(_as_onnx(run, onnx, pt2), as_json, lines)
    elif out is not None and onnx is None and not pt2:
        emit(_as_weights(run, out, calibrate, clip_share, clip, worlds), as_json, lines)
    else:
        raise ValueError(
            "say what to write: the weights (--out FILE, perhaps --calibrate or --clip-share) or, in a call of its own,"
            " ONNX files (--onnx FOLDER, perhaps --pt2)"
        )


def _as_weights(
    run: str, out: Path, calibrate: bool, clip_share: float, clip: str | None, worlds: Path
) -> dict[str, Any]:
    from stan.models.factory import export as write
    from stan.results.calibrate import calibrate as fit

    with quiet():
        fitted = fit(run, worlds) if calibrate else None
        write(run, out, fitted["temperature"] if fitted else None, clip_share, clip)
    document = {"run": run, "out": out, "bytes": out.stat().st_size}
    return document | ({"calibration": fitted} if fitted else {})


def _as_onnx(run: str, folder: Path, pt2: bool) -> dict[str, Any]:
    from stan.models.factory import load_model
    from stan.models.onnx_files import write

    with quiet():
        told = write(run, load_model(run), folder, pt2)
    size = sum(file.stat().st_size for file in folder.iterdir())
    return {"run": run, "out": folder, "bytes": size, **{key: told[key] for key in ("opset", "parity")}}


def push(
    run: Annotated[str, typer.Argument(help="Folder of a finished run, or a checkpoint.")],
    repository: Annotated[
        str, typer.Argument(help="USER/NAME on Hugging Face's hub; made if it isn't there.")
    ],
    licence: Annotated[
        str, typer.Option("--license", help="The hub's word for the weights' licence, such as apache-2.0.")
    ] = "other",
    private: Annotated[bool, typer.Option("--private", help="A new repository that only you see.")] = False,
    as_json: Json = False,
) -> None:
    """Push a run's weights to the hub, with a card from its record; `hf:USER/NAME` then names the model everywhere.

    It needs a token that may write: `hf auth login`, or HF_TOKEN.
    """
    from stan.report.pushing import push as write

    with quiet():
        commit = write(run, repository, licence, private)
    emit({"run": run, "model": f"hf:{repository}", "commit": commit}, as_json, lines)


def convert(
    file: Annotated[
        Path,
        typer.Argument(help="Released weights: .safetensors, or .pth, .pt, .bin, .tar of plain tensors."),
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
    clip: Annotated[
        str | None,
        typer.Option(
            help="The CLIP that completes a file without one of its towers: ARCHITECTURE:PRETRAINED, such as"
            " ViT-B-16:openai, or a CLIP's file."
        ),
    ] = None,
    similarity: Annotated[
        str | None,
        typer.Option(
            help="How texts and videos are scored, where not by the file's own way: cosine can be searched."
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="NAME=VALUE (JSON): an option of the temporal method that weights don't show; repeatable.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Convert released weights of a CLIP, of STAN or of another temporal method to the layout used here.

    Names tell the layouts apart: docs/reference/methods.md lists them.
    """
    from stan.models.convert import convert as write
    from stan.models.factory import CHECKPOINT

    options = dict(map(_named_value, option or []))
    with quiet():
        report = write(file, out / CHECKPOINT, frames, activation, similarity, clip, options)
    emit(report, as_json, lines)


def _named_value(given: str) -> tuple[str, Any]:
    name, _, value = given.partition("=")
    try:
        return name, from_json(value)
    except ValueError:
        raise ValueError(
            f'--set {given}: give NAME=VALUE with a JSON value, such as scale=1 or before="mlp"'
        ) from None


def _step(line: dict[str, float]) -> None:
    say("  ".join(f"{name} {value:g}" for name, value in line.items()))
