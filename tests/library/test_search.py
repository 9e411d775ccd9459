"""A search finds what a naive computation finds, at any gain, in any window, within its filters."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stan.library import bank
from stan.library.codes import Codes
from stan.library.filters import Filters
from stan.library.query import LARGEST_GAIN
from stan.library.scoring import at_gain, moment, read_matrix
from stan.library.search import Options, Search
from stan.library.store import Store
from tests.stress.killed_indexing import MAKER

WIDTH = 32
WINDOWS = {"short.mp4": 1, "long.mp4": 4, "another.mp4": 2, "last.mp4": 1}


def row(number: int, name: str, windows: int) -> dict:
    rng = np.random.default_rng(number)
    clip, video, frame_clip, frame_video = (
        rng.normal(size=(n, WIDTH)).astype(np.float32) for n in (windows, windows, 2 * windows, 2 * windows)
    )
    return {
        "id": f"{number:016x}",
        "path": f"/videos/{'old/' if number % 2 else ''}{name}",
        "folder": "/videos",
        "name": name,
        "hash": name,
        "size": 1,
        "mtime_ns": int((datetime(2024, 1, 1, 12) + timedelta(days=number)).timestamp() * 1e9),
        "duration": 2.0 * windows,
        "clip": list(clip),
        "video": list(video),
        "times": np.arange(2 * windows, dtype=np.float32) + 0.5,
        "frame_clip": frame_clip.astype(np.float16).ravel(),
        "frame_video": frame_video.astype(np.float16).ravel(),
    }


ROWS = [row(number, name, windows) for number, (name, windows) in enumerate(WINDOWS.items())]


@pytest.fixture
def store():
    made = Store("memory://library")
    made.create(WIDTH, MAKER)
    made.write(ROWS, replace=False)
    return made


@pytest.fixture
def unrelated():
    return F.normalize(torch.randn(50, WIDTH, generator=torch.Generator().manual_seed(1)), dim=-1)


@pytest.fixture
def wanted():
    return F.normalize(torch.arange(1.0, WIDTH + 1), dim=0)


def naive(one: dict, wanted: torch.Tensor, gain: float) -> float:
    """The best window's cosine, by the definition."""
    best = -2.0
    for clip, video in zip(one["clip"], one["video"], strict=True):
        mixed = clip.astype(np.float64) + gain * (video.astype(np.float64) - clip)
        best = max(best, float(mixed @ wanted.double().numpy() / np.linalg.norm(mixed)))
    return best


@pytest.mark.parametrize("gain", [0, 0.3, 1, 2.5, LARGEST_GAIN])
def test_scores_at_any_gain_are_the_naive_ones(store, unrelated, wanted, gain):
    found, _ = Search(store, unrelated)(wanted, Options(gain=gain))
    assert {one["name"]: one["score"] for one in found} == pytest.approx(
        {one["name"]: naive(one, wanted, gain) for one in ROWS}, abs=1e-6
    )
    scores = [one["score"] for one in found]
    assert scores == sorted(scores, reverse=True)
    for one in found:
        own = next(r for r in ROWS if r["id"] == one["id"])
        beaten = sum(naive(own, sentence, gain) < one["score"] for sentence in unrelated)
        assert one["percentile"] == pytest.approx(100 * beaten / len(unrelated), abs=0.01)
        frames = [own[part].astype(np.float32).reshape(-1, WIDTH) for part in ("frame_clip", "frame_video")]
        curve = at_gain(*map(torch.tensor, frames), gain) @ wanted
        assert one["curve"]["scores"] == pytest.approx(curve.tolist(), abs=1e-6)
        assert one["curve"]["times"] == own["times"].tolist()
        assert (one["start"], one["end"]) == moment(curve.numpy(), own["times"], own["duration"])


@pytest.mark.parametrize("gain", [0, 0.3, 1, 2.5])
@pytest.mark.parametrize("where", [Filters(), Filters(folder="old")])
def test_codes_of_a_large_library_find_what_its_vectors_do(large, wanted, gain, where, monkeypatch):
    store, _ = large
    query = F.normalize(wanted - 0.5 * wanted.flip(0), dim=-1)  # a term and a negative one
    options = [Options(top, gain, where) for top in (1, 10, 30)]
    exact = [Search(store, None)(query, one)[0] for one in options]
    monkeypatch.setattr("stan.library.scoring.CODED_FROM", 1)
    matrix = read_matrix(store)
    assert isinstance(matrix.video, Codes) and isinstance(matrix.clip, Codes)
    for one, expected in zip(options, exact, strict=True):
        found = Search(store, None)(query, one)[0]
        assert [result["name"] for result in found] == [result["name"] for result in expected]
        assert [result["score"] for result in found] == pytest.approx(
            [x["score"] for x in expected], abs=2e-5
        )
    full = matrix.scores(query[None], gain)[0]
    best, scores = matrix.best(query, gain, torch.arange(len(full)), len(full))
    assert scores == pytest.approx(full[best].tolist(), abs=2e-5)


