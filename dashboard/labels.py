"""Keys and names in, the words that pages show out. Names from run folders are escaped here."""

from __future__ import annotations

import re

METRICS = {
    "t2v.R@1": "text-to-video R@1",
    "t2v.R@5": "text-to-video R@5",
    "t2v.R@10": "text-to-video R@10",
    "v2t.R@1": "video-to-text R@1",
    "v2t.R@5": "video-to-text R@5",
    "v2t.R@10": "video-to-text R@10",
    "top-1": "top-1",
    "top-5": "top-5",
}
"""Metrics that are a share of queries, which makes paired comparison by query possible."""

BENCHMARKS = {
    "msrvtt_R@1": "MSR-VTT R@1",
    "didemo_R@1": "DiDeMo R@1",
    "k400_top1": "K400 top-1",
    "ssv2_top1": "SSv2 top-1",
}
COMPONENTS = {
    "cross_frame": "cross-frame",
    "intra_frame": "intra-frame",
    "branch": "branch",
    "multi_level": "multi-level",
}
FIRST_STUDY = "stan ablate components --suite motions --size quick --seeds 0"
"""The command that pages without a run suggest."""
NO_COMMAND = "No command was recorded: start it again as you did."

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:&@^=\"'/])")


def plain(name: object) -> str:
    """Return a name escaped so that Streamlit's markdown shows it literally: no links, pictures or mathematics."""
    return _PUNCTUATION.sub(r"\\\1", " ".join(str(name).split()))


def metric(key: str) -> str:
    return METRICS.get(key, key)


def paper_column(key: str) -> str:
    """Return the header of a column of printed numbers, which can't be mistaken for the user's own."""
    return f"paper: {BENCHMARKS[key]}"


def duration(seconds: float) -> str:
    """Return seconds in words: 1234 -> 20 min 34 s. From two days on, only whole days are shown."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
