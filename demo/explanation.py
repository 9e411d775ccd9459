"""A video, a query and how well they fit in; maps of what in each frame makes the score, with proof, and words out."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from demo import heat
from demo.page import bar, message

PARTS = {"clip": "CLIP", "branch": "branch", "both": "CLIP and branch"}
NO_BETTER = "no better than random: not to be trusted"
NOT_AN_EXPLANATION = (
    "attention, not an explanation: it shows what a layer mixes, not why the score is what it is"
)


def methods(seen: Any) -> list[str]:
    """Names of the methods that there are maps of, the default one first."""
    return list(dict.fromkeys(one.method for one in seen.maps))


def show(seen: Any, method: str) -> str:
    """Frames, and below them the maps of one method on one scale, then the difference and the figures."""
    maps = [one for one in seen.maps if one.method == method]
    rows = {_title(one): one.values for one in maps}
    dim = {_title(one) for one in maps if not one.faithfulness["better"]}
    by_part = {one.part: one for one in maps}
    signed = {}
    if {"clip", "branch"} <= by_part.keys():
        signed["branch − CLIP"] = by_part["branch"].values - by_part["clip"].values
        if dim & {_title(by_part["clip"]), _title(by_part["branch"])}:
            dim.add("branch − CLIP")
    notes = [] if all(one.is_explanation for one in maps) else [message(NOT_AN_EXPLANATION, "warn")]
    if dim:
        grey = ", ".join(sorted(dim - signed.keys()))
        notes.append(message(f"Greyed out, {NO_BETTER}: {html.escape(grey)}.", "warn"))
    table = heat.table(seen.pixels, seen.times, rows, signed, dim, what="share in the score")
    return f"{''.join(notes)}{table}{faithfulness(maps)}"


def faithfulness(maps: list[Any]) -> str:
    """How the score falls and rises when patches go and come in the map's order, against random orders."""
    rows = "".join(
        f'<tr><th scope="row">{html.escape(_title(one))}</th>{_figures(one.faithfulness)}</tr>'
        for one in maps
    )
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in (
            "map",
            "deletion, map",
            "deletion, random",
            "insertion, map",
            "insertion, random",
            "verdict",
        )
    )
    told = (
        "Deletion: area under the score while the map's highest patches are taken away first, lower is better. "
        "Insertion: while they are put in first, higher is better."
    )
    return (
        f'<div class="plain" tabindex="0" role="region" aria-label="how faithful the maps are"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div><p class='facts'>{told}</p>"
    )


def words(changes: list[dict[str, Any]]) -> str:
    """What each word adds to the score: how far it falls when the word is left out."""
    if not changes:
        return ""
    most = max(abs(one["change"]) for one in changes) or 1.0
    rows = "".join(
        bar(
            one["word"],
            abs(one["change"]) / most,
            f"{one['change']:+.3f}",
            "less" if one["change"] > 0 else "",
        )
        for one in changes
    )
    told = "The score's change when one word is left out: below zero, the word helped the match."
    return f"<p class='facts'>{told}</p><div class='bars'>{rows}</div>"


def _title(one: Any) -> str:
    return PARTS[one.part]


def _figures(found: dict[str, Any]) -> str:
    names = ("deletion", "random_deletion", "insertion", "random_insertion")
    verdict = "better than random" if found["better"] else NO_BETTER
    return "".join(f"<td>{_figure(found[name])}</td>" for name in names) + f"<td>{verdict}</td>"


def _figure(value: Any) -> str:
    """A number, or a number with its interval."""
    values = np.atleast_1d(np.asarray(value, float))
    return " to ".join(f"{one:.3f}" for one in values)
