"""Calls to a page in, made-up answers out: what the demo's tests run it over when no model is needed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from demo.calls import Calls
from stan.library import Results

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
    """One result per change of `RESULT`."""
    found = Results(query, [{**RESULT, **change} for change in changes], {"encode": 1.0, "search": 0.5})
    found.no_match = no_match
    return found


def attention(branch: bool = True, temporal: bool = True) -> SimpleNamespace:
    rng = np.random.default_rng(0)
    return SimpleNamespace(
        pixels=rng.integers(0, 255, (3, 48, 48, 3), dtype=np.uint8),
        times=np.array([0.1, 0.5, 0.9]),
        clip=rng.random((2, 3, 4, 6, 6)),
        branch=rng.random((1, 3, 4, 6, 6)) if branch else None,
        temporal=rng.random((1, 4, 6, 6, 3, 3)) if temporal else None,
        note="attention, not an explanation",
    )


def refuse(*_: Any, **__: Any) -> Any:
    raise ValueError(f"no such thing {HOSTILE}")


def calls(**changes: Any) -> Calls:
    """All of them over one video `a.mp4`; those given in their places."""
    made_up = Calls(
        libraries=["mine"],
        folders=[],
        labels={"few": ["one", "two"], "others": ["three"]},
        templates={"plain": ["{}"], "more": ["a video of {}", "{}"]},
        videos=lambda library: [("a.mp4", ID)],
        places=lambda library: ["/srv/private"],
        search=lambda wish: results({}, query=wish.q),
        recognise=refuse,
        explain=refuse,
        attention=lambda library, id, frames: attention(),
        time=refuse,
        index=refuse,
        media=refuse,
        admit=lambda upload: OTHER,
    )
    return replace(made_up, **changes)
