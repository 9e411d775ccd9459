"""A finished run, or a video, in; its scores on another split, or with its frames rearranged, out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import WORLDS, Json, Worlds, emit, lines, quiet, table
from stan.cli.overrides import listed


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
    worlds: Worlds = WORLDS,
    as_json: Json = False,
) -> None:
    """Measure a finished run's weights again, on another split or with test-time tricks. Its record stays as it is.

    A time probe of the test split without tricks is kept next to the record, for the report and the dashboard.
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


def interpolate(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    shares: Annotated[
        str, typer.Option(help="Shares of the weights that CLIP started from, separated by commas.")
    ] = "0,0.25,0.5,0.75,1",
    also: Annotated[
        list[str] | None,
        typer.Option(help="SUITE or SUITE=FOLDER: another data set, on its test split; repeatable."),
    ] = None,
    split: Annotated[str, typer.Option(help="test or val.")] = "test",
    worlds: Worlds = WORLDS,
    as_json: Json = False,
) -> None:
    """Measure a finished run with CLIP's weights moved back towards those that they started from (WiSE-FT).

    It shows what training made CLIP forget, and which weights between keep both. What the temporal method added stays
    as trained. With the default shares, the answer is kept next to the record, for the report and the dashboard.
    """
    from stan.results.weight_interpolation import interpolate as measure_between
    from stan.results.weight_interpolation import keep

    asked, sets = listed("--shares", shares, float, "0,0.5,1"), list(map(_set_and_folder, also or ()))
    with quiet():
        found = measure_between(run, split, worlds, asked, sets)
    found["kept"] = keep(run, found)
    emit(found, as_json, _interpolation_table)


def _set_and_folder(named: str) -> tuple[str, str | None]:
    suite, _, root = named.partition("=")
    return suite, root or None


def _interpolation_table(document: dict[str, Any]) -> str:
    moved = document["moved"]
    rows = [
        {
            "measured on": line["on"],
            "CLIP's share": line["share"],
            "metric": line["metric"],
            "value": line["value"],
            "change": line["change"],
            "from": line["change_low"],
            "to": line["change_high"],
            "p": line["p"],
        }
        for line in document["lines"]
    ]
    told = f"{moved['parameters']:,} trained weights of CLIP, {100 * moved['distance']:.1f} % of their length away"
    return f"{told} from where they started\n\n{table(rows)}"


def time(
    video: Annotated[Path, typer.Argument(help="A video file.")],
    query: Annotated[list[str] | None, typer.Argument(help="What is seen; one or several sentences.")] = None,
    labels: Annotated[
        Path | None, typer.Option(help="A text file, one label per line: the best one in every order.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="A preset, a CLIP (clip:ARCHITECTURE/TAG), a run's folder or a checkpoint.")
    ] = "stan-tiny",
    draws: Annotated[int, typer.Option(help="Shuffled orders.")] = 99,
    seed: Annotated[int, typer.Option(help="Seed of the shuffling.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Show whether time matters: what a video scores when its frames run backwards, stand still or are shuffled."""
    from stan import load_model
    from stan.common.files import read_text
    from stan.explain.frame_order import probe

    listed = read_text(labels).splitlines() if labels else []
    with quiet():
        found = probe(load_model(model), video, query or [], labels=listed, draws=draws, seed=seed)
    emit(found, as_json, _time)


def _time(document: dict[str, Any]) -> str:
    blocks = []
    for one in document["queries"]:
        low, high = one["shuffled"]["interval"]
        rows = [{"frames run": name, "score": one[name]} for name in ("forwards", "reversed", "frozen")]
        rows.append(
            {"frames run": f"shuffled, {document['draws']} times", "score": one["shuffled"]["mean"]}
            | {"from": low, "to": high}
        )
        blocks.append(f"{one['query']}\n{table(rows, ('frames run', 'score', 'from', 'to'))}\n{one['says']}")
    if document["labels"]:
        blocks.append(table(document["labels"]))
    return "\n\n".join(blocks)
