"""Moments are the windows that a naive search over all windows finds, and none overlaps another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stan.library.embedding import windows
from stan.library.moments import apart, span
from stan.library.search import Options, Search
from stan.library.store import Store
from tests.library.test_search import WIDTH, row
from tests.stress.killed_indexing import MAKER

FRAMES, SECONDS = 4, 4.0
"""Of a window: one frame a second, so that windows begin every two seconds."""
DURATIONS = {"short.mp4": 4.0, "long.mp4": 15.0, "another.mp4": 9.0}


def film(number: int, name: str, duration: float) -> dict:
    count, starts = windows(duration, FRAMES, SECONDS)
    frames = np.zeros((count, WIDTH), np.float16).ravel()
    times = np.arange(count, dtype=np.float32) + 0.5
    of_film = {"duration": duration, "times": times, "frame_clip": frames, "frame_video": frames}
    return row(number, name, len(starts)) | of_film


ROWS = [film(number, name, duration) for number, (name, duration) in enumerate(DURATIONS.items())]


@pytest.fixture
def search():
    store = Store("memory://moments")
    store.create(WIDTH, MAKER)
    store.write(ROWS, replace=False)
    return Search(store, None)


def naive(wanted: torch.Tensor, top: int) -> list[tuple[str, float, float]]:
    """(name, start, end) by a loop over every window of every video."""
    every = [
        (float(F.cosine_similarity(torch.tensor(vector), wanted, dim=0)), one["name"], begin)
        for one in ROWS
        for vector, begin in zip(one["video"], windows(one["duration"], FRAMES, SECONDS)[1], strict=True)
    ]
    chosen: list[tuple[str, float, float]] = []
    for _, name, begin in sorted(every, reverse=True):
        end = DURATIONS[name] if begin + FRAMES >= DURATIONS[name] else float(begin + FRAMES)
        if not any(name == other and begin < until and since < end for other, since, until in chosen):
            chosen.append((name, float(begin), end))
    return chosen[:top]


@pytest.mark.parametrize("top", [1, 3, 50])
@pytest.mark.parametrize("seed", range(5))
def test_moments_are_those_of_a_naive_search(search, seed, top):
    wanted = F.normalize(torch.randn(WIDTH, generator=torch.Generator().manual_seed(seed)), dim=0)
    found = search.moments(wanted, Options(top), FRAMES, SECONDS)
    assert [(one["name"], one["start"], one["end"]) for one in found] == naive(wanted, top)
    assert [one["score"] for one in found] == sorted((one["score"] for one in found), reverse=True)


def test_an_empty_library_has_no_moments():
    assert Search(Store("memory://no-moments"), None).moments(torch.ones(WIDTH), Options(), 4, 4.0) == []


def test_a_picture_is_a_moment_without_length():
    assert span(0, np.zeros(1, np.float32), 0.0, FRAMES, SECONDS) == (0.0, 0.0)


def test_neighbours_that_only_touch_are_both_kept():
    spans = [("a", 2.0, 4.0), ("a", 3.0, 5.0), ("b", 3.0, 5.0), ("a", 4.0, 6.0)]
    assert apart(spans, 10) == [0, 2, 3]
    assert apart(spans, 2) == [0, 2]