@pytest.fixture(scope="module")
def large():
    """A store that is large enough for an index, and its rows."""
    made = Store("memory://large")
    made.create(WIDTH, MAKER)
    rows = [row(number, f"{number}.mp4", 1 + number % 3) for number in range(600)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stan.library.store.EXACT_UP_TO", sum(len(one["video"]) for one in rows[:500]))
        made.write(rows[:500], replace=False)
        made.index()
        assert not made._table().list_indices(), "so many are still searched exactly"
        made.write(rows[500:], replace=False)
        made.index()
        assert len(made._table().list_indices()) == 2
    return made, rows


@pytest.mark.parametrize("gain", [0, 0.5, 1])
def test_a_large_library_is_searched_by_its_index(large, unrelated, wanted, gain, monkeypatch):
    store, rows = large
    exact, _ = Search(store, unrelated)(wanted, Options(gain=gain))
    monkeypatch.setattr("stan.library.search.EXACT_UP_TO", 1000)
    monkeypatch.setattr("stan.library.search.CANDIDATES", 100)
    scored = []
    monkeypatch.setattr(
        "stan.library.search.read_matrix", lambda *read: scored.append(read_matrix(*read)) or scored[-1]
    )
    found, _ = Search(store, unrelated)(wanted, Options(gain=gain))
    assert found == exact
    assert 100 <= len(scored[0].entries) <= 200 and all(len(one.entries) < len(rows) for one in scored)


def test_what_the_index_does_not_know_yet_is_found(large, unrelated, wanted, monkeypatch):
    store, _ = large
    monkeypatch.setattr("stan.library.search.EXACT_UP_TO", 1000)
    new = {**row(600, "new.mp4", 1), "video": [wanted.numpy()]}
    store.write([new], replace=False)
    (best,), no_match = Search(store, unrelated)(wanted, Options(top=1))
    store.drop([new["id"]])
    assert (best["name"], best["score"], no_match) == ("new.mp4", pytest.approx(1), False)


def test_a_change_is_found(store, unrelated, wanted):
    search = Search(store, unrelated)
    assert len(search(wanted, Options())[0]) == 4
    store.drop([ROWS[1]["id"]])
    assert "long.mp4" not in {one["name"] for one in search(wanted, Options())[0]}
    store.write([{**ROWS[0], "video": [wanted.numpy()]}], replace=True)
    best = search(wanted, Options())[0][0]
    assert (best["name"], best["score"]) == ("short.mp4", pytest.approx(1))


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (Filters(), {"short.mp4", "long.mp4", "another.mp4", "last.mp4"}),
        (Filters(folder=""), {"short.mp4", "long.mp4", "another.mp4", "last.mp4"}),
        (Filters(folder="", shortest=4), {"long.mp4", "another.mp4"}),
        (Filters(folder="/videos/old"), {"long.mp4", "last.mp4"}),
        (Filters(folder="old/"), {"long.mp4", "last.mp4"}),
        (Filters(folder="/videos/ol"), set()),
        (Filters(folder="/videos/it's"), set()),
        (Filters(shortest=4), {"long.mp4", "another.mp4"}),
        (Filters(ids=[]), set()),
        (Filters(longest=4), {"short.mp4", "another.mp4", "last.mp4"}),
        (Filters(since=date(2024, 1, 3)), {"another.mp4", "last.mp4"}),
        (
            Filters(since=date(1970, 1, 1), until=date(2261, 12, 31)),
            {"short.mp4", "long.mp4", "another.mp4", "last.mp4"},
        ),
        (Filters(until=date(2024, 1, 3)), {"short.mp4", "long.mp4", "another.mp4"}),
        (Filters(folder="old", shortest=4, since=date(2024, 1, 2), until=date(2024, 1, 2)), {"long.mp4"}),
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_filters(store, unrelated, wanted, where, names, exact, monkeypatch):
    if not exact:
        monkeypatch.setattr("stan.library.search.EXACT_UP_TO", 0)
    found, no_match = Search(store, unrelated)(wanted, Options(where=where))
    assert {one["name"] for one in found} == names
    assert no_match or names


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"folder": 3}, "folder is 3; it must be text"),
        ({"folder": "\ud800"}, "folder is .*; it must be text"),
        (
            {"shortest": "1000 OR duration > 0"},
            "shortest is '1000 OR duration > 0'; it must be a finite number",
        ),
        ({"shortest": math.nan}, "shortest is nan"),
        ({"longest": math.inf}, "longest is inf"),
        ({"since": "2024-01-31"}, "since is 2024-01-31; it must be a day of the years 1970 to 2261"),
        ({"since": date(1600, 1, 1)}, "since is 1600-01-01"),
        ({"since": date.min}, "since is 0001-01-01"),
        ({"until": date(2262, 12, 31)}, "until is 2262-12-31"),
        ({"until": date.max}, "until is 9999-12-31"),
        ({"ids": ["x"]}, r"ids are \['x'\]; they must be a list of videos' ids"),
        ({"ids": "0123456789abcdef"}, "ids are '0123"),
    ],
)
def test_filters_of_another_kind_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        Filters(**given)


