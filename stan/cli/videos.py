"""Your own videos in; an indexed library, search results and recognised labels out."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import Json, emit, quiet, say, table
from stan.common.light import leave_out_unused

Library = Annotated[str, typer.Option(help="Folder of the library, or an address such as s3://BUCKET/NAME.")]
Model = Annotated[
    str | None,
    typer.Option(
        help="A preset, a CLIP (clip:ARCHITECTURE/TAG, see stan backbones), a run's folder or a checkpoint; the"
        " library's own by default."
    ),
]

LIBRARY = "libraries/own"
_SECONDS_BETWEEN_WORDS = 2.0


def index(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of videos, searched with all its subfolders; or a text file that names videos, one path or"
            " address (s3://, https://) per line."
        ),
    ],
    library: Library = LIBRARY,
    model: Model = None,
    window: Annotated[
        float | None,
        typer.Option(
            help="Seconds of a window that long videos are cut into: the length of the clips that the model was"
            " trained on. By default one second per frame of the model."
        ),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="local, or ray: the cluster that RAY_ADDRESS names, else one started here.")
    ] = "local",
    jobs: Annotated[
        int | None,
        typer.Option(help="With ray: workers that hold the model; one per GPU or core by default.", min=1),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait while another process is indexing into the library.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Index a folder of videos: new and changed videos are embedded, videos that are gone are dropped."""
    leave_out_unused()
    from stan.common.jobs import running
    from stan.library import Library as Videos

    if wait:
        for other in running([library]):
            say(f"waiting for another process: {printable(other.words)}")
    with quiet():
        report = Videos(library, model, window).add(folder, _progress(), engine=engine, jobs=jobs, wait=wait)
    emit(report, as_json, _indexed)


def forget(
    folder: Annotated[
        Path,
        typer.Argument(
            help="An indexed folder, or one in it, which need not be there any more; a video; or a text file that names"
            " videos."
        ),
    ],
    library: Library = LIBRARY,
    as_json: Json = False,
) -> None:
    """Take a folder's videos out of a library. The files stay as they are."""
    with quiet():
        removed = _open(library, None).forget(folder)
    emit(
        {"removed": removed},
        as_json,
        lambda _: f"{removed} video{'s' * (removed != 1)} taken out of {library}",
    )


def search(
    query: Annotated[
        str | None,
        typer.Argument(
            help="What should be seen; or weighted terms: `2:a red circle + moving up - striped`."
        ),
    ] = None,
    library: Library = LIBRARY,
    top: Annotated[int, typer.Option(help="How many results.", min=1)] = 10,
    like: Annotated[
        str | None, typer.Option(help="Search by example: a video's id, or a video or picture file.")
    ] = None,
    at: Annotated[
        float | None, typer.Option(help="With --like: the moment of that video, in seconds.", min=0)
    ] = None,
    gain: Annotated[
        float, typer.Option(help="Of the branch: 0 is CLIP alone, 1 the model as trained.", min=0)
    ] = 1.0,
    correct_hubs: Annotated[
        bool, typer.Option("--correct-hubs", help="Let videos that suit every sentence count less (QB-Norm).")
    ] = False,
    folder: Annotated[
        str | None,
        typer.Option(help="Only below this folder: its full path, or its path inside the indexed one."),
    ] = None,
    longer_than: Annotated[float | None, typer.Option(help="Seconds.", min=0)] = None,
    shorter_than: Annotated[float | None, typer.Option(help="Seconds.", min=0)] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Changed then or later.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Changed then or earlier.")
    ] = None,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Search a library by text or by example."""
    leave_out_unused()
    from stan.library import Filters

    if (query is None) == (like is None):
        raise ValueError("say what to look for: either words, or an example with --like")
    if at is not None and like is None:
        raise ValueError("--at names a moment of the example: give --like, too")
    days = [None if day is None else day.date() for day in (since, until)]
    chosen = {
        "top": top,
        "gain": gain,
        "where": Filters(folder, longer_than, shorter_than, since=days[0], until=days[1]),
    }
    with quiet():
        videos = _open(library, model)
        if like is None:
            found = videos.search(query, correct_hubs=correct_hubs, **chosen)
        else:
            example = Path(like) if Path(like).is_file() else like
            found = videos.similar(example, start=at, end=at, **chosen)
    emit(found.document(), as_json, _found)


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
    library: Library = LIBRARY,
    top: Annotated[int, typer.Option(help="How many labels to show.", min=1)] = 5,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Tell which of the given labels fits a video, or that none of them does.

    Without labels, a classifier's own classes count, if it brings their names.
    """
    from stan.common.files import read_text
    from stan.data import label_sets, prompts
    from stan.evaluation.zero_shot import class_names
    from stan.library import Library as Videos

    wanted = [
        *(label or []),
        *(read_text(labels).splitlines() if labels else []),
        *(label_sets.named(label_set) if label_set else []),
    ]
    sentences = prompts.TEMPLATES.get(templates) or prompts.read(Path(templates))
    with quiet():
        opened = Videos(library, model)
        if not wanted and not class_names(opened.model):
            raise ValueError(
                "there are no labels: give --label several times, --labels FILE with one per line, or --set NAME"
            )
        found = opened.recognise(video, wanted, top=top, templates=sentences, pieces=pieces)
    emit(found, as_json, _recognised)


