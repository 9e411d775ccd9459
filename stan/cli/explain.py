"""A video and a sentence, or a data set, in; maps that explain the scores, and how reliable these maps are, out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import Json, emit, quiet, say, table

Model = Annotated[
    str, typer.Option(help="A preset, a CLIP (clip:ARCHITECTURE/TAG), a run's folder or a checkpoint.")
]


def explain(
    video: Annotated[Path, typer.Argument(help="A video file.")],
    query: Annotated[str, typer.Argument(help="The sentence whose score with the video is explained.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures and the JSON.")],
    model: Model = "stan-tiny",
    frames: Annotated[
        int | None, typer.Option(help="Frames of the video; the model's own number by default.", min=1)
    ] = None,
    as_json: Json = False,
) -> None:
    """Show why a video and a sentence score as they do: tested maps over the frames, and what each word contributes.

    Raw attention of CLIP and of the branch is drawn, too, as attention.png. It is not an explanation.
    """
    from stan import load_model
    from stan.common.plotting import save
    from stan.explain import attention, figures, render
    from stan.explain import explain as explanation_of

    with quiet():
        loaded = load_model(model)
        found = explanation_of(loaded, video, query, frames, progress=_progress)
        document = render.write(found, out, {"video": str(video), "model": model})
        save(figures.attention(attention(loaded, video, frames)), out / "attention.png")
    emit(document | {"attention": "attention.png", "out": out}, as_json, _explained)


def faithfulness(
    data: Annotated[
        str, typer.Option(help="world/SUITE:ROOT or SET:ROOT with captions.")
    ] = "world/retrieval:worlds/retrieval-quick",
    model: Model = "stan-tiny",
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    clips: Annotated[int, typer.Option(help="How many clips, drawn from the split.", min=2)] = 100,
    seed: Annotated[int, typer.Option(help="Of the drawn clips and the random maps.")] = 0,
    as_json: Json = False,
) -> None:
    """Test the maps that `explain` makes against random ones over a data set.

    In the embedded world, this also measures how much of each map lies on the objects.
    """
    from stan import load_model
    from stan.explain.faithfulness_study import faithfulness_study

    with quiet():
        found = faithfulness_study(load_model(model), data, split, clips, seed=seed, progress=_progress)
    emit({"model": model} | found, as_json, _study)


def _progress(done: int, total: int) -> None:
    if done % 10 == 0 or done == total:
        say(f"{done}/{total}")


def _explained(document: dict[str, Any]) -> str:
    maps = [
        {name: one[name] for name in ("name", "is_explanation")}
        | {name: one["faithfulness"][name] for name in ("deletion", "insertion", "better")}
        for one in document["maps"]
    ]
    tested = document["maps"][0]["faithfulness"]
    random = "random maps: deletion {random_deletion:.2f}, insertion {random_insertion:.2f}".format(**tested)
    parts = [f"score {document['score']:.3f}", table(document["words"]), table(maps), random]
    return "\n\n".join([*parts, f"wrote pictures and explanation.json into {document['out']}"])


def _study(document: dict[str, Any]) -> str:
    rows = [
        {
            "map": row["map"],
            "explains": row["is_explanation"],
            "deletion - random": _interval(row["deletion_change"]),
            "insertion - random": _interval(row["insertion_change"]),
            "better": f"{100 * row['better']:.0f} %",
        }
        | ({} if row["inside"] is None else _places(row))
        for row in document["rows"]
    ]
    said = (
        f"{document['clips']} clips of {document['data']}, {document['split']}; areas under the score as patches become"
        f" {document['baseline']} (deletion: low is good) or come back; random maps:"
        f" {document['random']['deletion']:.3f}, {document['random']['insertion']:.3f}"
    )
    if document["area"] is not None:
        said += f"\nobjects cover {100 * document['area']:.1f} % of the picture"
    return f"{said}\n\n{table(rows)}"


def _places(row: dict[str, Any]) -> dict[str, str]:
    return {
        "on objects": f"{100 * row['inside']:.1f} %",
        "- area": _interval(row["inside_change"], 100, 1),
    } | (
        {"- raw attention": _interval(row["inside_against_attention"], 100, 1)}
        if "inside_against_attention" in row
        else {}
    )


def _interval(change: dict[str, Any], scale: int = 1, digits: int = 3) -> str:
    value, low, high = (f"{scale * change[name]:+.{digits}f}" for name in ("change", "low", "high"))
    return f"{value} [{low}, {high}]"