def test_a_left_out_video_makes_room_for_the_next(store, unrelated, wanted):
    search = Search(store, unrelated)
    first, second = search(wanted, Options(top=2))[0]
    (found,) = search(wanted, Options(top=1, left_out=first["id"]))[0]
    assert found == second


def test_what_stands_out_no_more_than_unrelated_sentences_is_no_match(store, unrelated):
    search = Search(store, unrelated)
    own = F.normalize(torch.tensor(ROWS[3]["video"][0]), dim=0)
    assert [search(own, Options())[1], *(search(one, Options())[1] for one in unrelated[:10])] == [
        False,
        *[True] * 10,
    ]


def test_chance_is_what_the_best_videos_of_the_bank_reach(monkeypatch):
    monkeypatch.setattr(bank, "UNRELATED", 1.0)
    scores = torch.tensor([[0.1, 0.5], [0.3, 0.1], [0.2, 0.0]])
    by_hand = [(0.5 - 0.2) / 0.2646, (0.3 - 0.2) / 0.1, (0.2 - 0.2) / 0.1]
    assert bank.chance(scores) == pytest.approx(max(by_hand), abs=1e-3)


def test_a_hub_counts_less_when_hubs_are_corrected():
    store, axes = Store("memory://hubs"), torch.eye(WIDTH)[:6]
    store.create(WIDTH, MAKER)
    hub, narrow = F.normalize(axes.sum(0), dim=0), F.normalize(axes[0] + 0.6 * axes[1], dim=0)
    for i, vector in enumerate([hub, narrow]):
        store.write([{**ROWS[i], "clip": [vector.numpy()], "video": [vector.numpy()]}], replace=False)
    search = Search(store, F.normalize(hub + 0.3 * axes[2:], dim=-1))
    wanted = F.normalize(torch.tensor([0.6, 0.2, 0.45, 0.45, 0.45, 0.45]) @ axes, dim=0)
    plain, corrected = (
        [one["name"] for one in search(wanted, Options(correct_hubs=correct))[0]] for correct in (False, True)
    )
    assert (plain, corrected) == (["short.mp4", "long.mp4"], ["long.mp4", "short.mp4"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"top": 0}, "at least one"),
        *(({"top": top}, "^top is .* a whole number") for top in (1.5, "3", True, None, float("nan"))),
        *(
            ({"gain": gain}, "^gain is .* a finite number")
            for gain in ("1", None, float("nan"), float("inf"))
        ),
        *(({"gain": gain}, f"branch gain is {gain}: .* up to 100") for gain in (-1, 100.5)),
    ],
)
def test_what_cannot_be_asked_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        replace(Options(), **change)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([0.0, 1.0, 0.9, 0.0], (1.0, 3.0)),
        ([0.0, 1.0, 0.55, 0.0], (1.0, 2.0)),
        ([1.0, 0.0, 0.0, 1.0], (0.0, 1.0)),
        ([0.0, 0.0, 0.1, 1.0], (3.0, 4.0)),
        ([0.5, 0.5, 0.5, 0.5], (0.0, 4.0)),
    ],
)
def test_moment_is_the_stretch_around_the_peak(curve, expected):
    assert moment(np.array(curve), np.array([0.5, 1.5, 2.5, 3.5]), 4.0) == expected


def test_moment_of_one_frame_is_the_whole_video():
    assert moment(np.array([0.3]), np.array([1.0]), 2.0) == (0.0, 2.0)
