"""One's own videos in: an indexed library, search results, recognised labels and attention pictures out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import Json, emit, quiet, say, table

Library = Annotated[Path, typer.Option(help="Folder of the library.")]
Model = Annotated[
    str | None, typer.Option(help="A preset, a run's folder or a checkpoint; the library's own by default.")
]

_LIBRARY = Path("libraries/own")


def index(
    folder: Annotated[Path, typer.Argument(help="Folder of videos, searched with all its subfolders.")],
    library: Library = _LIBRARY,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Index a folder of videos: what is new or changed is embedded, what is gone is dropped."""
    from stan.library import Library as Videos

    with quiet():
        report = Videos(library, model).add(folder, progress=_progress)
    emit(report, as_json, _indexed)


def search(
    query: Annotated[str, typer.Argument(help="What should be seen.")],
    library: Library = _LIBRARY,
    top: Annotated[int, typer.Option(help="How many results.", min=1)] = 10,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Search a library by words."""
    with quiet():
        found = _open(library, model).search(query, top=top).document()
    columns = ("name", "score", "percentile", "start", "end")
    emit(found, as_json, lambda document: table(document["results"], columns))


def recognise(
    video: Annotated[str, typer.Argument(help="A video file, or the id of a video of the library.")],
    label: Annotated[list[str] | None, typer.Option(help="A label; repeat it for several.")] = None,
    labels: Annotated[Path | None, typer.Option(help="A text file, one label per line.")] = None,
    label_set: Annotated[
        str | None, typer.Option("--set", help="kinetics-400, something-something-v2 or motions.")
    ] = None,
    templates: Annotated[
        str,
        typer.Option(help="plain, actionclip, or a text file with one sentence per line, {} for the label."),
    ] = "plain",
    pieces: Annotated[
        int | None,
        typer.Option(help="See so many parts of the video apart, so that the strip tells motions.", min=1),
    ] = None,
    library: Library = _LIBRARY,
    top: Annotated[int, typer.Option(help="How many labels to show.", min=1)] = 5,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Tell which of the given labels fits a video, or that none does."""
    from stan.data import label_sets
    from stan.data import templates as prompts
    from stan.library import Library as Videos

    wanted = [
        *(label or []),
        *(labels.read_text(encoding="utf-8").splitlines() if labels else []),
        *(label_sets.named(label_set) if label_set else []),
    ]
    if not wanted:
        raise ValueError(
            "there are no labels: give --label several times, --labels FILE with one per line, or --set NAME"
        )
    sentences = prompts.TEMPLATES.get(templates) or prompts.read(Path(templates))
    with quiet():
        found = Videos(library, model).recognise(video, wanted, top=top, templates=sentences, pieces=pieces)
    emit(found, as_json, _recognised)


def _open(library: Path, model: str | None) -> Any:
    from stan.library import Library as Videos

    opened = Videos(library, model)
    if opened.made_by is None:
        raise ValueError(f"{library} holds no library: run `stan index FOLDER --library {library}` first")
    return opened


def _progress(done: int, total: int, name: str) -> None:
    if done % 25 == 0:
        say(f"{done}/{total}  {name}")


def _indexed(report: dict[str, Any]) -> str:
    counts = ", ".join(f"{report[name]} {name}" for name in ("indexed", "unchanged", "removed"))
    skipped = [f"skipped {one['file']}: {one['reason']}" for one in report["skipped"]]
    return "\n".join([f"{counts}, {len(skipped)} skipped in {report['seconds']:.1f} s", *skipped])


def _recognised(document: dict[str, Any]) -> str:
    none, strip = document["none"], document["over_time"]
    kind = "" if document["calibrated"] else ", relative: no temperature was fitted"
    said = [
        table(document["labels"]),
        f"none of these: {none['probability']:.2f}{', so none fits' if none['rejected'] else ''}{kind}",
        *(f"too alike to tell: {a!r} and {b!r} ({cosine:.3f})" for a, b, cosine in document["alike"]),
        *(f"{moment:8.2f} s  {best}" for moment, best in zip(strip["times"], strip["best"], strict=True)),
    ]
    return "\n".join(said)
