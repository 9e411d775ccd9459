"""Search results in, HTML out: cards with a strip of pictures, a moment curve to seek in, and buttons to go on.

The names and numbers shown here may be hostile, so all text is escaped and all numbers are formatted.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from demo.languages import counted, translated
from demo.service.search_request import MOST, SearchRequest
from stan.library.proxies import PICTURES, STEP, WHOLE

SCRIPT = Path(__file__).with_name("cards.js")
"""JavaScript that moves between the cards and plays them."""
HEIGHT = 24
"""Height of the curve in the units of its SVG, in which it is 100 wide."""


def cards(results: Sequence[dict[str, Any]], request: SearchRequest, keeping: bool = True) -> str:
    """Return one card per result, best first. Their curves share one scale, so a higher curve means a better fit.

    keeping: moments can be chosen and, if the search was by words, marked as right or wrong. If there may be more
    results, a button asks for them.
    """
    scores = [score for result in results for score in result["curve"]["scores"]]
    scale = (min(scores, default=0.0), max(scores, default=0.0))
    inner = "".join(
        _card(rank, result, scale, _kept(html.escape(result["name"]), bool(request.q)) if keeping else "")
        for rank, result in enumerate(results, 1)
    )
    label = counted(
        len(results),
        "{count} result, best first; arrow keys move between them, Enter plays",
        "{count} results, best first; arrow keys move between them, Enter plays",
    )
    grid = (
        f'<div class="cards" role="list" aria-label="{label}" data-address="{html.escape(request.address)}" '
        f'data-broken="{translated("This browser cannot show it.")}">{inner}</div>'
    )
    more = f'<button type="button" class="more">{translated("More results")}</button>'
    return chips(request) + grid + (more if len(results) == request.top < MOST else "")


def chips(request: SearchRequest) -> str:
    """Return a button per filter that is set, which takes it away."""
    buttons = "".join(
        _chip(name, html.escape(_filter(name, value))) for name, value in request.filters.items()
    )
    return f'<div class="chips">{buttons}</div>' if request.filters else ""


def _chip(name: str, told: str) -> str:
    remove = translated("Remove the filter: {filter}", filter=told)
    return f'<button type="button" class="chip" data-field="{name}" aria-label="{remove}">{told} ✕</button>'


def _filter(name: str, value: Any) -> str:
    """Return what the filter `name` lets through, as text that is not escaped."""
    match name:
        case "folder":
            return translated("in {folder}", folder=value)
        case "shortest":
            return translated("{seconds} s or longer", seconds=f"{value:g}")
        case "longest":
            return translated("{seconds} s or shorter", seconds=f"{value:g}")
        case "since":
            return translated("changed since {day}", day=value)
        case "until":
            return translated("changed until {day}", day=value)
    assert name == "region", name
    return translated("in a part of the map")


def _card(rank: int, result: dict[str, Any], scale: tuple[float, float], kept: str) -> str:
    """Return a card. kept: the buttons by which its moment is kept."""
    id, name = html.escape(result["id"]), html.escape(result["name"])
    start, end, length = result["start"], result["end"], _length(result)
    step = STEP if length > WHOLE else 0
    moment = f"{start:.1f}–{end:.1f}&nbsp;s"
    still = 100 * min(round((start + end) / 2 / length * PICTURES - 0.5), PICTURES - 1) / (PICTURES - 1)
    like = f'<button type="button" data-id="{id}" class="quiet"'
    play = translated("Play {name} from {start} seconds", name=name, start=f"{start:.1f}")
    return f"""
<article class="card" role="listitem" data-id="{id}" data-start="{start:.3f}" data-duration="{length:.3f}"
 data-end="{end:.3f}" data-step="{step:g}">
<div class="screen"><img class="strip" loading="lazy" src="media/{id}.webp" alt=""
 style="--still:{max(still, 0):.1f}%"></div>
{_curve(result, length, scale)}
<h3><span>{rank}.</span> <bdi>{name}</bdi></h3>
<p class="facts">{_fit(result)}</p>
<div class="actions">
<button type="button" class="play" aria-label="{play}">▶ {moment}</button>
{like} aria-label="{translated("More like {name}", name=name)}">{translated("More like this")}</button>
{like} data-start="{start:.3f}" data-end="{end:.3f}"
 aria-label="{translated("More like this moment of {name}", name=name)}">{translated("… like this moment")}</button>
{kept}</div>
</article>"""


def _kept(name: str, judged: bool) -> str:
    """Return the buttons that choose a moment and, if it is `judged`, mark it. name: of the video, escaped."""
    label = translated("Choose this moment of {name}", name=name)
    choose = (
        f'<button type="button" class="choose" aria-pressed="false" aria-label="{label}">'
        f"{translated('Choose')}</button>\n"
    )
    return choose + (_verdicts(name) if judged else "")


def _verdicts(name: str) -> str:
    buttons = "".join(
        f'<button type="button" class="verdict" data-right="{right}" aria-pressed="false" '
        f'aria-label="{told}: {name}" title="{told}">{sign}</button>'
        for right, told, sign in (
            ("true", translated("Right for this query"), "✓"),
            ("false", translated("Wrong for this query"), "✗"),
        )
    )
    return f'<span class="verdicts">{buttons}</span>'


def _fit(result: dict[str, Any]) -> str:
    """Return the score and, of a model that reads sentences, how many unrelated ones fit less."""
    score = translated("score {score}", score=f"<b>{result['score']:.3f}</b>")
    if result["percentile"] is None:
        return score
    share = f"<b>{result['percentile']:.0f}&nbsp;%</b>"
    return f"{score}, {translated('better than {share} of unrelated queries', share=share)}"


def _curve(result: dict[str, Any], length: float, scale: tuple[float, float]) -> str:
    """Return the curve of how well each moment fits. It is also a seek bar: a click on it plays from there."""
    start, end = 100 * result["start"] / length, 100 * result["end"] / length
    told = translated(
        "how well each moment fits: best from {start} to {end} of {length} seconds",
        start=f"{result['start']:.1f}",
        end=f"{result['end']:.1f}",
        length=f"{length:.1f}",
    )
    area = _path(result["curve"], length, scale)
    return (
        f'<svg class="curve" viewBox="0 0 100 {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{told}">'
        f'<rect class="best" x="{start:.2f}" y="0" width="{max(end - start, 0.5):.2f}" height="{HEIGHT}"/>'
        f'<path d="{area}"/><line class="now" x1="0" x2="0" y1="0" y2="{HEIGHT}"/></svg>'
    )


def _path(curve: dict[str, Any], length: float, scale: tuple[float, float]) -> str:
    """Return the SVG path of the area below the curve; even the lowest score of all results shows as a thin line."""
    low, high = scale
    points = [
        (
            100 * min(max(time / length, 0), 1),
            0.08 + 0.92 * ((score - low) / (high - low) if high > low else 0),
        )
        for time, score in zip(curve["times"], curve["scores"], strict=True)
    ] or [(0.0, 0.08)]
    ends = [(0.0, points[0][1]), *points, (100.0, points[-1][1])]
    line = " ".join(f"L{x:.2f} {HEIGHT * (1 - y):.2f}" for x, y in ends)
    return f"M0 {HEIGHT} {line} L100 {HEIGHT} Z"


def _length(result: dict[str, Any]) -> float:
    return max(result["duration"], result["end"], 1e-3)
