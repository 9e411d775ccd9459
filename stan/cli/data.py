"""A data set's name and folder in; what it holds, lacks and needs, and folders prepared from it, out."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import WORLDS, Json, emit, quiet, say, table
from stan.cli.overrides import Size

data = typer.Typer(help="Look at data sets, check and prepare them before training.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="One of `stan data list`.")]
Root = Annotated[Path, typer.Argument(help="Folder with annotation files and videos.")]


@data.command("list")
def list_sets(as_json: Json = False) -> None:
    """List the data sets, and the files that each needs in its folder."""
    from stan.data.datasets import SETS

    sets = [
        {
            "data": one.name,
            "task": one.task,
            "videos": {split: counts[0] for split, counts in one.sizes.items()},
            "files": one.layout,
            "source": one.source,
        }
        for one in SETS.values()
    ]
    emit(sets, as_json, _set_list)


@data.command("check")
def check(
    name: Name,
    root: Root,
    decode: Annotated[
        str, typer.Option(help="all: every frame of every video; sample: some of some videos; none.")
    ] = "sample",
    as_json: Json = False,
) -> int:
    """Count and check videos, captions and splits. The exit code is 1 if something is missing or broken."""
    from stan.data.datasets.check import check as look

    with quiet():
        found = look(name, root, decode, _decoded)
    emit(found, as_json, _checked)
    return 0 if found["whole"] else 1


@data.command("prepare")
def prepare(
    name: Name,
    root: Root,
    out: Annotated[
        Path | None, typer.Option(help="The new folder; ROOT with -prepared, or -SIZE, added to its name.")
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            help="Pixels of the short side, e.g. 256, to which larger videos are re-encoded, which costs accuracy;"
            " without it the originals are linked."
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Write a folder with explicit splits, joined paragraphs and a manifest.

    The exit code is 1 if videos were skipped or are missing. A second call continues where the first one stopped. The
    originals are only read.
    """
    from stan.data.datasets.prepare import COST
    from stan.data.datasets.prepare import prepare as make

    out = out or root.with_name(f"{root.resolve().name}-{size or 'prepared'}")
    if size is not None:
        say(COST)
    with quiet():
        report = make(name, root, out, size, _made)
    emit(report, as_json, _prepared)
    return 1 if report["skipped"] or report["missing"] else 0


@data.command("summary")
def summary(
    spec: Annotated[str, typer.Argument(help="world/SUITE:ROOT or SET:ROOT, e.g. msrvtt:/data/msrvtt.")],
    as_json: Json = False,
) -> int:
    """Count clips, captions, classes and missing files of every split. The exit code is 1 if files are missing."""
    from stan.data import datasets

    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about missing videos, which the table counts
        splits = [_split(datasets.load(spec, split)) for split in ("train", "val", "test")]
    emit(
        {"data": spec, "splits": splits}, as_json, lambda document: table(document["splits"], _SPLIT_COLUMNS)
    )
    return 1 if any(split["missing"] for split in splits) else 0


_SPLIT_COLUMNS = ("split", "task", "clips", "captions", "classes", "seen", "unseen", "twins", "missing")


def _split(videos: Any) -> dict[str, Any]:
    clips = videos.clips
    return {
        "split": videos.split,
        "task": videos.task,
        "clips": len(clips),
        "captions": sum(len(clip.captions) for clip in clips),
        "classes": len(videos.classes),
        "seen": sum(clip.seen is True for clip in clips),
        "unseen": sum(clip.seen is False for clip in clips),
        "twins": sum(clip.twin is not None for clip in clips),
        "missing": len(videos.missing),
        "first_missing": videos.missing[:10],
        "hash": videos.hash,
    }


def _set_list(sets: list[dict[str, Any]]) -> str:
    rows = [
        {"data": one["data"], "task": one["task"]}
        | {split: one["videos"].get(split) for split in ("train", "val", "test")}
        for one in sets
    ]
    needs = [f"{one['data']}: {one['files']}\n    from {one['source']}" for one in sets]
    words = (
        "Videos lie in ROOT/videos, or anywhere under ROOT; annotation files in ROOT or one folder down."
        " Where no number of val is given, a twentieth of train is held out for it."
    )
    return "\n\n".join([table(rows), words, "\n".join(needs)])


def _checked(document: dict[str, Any]) -> str:
    columns = ("split", "videos", "there", "missing", "decoded", "broken", "captions", "classes", "held_out")
    faults = sum(finding["fault"] for finding in document["findings"])
    parts = [table(document["splits"], columns)] if document["splits"] else []
    parts += [_finding(finding) for finding in document["findings"]]
    return "\n".join(
        [*parts, "whole" if document["whole"] else f"not whole: {faults} fault{'s' * (faults > 1)}"]
    )


def _finding(finding: dict[str, Any]) -> str:
    kind, more = "FAULT" if finding["fault"] else "note ", finding["count"] > len(finding["examples"])
    examples = "; ".join([*finding["examples"], *["..."] * more])
    where = f"{finding['what']}, {finding['split']}: {finding['count']}"
    return f"{kind}  {where} ({examples})\n       {finding['remedy']}"


def _prepared(report: dict[str, Any]) -> str:
    size = {name: count / 1e6 for name, count in report["bytes"].items()}
    skipped = [f"skipped {one['file']}: {one['reason']}" for one in report["skipped"]]
    counts = (
        f"{report['made']} made, {report['kept']} kept, {len(skipped)} skipped, {report['missing']} missing"
    )
    lines = [f"{counts}; {size['before']:.1f} MB before, {size['after']:.1f} MB now", *skipped]
    return "\n".join([*lines, f"read it as {report['set']}:{report['out']}"])


def _decoded(split: str, done: int, total: int) -> None:
    if done % 500 == 0:
        say(f"{split}: {done} of {total} decoded")


def _made(done: int, total: int) -> None:
    if done % 100 == 0:
        say(f"{done} of {total} videos")


def world(
    suite: Annotated[str, typer.Argument(help="retrieval, paragraph, scenes or motions.")],
    size: Size = "quick",
    out: Annotated[Path, typer.Option(help="Folder of worlds.")] = WORLDS,
    seed: Annotated[int, typer.Option(help="Another seed renders other videos.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Render a suite of the embedded world: real video files with captions."""
    from stan.data.world.writer import write

    with quiet():
        folder = write(suite, size, out, seed)
    document = {"folder": folder, "suite": suite, "size": size, "seed": seed}
    emit(document, as_json, lambda document: document["folder"])