def _open(library: str, model: str | None) -> Any:
    from stan.library import Library as Videos

    opened = Videos(library, model)
    if opened.made_by is None:
        raise ValueError(f"{library} holds no library: run `stan index FOLDER --library {library}` first")
    return opened


def _progress() -> Callable[[int, int, str], None]:
    """Return a callback that says every few seconds how far and how fast the indexing is, and how long it will take."""
    started = said = 0.0

    def progress(done: int, total: int, name: str) -> None:
        nonlocal started, said
        now = time.monotonic()
        if done == 0:  # loading the model and waiting for another process are no part of the pace
            started = said = now
        if now - said < _SECONDS_BETWEEN_WORDS:
            return
        said, rate = now, done / (now - started)
        say(f"{done}/{total}  {rate:.1f} videos/s, {(total - done) / rate:.0f} s left  {printable(name)}")

    return progress


def _indexed(report: dict[str, Any]) -> str:
    counts = ", ".join(f"{report[name]} {name}" for name in ("indexed", "unchanged", "removed"))
    moved = f" ({report['moved']} of them moved)" if report["moved"] else ""
    told = (
        f"{counts}{moved}, {len(report['skipped'])} skipped in {report['seconds']:.1f} s, of which the model waited"
        f" {report['seconds_waiting']:.1f} s for frames"
    )
    rows = [{name: printable(value) for name, value in one.items()} for one in report["skipped"]]
    return "\n".join([told, *([table(rows)] if rows else [])])


def _found(document: dict[str, Any]) -> str:
    rows = [{**result, "name": printable(result["name"])} for result in document["results"]]
    shown = table(rows, ("name", "score", "percentile", "start", "end"))
    return (
        f"{shown}\nno good match: nothing fits better than chance" if document["no_match"] and rows else shown
    )


def printable(text: str) -> str:
    """Replace unprintable characters, which a terminal could take for a command, in a file's name."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _none_of_these(none: dict[str, Any]) -> str:
    return f"none of these: {none['probability']:.2f}{', so none fits' if none['rejected'] else ''}"


def _recognised(document: dict[str, Any]) -> str:
    none, strip = document["none"], document["over_time"]
    kind = "" if document["calibrated"] else ", relative: no temperature was fitted"
    said = [
        table(document["labels"]),
        *([_none_of_these(none) + kind] if none else []),
        *(f"too alike to tell: {a!r} and {b!r} ({cosine:.3f})" for a, b, cosine in document["alike"]),
        *(f"{moment:8.2f} s  {best}" for moment, best in zip(strip["times"], strip["best"], strict=True)),
    ]
    return "\n".join(said)
