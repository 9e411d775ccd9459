"""Changes in, calls with made-up answers out, for tests of the demo's page that need no model."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from demo.service.calls import Calls, Cut, KeptCalls, LibraryState
from stan.library import Results
from stan.library.collections import Collection
from stan.library.kept import Moment
from stan.library.video_map import Map, Place

ID, OTHER = "0" * 16, "1" * 16
HOSTILE = "<img src=x onerror=alert(1)>'\"{{value}}${1}"
RESULT = {
    "video": "/srv/private/a.mp4",
    "folder": "/srv/private",
    "id": ID,
    "name": "a.mp4",
    "score": 0.5,
    "percentile": 90.0,
    "start": 1.0,
    "end": 2.0,
    "duration": 4.0,
    "curve": {"times": [0.5, 1.5, 3.0], "scores": [0.1, 0.5, 0.3]},
}


def results(*changes: dict[str, Any], query: str = "a cat", no_match: bool = False) -> Results:
    """Return one result per change of `RESULT`."""
    found = [{**RESULT, **change} for change in changes]
    return Results(query, found, no_match, {"encode": 1.0, "search": 0.5})


def attention(branch: bool = True, temporal: bool = True) -> SimpleNamespace:
    """Return random attention: 3 frames of 48 x 48 pixels, 2 CLIP blocks, 1 branch layer, 4 heads, 6 x 6 patches."""
    rng = np.random.default_rng(0)
    return SimpleNamespace(
        pixels=rng.integers(0, 255, (3, 48, 48, 3), dtype=np.uint8),
        times=np.array([0.1, 0.5, 0.9]),
        grid=(6, 6),
        clip=rng.random((2, 3, 4, 6, 6)),
        branch=rng.random((1, 3, 4, 6, 6)) if branch else None,
        temporal=rng.random((1, 4, 6, 6, 3, 3)) if temporal else None,
        pooling=None,
        note="attention, not an explanation",
    )


def one_map(method: str, part: str, better: bool = True, explains: bool = True) -> SimpleNamespace:
    figures = dict.fromkeys(("deletion", "insertion", "random_deletion", "random_insertion"), 0.25)
    return SimpleNamespace(
        method=method,
        part=part,
        values=np.random.default_rng(len(part)).random((3, 6, 6)),
        faithfulness={**figures, "random_range": (0.125, 0.375), "better": better},
        is_explanation=explains,
        notes=[] if better else ["Not better than random maps"],
    )


def explanation(**changes: Any) -> SimpleNamespace:
    """Return an explanation with Grad-ECLIP maps of CLIP and branch, and raw attention of CLIP."""
    maps = [
        one_map("grad-eclip", "clip"),
        one_map("grad-eclip", "branch"),
        one_map("attention", "clip", explains=False),
    ]
    seen = attention()
    return SimpleNamespace(
        **{
            "pixels": seen.pixels,
            "times": seen.times,
            "score": 0.31,
            "maps": {f"{one.method}-{one.part}": one for one in maps},
            "words": [{"word": "red", "change": -0.2}, {"word": HOSTILE, "change": 0.05}],
            **changes,
        }
    )


def recognised(**changes: Any) -> dict[str, Any]:
    return {
        "labels": [{"label": "one", "probability": 0.75}, {"label": HOSTILE, "probability": 0.25}],
        "none": {"probability": 0.12, "rejected": False},
        "alike": [["one", HOSTILE, 0.98]],
        "over_time": {"times": [0.1, 0.5, 1.0], "best": ["one", "one", HOSTILE]},
        "calibrated": True,
        "ms": {"encode": 2.0},
        **changes,
    }


def timed(**changes: Any) -> dict[str, Any]:
    measured = {
        "forwards": 0.4,
        "reversed": 0.1,
        "frozen": -0.1,
        "shuffled": {"mean": 0.2, "interval": [0.15, 0.3]},
        "change": 0.2,
        "p": 0.01,
        "blind": False,
        "sure": True,
        **changes,
    }
    return {"queries": [measured], "draws": 99, "ms": {"encode": 5.0}}


def refuse(*_: Any, **__: Any) -> Any:
    raise ValueError(f"no such thing {HOSTILE}")


def kept(**changes: Any) -> KeptCalls:
    """Return calls of a library for which nothing is marked or collected yet; `changes` replace single calls."""
    made_up = KeptCalls(
        moment=lambda library, id, start, end: Moment(id, "a.mp4", start, end),
        marks=lambda library, query: [],
        mark=lambda *_: None,
        recall=refuse,
        collections=lambda library: [],
        add=lambda library, name, moments: Collection(name, tuple(moments)),
        take_out=lambda *_: None,
        remove=lambda *_: None,
        cut=lambda *_: Cut(OTHER, []),
    )
    return replace(made_up, **changes)


def calls(**changes: Any) -> Calls:
    """Return calls of a library with one video, `a.mp4`; `changes` replace single calls."""
    made_up = Calls(
        libraries=["mine"],
        folders=[],
        labels={"few": ["one", "two"], "others": ["three"]},
        templates={"plain": ["{}"], "more": ["a video of {}", "{}"]},
        state=lambda library: LibraryState(1),
        videos=lambda library: [("a.mp4", ID)],
        places=lambda library: ["mine", "mine/below"],
        facts=lambda library, id: None,
        map=lambda library: Map([Place(ID, "a.mp4", 0.25, 0.75)], 0.5),
        search=lambda request: results({}, query=request.q),
        recognise=lambda *_: recognised(),
        explain=lambda *_: explanation(),
        attention=lambda *_: attention(),
        time=lambda *_: timed(),
        index=refuse,
        media=refuse,
        admit=lambda upload: OTHER,
        end=refuse,
        kept=kept(),
    )
    return replace(made_up, **changes)
