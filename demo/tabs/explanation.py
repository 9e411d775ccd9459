"""An explained score of a video and a query in; out come maps, tests of the maps, and the effect of each word."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from demo.components import heatmaps
from demo.components.page import bar, message

if TYPE_CHECKING:
    from stan.explain import Explanation, Faithfulness, Map

PARTS = {"clip": "CLIP", "branch": "branch", "both": "CLIP and branch"}
DIFFERENCE = "branch − CLIP"
NO_BETTER = "no better than random: not to be trusted"


def methods(seen: Explanation) -> list[tuple[str, str]]:
    """Return (shown, name) of the methods that have maps, the default one first."""
    explains = {one.method: one.is_explanation for one in seen.maps.values()}
    return [(name if good else f"{name} (not an explanation)", name) for name, good in explains.items()]


def show(seen: Explanation, method: str) -> str:
    """Return the frames with one method's maps below on one scale, then the difference and the faithfulness table."""
    maps = [one for one in seen.maps.values() if one.method == method]
    rows = {_title(one): one.values for one in maps}
    dim = {_title(one) for one in maps if not one.faithfulness["better"]}
    by_part = {one.part: one for one in maps}
    signed = {}
    if {"clip", "branch"} <= by_part.keys():
        signed[DIFFERENCE] = by_part["branch"].values - by_part["clip"].values
        if dim & {PARTS["clip"], PARTS["branch"]}:
            dim.add(DIFFERENCE)
    notes = [f"{_title(one)}: {note}" for one in maps for note in one.notes]
    told = message("<br>".join(map(html.escape, notes)), "warn") if notes else ""
    unit = "part of the score" if maps[0].is_explanation else "share of attention"
    return f"{told}{heatmaps.table(seen.pixels, seen.times, rows, signed, dim, unit)}{faithfulness(maps)}"


def faithfulness(maps: list[Map]) -> str:
    """Return the table of deletion and insertion tests: the score as patches go or come, by map and at random."""
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
            "all random maps",
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
    told = "The score's change when one word is left out: below zero, the word helped the match."
    return f"<p class='facts'>{told}</p><div class='bars'>{rows}</div>"


def _title(one: Map) -> str:
    return PARTS[one.part]


def _figures(found: Faithfulness) -> str:
    low, high = found["random_range"]
    areas = "".join(
        f"<td>{found[name]:.3f}</td><td>{found[f'random_{name}']:.3f}</td>"
        for name in ("deletion", "insertion")
    )
    verdict = "better than every random map" if found["better"] else NO_BETTER
    return f"{areas}<td>{low:.3f} to {high:.3f}</td><td>{verdict}</td>"
