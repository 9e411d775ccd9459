"""An explained score of a video and a query in; out come maps, tests of the maps, and the effect of each word."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from demo.components import heatmaps
from demo.components.page import bar, message, table
from demo.languages import translated

if TYPE_CHECKING:
    from stan.explain import Explanation, Faithfulness, Map

NO_BETTER = "no better than random: not to be trusted"


def methods(seen: Explanation) -> list[tuple[str, str]]:
    """Return (shown, name) of the methods that have maps, the default one first."""
    explains = {one.method: one.is_explanation for one in seen.maps.values()}
    return [
        (name if good else translated("{name} (not an explanation)", name=name), name)
        for name, good in explains.items()
    ]


def show(seen: Explanation, method: str) -> str:
    """Return the frames with one method's maps below on one scale, then the difference and the faithfulness table."""
    maps = [one for one in seen.maps.values() if one.method == method]
    rows = {_title(one): one.values for one in maps}
    dim = {_title(one) for one in maps if not one.faithfulness["better"]}
    by_part = {one.part: one for one in maps}
    signed = {}
    if {"clip", "branch"} <= by_part.keys():
        difference = translated("branch − CLIP")
        signed[difference] = by_part["branch"].values - by_part["clip"].values
        if not all(by_part[part].faithfulness["better"] for part in ("clip", "branch")):
            dim.add(difference)
    notes = [f"{_title(one)}: {note}" for one in maps for note in one.notes]
    told = message("<br>".join(map(html.escape, notes)), "warn") if notes else ""
    unit = translated("part of the score") if maps[0].is_explanation else translated("share of attention")
    return f"{told}{heatmaps.table(seen.pixels, seen.times, rows, unit, signed, dim)}{faithfulness(maps)}"


def faithfulness(maps: list[Map]) -> str:
    """Return the table of deletion and insertion tests: the score as patches go or come, by map and at random."""
    rows = "".join(
        f'<tr><th scope="row">{html.escape(_title(one))}</th>{_figures(one.faithfulness)}</tr>'
        for one in maps
    )
    names = (
        translated("map"),
        translated("deletion, map"),
        translated("deletion, random"),
        translated("insertion, map"),
        translated("insertion, random"),
        translated("all random maps"),
        translated("verdict"),
    )
    told = translated(
        "Deletion: area under the score while the map's highest patches are taken away first, lower is better. "
        "Insertion: while they are put in first, higher is better."
    )
    return f"{table(translated('how faithful the maps are'), rows, names)}<p class='facts'>{told}</p>"


def words(changes: list[dict[str, Any]]) -> str:
    """Return bars of each word's effect: how the score changes when the word is left out."""
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
    told = translated("The score's change when one word is left out: below zero, the word helped the match.")
    return f"<p class='facts'>{told}</p><div class='bars'>{rows}</div>"


def _title(one: Map) -> str:
    if one.part == "clip":
        return "CLIP"
    return translated("branch") if one.part == "branch" else translated("CLIP and branch")


def _figures(found: Faithfulness) -> str:
    low, high = found["random_range"]
    areas = "".join(
        f"<td>{found[name]:.3f}</td><td>{found[f'random_{name}']:.3f}</td>"
        for name in ("deletion", "insertion")
    )
    verdict = translated("better than every random map") if found["better"] else translated(NO_BETTER)
    range_ = translated("{low} to {high}", low=f"{low:.3f}", high=f"{high:.3f}")
    return f"{areas}<td>{range_}</td><td>{verdict}</td>"
