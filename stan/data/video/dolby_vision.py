"""An MP4 file and its film in; what kind of Dolby Vision the film is out.

The configuration record (Dolby Vision Streams within the ISO Base Media File Format, 3.2) names a profile, and what the
base layer is for those who don't know Dolby Vision: nothing, HDR10, SDR or HLG.
"""

from __future__ import annotations

from dataclasses import dataclass

from stan.data.video import mp4_boxes
from stan.data.video.container import Film

_NAMES = (b"dvcC", b"dvvC", b"dvwC")


@dataclass(frozen=True)
class DolbyVision:
    profile: int
    shown_by_others: bool
    """Whether the base layer alone has right colours."""


def of(path: str, film: Film) -> DolbyVision | None:
    """Return what a film's configuration record says; None without one, or in other containers than MP4."""
    if not film.container.format.name.startswith("mov"):
        return None
    headers = mp4_boxes.headers(path)
    for name in _NAMES:
        if name in headers:
            for record in mp4_boxes.in_sample_entries(headers, film.stream.id, name):
                if len(record) > 4:
                    return DolbyVision(record[2] >> 1, record[4] >> 4 != 0)
    return None
