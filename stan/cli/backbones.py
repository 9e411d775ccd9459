"""Names of architectures in; what each image and text tower has and costs, and whose weights are here, out."""

from __future__ import annotations

from textwrap import fill
from typing import Annotated, Any

import typer

from stan.cli.output import Json, emit, lines, quiet, table
from stan.common.light import leave_out_unused


def backbones(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Architectures, parts of their names (siglip2) or patterns (PE-*); left out: all."
        ),
    ] = None,
    supported: Annotated[
        bool, typer.Option("--supported", help="Leave out what cannot be used here.")
    ] = False,
    cached: Annotated[
        bool, typer.Option("--cached", help="Only those with weights in this machine's cache.")
    ] = False,
    recount: Annotated[
        bool,
        typer.Option(
            "--recount", help="Count all anew and keep that in stan/assets/backbones.json: takes minutes."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """List open_clip's architectures and their weights: size, parameters, cost per frame, and what is cached here.

    A single architecture is shown with its tags; each is a model by the name clip:ARCHITECTURE/TAG. GMACs are 10^9
    multiply-accumulates of one frame, with the products of attention. --json has all tags.
    """
    leave_out_unused()
    from stan.bench.backbones import backbones as listed
    from stan.bench.backbones import write_counts

    with quiet():
        if recount:
            write_counts()
        document = listed(names or (), supported, cached)
    emit(document, as_json, _shown)


def _shown(document: dict[str, Any]) -> str:
    found = document["architectures"]
    if len(found) == 1:
        return _one(found[0])
    refused: dict[str, list[str]] = {}
    for one in found:
        if one["refused"]:
            refused.setdefault(one["refused"].partition("(")[2].partition(")")[0], []).append(one["name"])
    parts = [table([_row(one) for one in found])]
    parts += [
        fill(f"not supported, {reason}: {', '.join(names)}", 100, break_on_hyphens=False)
        for reason, names in refused.items()
    ]
    usable = sum(not one["refused"] for one in found)
    tags = sum(len(one["tags"]) for one in found if not one["refused"])
    parts.append(
        f"{usable} of {len(found)} architectures can be used, with {tags} tags; `stan backbones NAME` shows one with"
        " its tags"
    )
    return "\n\n".join(parts)


def _row(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "architecture": one["name"],
        "pixels": one["image_size"],
        "image M": _millions(one["params_image"]),
        "text M": _millions(one["params_text"]),
        "GMACs": one["gmacs_frame"] and round(one["gmacs_frame"]["all"], 1),
        "tags": len(one["tags"]),
        "here": sum(tag["cached"] is not None for tag in one["tags"]),
    }


def _millions(parameters: int | None) -> float | None:
    return None if parameters is None else round(parameters / 1e6, 1)


def _one(one: dict[str, Any]) -> str:
    from stan.bench.backbones import NOT_STATED

    told = {
        "architecture": one["name"],
        "supported": one["refused"] or "yes",
        "pixels": one["image_size"],
        "tower": _tower(one["tower"]),
        "parameters": f"{_millions(one['params_image'])} M image, {_millions(one['params_text'])} M text",
        "GMACs": one["gmacs_frame"]
        and f"{one['gmacs_frame']['all']:.1f} a frame, {one['gmacs_caption']['all']:.1f} a caption",
        "licence": f"of the weights: {NOT_STATED}",
        "zero-shot": NOT_STATED,
    }
    rows = [
        {"model": tag["model"], "repository": tag["repository"], "here": tag["cached"] is not None}
        for tag in one["tags"]
    ]
    return "\n\n".join([lines(told), table(rows) if rows else "no tags: name a file, clip:ARCHITECTURE/FILE"])


def _tower(tower: dict[str, Any] | None) -> str | None:
    if tower is None:
        return None
    rows, columns = tower["grid"]
    return (
        f"{tower['blocks']} blocks over {tower['prefix']} + {rows}x{columns} tokens {tower['width']} wide, embedding"
        f" {tower['embedding']}"
    )
