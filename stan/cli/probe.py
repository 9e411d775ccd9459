"""Video files in; what each is, how it is therefore read, and the frames that a model sees of it, out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import Json, emit, lines, quiet
from stan.cli.videos import printable
from stan.common.light import leave_out_unused


def probe(
    files: Annotated[list[Path], typer.Argument(help="Video files.", metavar="FILE...")],
    frames: Annotated[
        Path | None,
        typer.Option(
            help="Draw the frames that the model sees of each file, prepared as for the model, into this PNG."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="With --frames: a preset, a run's folder or a checkpoint.")
    ] = "stan-tiny",
    as_json: Json = False,
) -> int:
    """Tell what video files are: streams, colours, times, which decoder reads them and why, what is corrected.

    The exit code is 1 if a file gives no frames; the others are told about in any case.
    """
    found = [_told(file) for file in files]
    if frames is not None:
        _draw([one for one in found if "error" not in one], model, frames)
    emit(found, as_json, _shown)
    return 1 if any("error" in one for one in found) else 0


def _told(file: Path) -> dict[str, Any]:
    from stan.data.video.decoding import VideoError
    from stan.data.video.decoding import probe as probed

    try:
        return {"file": str(file), **asdict(probed(file).facts)}
    except VideoError as error:
        return {"file": str(file), "error": {"reason": error.reason, "remedy": error.remedy}}


def _draw(found: list[dict[str, Any]], model: str, target: Path) -> None:
    """Draw the files' frames; a file whose frames cannot be decoded gets its error."""
    leave_out_unused()
    from stan import load_model
    from stan.common.plotting import save
    from stan.data.video.decoding import VideoError
    from stan.explain.attention import shown
    from stan.explain.figures import contact_sheet

    with quiet():
        loaded = load_model(model)
        seen = {}
        for one in found:
            try:
                pixels, times = loaded.decode(one["file"])
            except VideoError as error:
                one["error"] = {"reason": error.reason, "remedy": error.remedy}
            else:
                seen[printable(one["file"])] = shown(pixels, loaded.clip), times
        if seen:
            save(contact_sheet(seen), target)


def _shown(found: list[dict[str, Any]]) -> str:
    return "\n\n".join(f"{printable(one['file'])}\n{_lines(one)}" for one in found)


def _lines(told: dict[str, Any]) -> str:
    from stan.data.video.facts import VideoFacts
    from stan.data.video.summary import summary

    facts = {name: value for name, value in told.items() if name not in ("file", "error")}
    values = told.get("error", {}) | (summary(VideoFacts.of(facts)) if facts else {})
    return "\n".join(f"  {line}" for line in lines({k: printable(v) for k, v in values.items()}).splitlines())
