"""Moments of videos in; an edit decision list, which cutting programs open as a sequence of clips, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

RATE = 25
"""Frames per second of the time codes. A list has one rate, whatever those of its videos are."""
MOST = 999
"""Number of events that the three digits of a CMX 3600 list can count."""
LONGEST = 100 * 3600
"""Seconds from which on two digits do not count the hours."""


def edl(moments: Sequence[dict[str, Any]], title: str) -> str:
    """Return a CMX 3600 list that shows the moments one after another, each for one frame at least.

    moments: each with `name`, and `start` and `end` in seconds of its video. Raises ValueError for more than `MOST`,
    and for what the two digits of hours cannot count.
    """
    if len(moments) > MOST:
        raise ValueError(f"{len(moments)} moments: an edit decision list holds {MOST}, choose fewer")
    lines, begin = [f"TITLE: {_one_line(title)}", "FCM: NON-DROP FRAME"], 0
    for number, one in enumerate(moments, 1):
        if not 0 <= one["start"] <= one["end"] < LONGEST:
            raise ValueError(
                f"{one['name']} from {one['start']} to {one['end']} seconds: an edit decision list holds moments from 0"
                f" to below {LONGEST} seconds"
            )
        start = round(one["start"] * RATE)
        length = max(round(one["end"] * RATE) - start, 1)
        codes = " ".join(_time_code(frame) for frame in (start, start + length, begin, begin + length))
        lines += ["", f"{number:03}  AX       V     C        {codes}"]
        lines += [f"* FROM CLIP NAME: {_one_line(one['name'])}"]
        begin += length
    return "\r\n".join([*lines, ""])


def _time_code(frame: int) -> str:
    seconds, frame = divmod(frame, RATE)
    if seconds >= LONGEST:
        raise ValueError("the moments reach 100 hours: an edit decision list ends before, choose fewer")
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{frame:02}"


def _one_line(text: str) -> str:
    """Return the text without what would begin a line, because every line of the list is an instruction."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
