"""Moments in; HTML of a list of them, each with a picture and a button that takes it out, out."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from demo.languages import counted, translated
from stan.library.kept import Moment

SCRIPT = Path(__file__).with_name("moments.js")


def moments_list(moments: Sequence[Moment], known: set[str]) -> str:
    """Return the list. known: ids of the library's videos; a moment of another one says that its video is gone."""
    rows = "".join(_row(moment, moment.id in known) for moment in moments)
    told = counted(len(moments), "{count} moment", "{count} moments")
    return f'<ol class="moments" aria-label="{told}">{rows}</ol>'


def key(moment: Moment) -> str:
    """Return a text that tells the moment from others of a list."""
    return f"{moment.id} {moment.start!r} {moment.end!r}"


def _row(moment: Moment, is_known: bool) -> str:
    name, id = html.escape(moment.name), html.escape(moment.id)
    picture = f'<img loading="lazy" src="media/{id}.webp" alt="">' if is_known else "<span></span>"
    gone = "" if is_known else f" ({translated('the library no longer has this video')})"
    take_out = translated("Take out {name}", name=name)
    return (
        f'<li><div class="picture">{picture}</div><div class="what"><bdi>{name}</bdi><br>'
        f"{moment.start:.1f}–{moment.end:.1f}&nbsp;s{gone}</div>"
        f'<button type="button" data-key="{html.escape(key(moment))}" aria-label="{take_out}">'
        f"{translated('Take out')}</button>"
        "</li>"
    )
