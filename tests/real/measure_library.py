"""A rendered world and a library of its test videos in; the shares of right videos, moments and no-match answers out.

stan world retrieval --out worlds; stan world paragraph --out worlds
stan index worlds/retrieval-quick/videos/test --library libraries/retrieval
stan index worlds/paragraph-quick/videos/test --library libraries/paragraph --window 2
python -m tests.real.measure_library worlds/retrieval-quick libraries/retrieval
python -m tests.real.measure_library worlds/paragraph-quick libraries/paragraph
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from stan.library import Library
from stan.library.scoring import at_gain, moment
from stan.library.search import frame_parts
from stan.library.store import Store

NEAR = 1.0
"""Largest distance, in seconds, of a moment that counts as right."""
ABSURD = (
    *("the minutes of the last board meeting", "a mortgage calculator", "how to renew a passport"),
    *("the history of the Roman empire", "an invoice for plumbing work", "a letter to the landlord"),
    *("symptoms of the common cold", "the rules of chess", "a job interview by telephone"),
    *("the weather forecast for Tuesday", "a proof of Fermat's theorem", "an opera in three acts"),
    *("a lawyer speaks in court", "a nurse takes blood pressure", "two children build a sandcastle"),
    *("a train arrives at the station", "someone waters the plants", "a bird builds its nest"),
    *("an old man repairs a bicycle", "fishermen pull in their nets", "a crowd cheers at a concert"),
    *("a woman drinks coffee at a window", "snow falls on a village", "a baby laughs in its cradle"),
    *("students write an exam", "a waiter serves dinner", "a tractor ploughs a field"),
    *("the parliament votes on a law", "a dentist drills a tooth", "qwertz uiop"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("world", type=Path)
    parser.add_argument("library", type=Path)
    given = parser.parse_args()
    lines = (given.world / "clips.jsonl").read_text().splitlines()
    clips = [clip for clip in map(json.loads, lines) if clip["split"] == "test"]
    library = Library(given.library)
    print(json.dumps({**_captions(library, clips), **_moments(library, clips), **_absurd(library)}, indent=1))


def _captions(library: Library, clips: list[dict[str, Any]]) -> dict[str, float]:
    """Return the percentages of captions whose own video is found first, and of captions called no match."""
    measured = {}
    for gain in (0.0, 1.0):
        found = [library.search(_caption(clip), top=1, gain=gain) for clip in clips]
        right = [Path(one[0]["name"]).stem == clip["id"] for one, clip in zip(found, clips, strict=True)]
        measured[f"top-1, gain {gain:g}"] = _percent(right)
        measured[f"called no match, gain {gain:g}"] = _percent([one.no_match for one in found])
    corrected = [library.search(_caption(clip), top=1, correct_hubs=True)[0]["name"] for clip in clips]
    measured["top-1, hubs corrected"] = _percent(
        [Path(name).stem == clip["id"] for name, clip in zip(corrected, clips, strict=True)]
    )
    return {"captions": len(clips), **measured}


def _caption(clip: dict[str, Any]) -> str:
    return " ".join(event["sentence"] for event in clip["events"])


def _moments(library: Library, clips: list[dict[str, Any]]) -> dict[str, float]:
    """Return the percentages of events whose best moment lies near the true one, in videos of several events."""
    clips = {clip["id"]: clip for clip in clips if len(clip["events"]) > 1}
    ids = {entry.id: clips.get(Path(entry.name).stem) for entry in library.entries()}
    start, both, middle = [], [], []
    for row in Store(library.path).rows([id for id, clip in ids.items() if clip]):
        frames, times = at_gain(*frame_parts(row), 1.0), np.array(row["times"])
        events = ids[row["id"]]["events"]
        texts = F.normalize(library.model.encode_text([event["sentence"] for event in events]).text, dim=-1)
        for event, curve in zip(events, (texts @ frames.T).numpy(), strict=True):
            found = np.array(moment(curve, times, row["duration"]))
            true = np.array([event["start"], event["end"]])
            off = np.abs(found - true)
            start.append(off[0] <= NEAR)
            both.append(off.max() <= NEAR)
            middle.append(abs(found.mean() - true.mean()) <= NEAR)
    if not start:
        return {}
    shares = {"start": start, "start and end": both, "middle": middle}
    return {"events": len(start)} | {f"{name} within {NEAR:g} s": _percent(x) for name, x in shares.items()}


def _absurd(library: Library) -> dict[str, float]:
    """Return the percentage of absurd queries that pass for a match."""
    passed = [not library.search(query, top=1).no_match for query in ABSURD]
    return {"absurd queries": len(ABSURD), "absurd but passed": _percent(passed)}


def _percent(values: list[bool]) -> float:
    return round(100 * float(np.mean(values)), 2)


if __name__ == "__main__":
    with torch.inference_mode():
        main()
