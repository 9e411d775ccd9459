"""The map of a library in; HTML of its points, in which a rectangle can be drawn, out."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from demo.languages import counted, translated

if TYPE_CHECKING:
    from stan.library.video_map import Map

SCRIPT = Path(__file__).with_name("video_map.js")
DRAWN = 3000
"""Most points drawn, evenly chosen: a browser slows down with more."""


def video_map(found: Map) -> str:
    """Return the map with a line that says what it shows. The pointer over a point shows the video's name."""
    step = -(-len(found.places) // DRAWN) or 1
    points = "".join(
        f'<circle cx="{100 * one.x:.2f}" cy="{100 * (1 - one.y):.2f}" r="0.9">'
        f"<title>{html.escape(one.name)}</title></circle>"
        for one in found.places[::step]
    )
    told = translated(
        "Videos that the model sees alike lie close to each other: {share} of what tells them apart shows in two "
        "dimensions. Draw a rectangle to search in it alone.",
        share=f"{100 * found.share:.0f}&nbsp;%",
    )
    some = f" {translated('One point in {step} is drawn.', step=step)}" if step > 1 else ""
    label = counted(len(found.places), "{count} video", "{count} videos")
    return (
        f'<svg class="map" viewBox="0 0 100 100" role="img" aria-label="{label}">'
        f'<rect class="ground" width="100" height="100"/><rect class="brush" width="100" height="100"/>{points}</svg>'
        f"<p class='facts'>{told}{some}</p>"
    )
