"""A backbone in; what each of its levels holds, as probes on drawn stills read it off, out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stan.cli.output import Json, emit, quiet, say, table
from stan.common.progress import Bars


def probe_levels(
    backbone: Annotated[
        str, typer.Option(help="tiny, or an architecture that `stan backbones` lists.")
    ] = "tiny",
    pretrained: Annotated[str | None, typer.Option(help="Its weights: a tag or a local file.")] = None,
    stills: Annotated[
        int | None, typer.Option(help="Stills of each kind; half of them fit a probe.", min=40)
    ] = None,
    attentive: Annotated[
        bool, typer.Option(help="Also probes that attend to the patches, which take most of the time.")
    ] = True,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:1; by default what there is.")] = None,
    save: Annotated[
        Path | None, typer.Option(help="A folder of runs that also keeps the result; the dashboard shows it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Probe what each level of a CLIP holds: place, size, turn, texture, shape, colour, background, count, order.

    Scores are 0 for guessing and 1 for no error, of drawn stills that the probe has not seen.
    """
    from stan.evaluation.probe_targets import NEEDS, STILLS
    from stan.results.level_probes import keep, measure

    with quiet(), Bars(None) as bars:
        record = measure(
            backbone,
            pretrained,
            stills or STILLS,
            attentive,
            device,
            lambda done, total: bars("probing levels", done, total, {}),
        )
    if save is not None:
        say(f"kept in {keep(save, record)}")
    emit(record | {"needs": NEEDS}, as_json, _shown)


def _shown(document: dict[str, Any]) -> str:
    rows = document["rows"]
    return "\n\n".join(
        f"{probe}\n{table(_by_target([row for row in rows if row['probe'] == probe]))}"
        for probe in dict.fromkeys(row["probe"] for row in rows)
    )


def _by_target(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one line per target, with a column per level; level 0 is the input of the first block."""
    return [
        {"target": target} | {str(row["level"]): row["score"] for row in rows if row["target"] == target}
        for target in dict.fromkeys(row["target"] for row in rows)
    ]
