"""Search results in, HTML out: cards with a strip of pictures, a moment curve to seek in, and buttons to go on.

The names and numbers shown here may be hostile, so all text is escaped and all numbers are formatted.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
    label = f"{len(results)} results, best first; arrow keys move between them, Enter plays"
    address = html.escape(request.address)
    grid = f'<div class="cards" role="list" aria-label="{label}" data-address="{address}">{inner}</div>'
    return chips(request) + grid + (_MORE if len(results) == request.top < MOST else "")


def chips(request: SearchRequest) -> str:
    """Return a button per filter that is set, which takes it away."""
    buttons = (
        f'<button type="button" class="chip" data-field="{name}" '
        f'aria-label="Remove the filter: {told}">{told} ✕</button>'
        for name, value in request.filters.items()
        if (told := html.escape(_FILTERS[name].format(value)))
    )
    return f'<div class="chips">{"".join(buttons)}</div>' if request.filters else ""


_FILTERS = {
    "folder": "in {}",
    "shortest": "{:g} s or longer",
    "longest": "{:g} s or shorter",
    "since": "changed since {}",
    "until": "changed until {}",
    "region": "in a part of the map",
}
_MORE = '<button type="button" class="more">More results</button>'


def _card(rank: int, result: dict[str, Any], scale: tuple[float, float], kept: str) -> str:
    """Return a card. kept: the buttons by which its moment is kept."""
    id, name = html.escape(result["id"]), html.escape(result["name"])
    start, end, length = result["start"], result["end"], _length(result)
    step = STEP if length > WHOLE else 0
    moment = f"{start:.1f}–{end:.1f}&nbsp;s"
    still = 100 * min(round((start + end) / 2 / length * PICTURES - 0.5), PICTURES - 1) / (PICTURES - 1)
    like = f'data-id="{id}" class="quiet"'
    return f"""
<article class="card" role="listitem" data-id="{id}" data-start="{start:.3f}" data-duration="{length:.3f}"
 data-end="{end:.3f}" data-step="{step:g}">
<div class="screen"><img class="strip" loading="lazy" src="media/{id}.webp" alt=""
 style="--still:{max(still, 0):.1f}%"></div>
{_curve(result, length, scale)}
<h3><span>{rank}.</span> <bdi>{name}</bdi></h3>
<p class="facts">score <b>{result["score"]:.3f}</b>{_beside_bank(result["percentile"])}</p>
<div class="actions">
<button type="button" class="play" aria-label="Play {name} from {start:.1f} seconds">▶ {moment}</button>
<button type="button" {like} aria-label="More like {name}">More like this</button>
<button type="button" {like} data-start="{start:.3f}" data-end="{end:.3f}"
 aria-label="More like this moment of {name}">… like this moment</button>
{kept}</div>
</article>"""


def _kept(name: str, judged: bool) -> str:
    """Return the buttons that choose a moment and, if it is `judged`, mark it. name: of the video, escaped."""
    choose = (
        f'<button type="button" class="choose" aria-pressed="false" aria-label="Choose this moment of {name}">'
        "Choose</button>\n"
    )
    return choose + (_verdicts(name) if judged else "")


def _verdicts(name: str) -> str:
    buttons = "".join(
        f'<button type="button" class="verdict" data-right="{right}" aria-pressed="false" '
        f'aria-label="{told} for this query: {name}" title="{told} for this query">{sign}</button>'
        for right, told, sign in (("true", "Right", "✓"), ("false", "Wrong", "✗"))
    )
    return f'<span class="verdicts">{buttons}</span>'


def _beside_bank(percentile: float | None) -> str:
    """Return how many unrelated sentences fit less; nothing for a model that reads no sentences."""
    return (
        "" if percentile is None else f", better than <b>{percentile:.0f}&nbsp;%</b>\n of unrelated queries"
    )


def _curve(result: dict[str, Any], length: float, scale: tuple[float, float]) -> str:
    """Return the curve of how well each moment fits. It is also a seek bar: a click on it plays from there."""
    start, end = 100 * result["start"] / length, 100 * result["end"] / length
    told = f"how well each moment fits: best from {result['start']:.1f} to {result['end']:.1f} of {length:.1f} seconds"
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
