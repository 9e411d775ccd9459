"""Benches count what they say, and the engines of search find the same; how fast is not tested."""

from __future__ import annotations

import os

import numpy as np
import pytest

from stan import bench
from stan.bench import dashboard as paging
from stan.bench import search as searching

SIZE, WIDTH = 500, 16


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return searching.unit_vectors(SIZE, WIDTH, seed=0)


@pytest.fixture(scope="module")
def queries() -> np.ndarray:
    return searching.unit_vectors(7, WIDTH, seed=1)


def naive(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    return np.argsort(-(queries.astype(float) @ vectors.T.astype(float)), axis=1)[:, : searching.TOP]


def test_vectors_have_length_one_and_come_from_their_seed(vectors):
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert (vectors == searching.unit_vectors(SIZE, WIDTH, seed=0)).all()
    assert (vectors != searching.unit_vectors(SIZE, WIDTH, seed=2)).all()


def test_exact_engines_find_the_true_nearest_in_order(vectors, queries, tmp_path):
    expected = naive(vectors, queries)
    assert (searching.numpy_fp32(vectors)(queries) == expected).all()
    assert (searching.lancedb_flat(vectors, tmp_path)(queries) == expected).all()


def test_half_precision_finds_the_same_nearest_for_one_query_and_for_several(vectors, queries):
    engine = searching.torch_fp16(vectors)
    together, alone = engine(queries), np.concatenate([engine(query[None]) for query in queries])
    for found in (together, alone):
        assert searching.agreement(found, naive(vectors, queries)) == 100


def test_agreement_is_the_share_of_the_true_nearest():
    assert searching.agreement(np.array([[1, 2], [3, 4]]), np.array([[2, 1], [4, 5]])) == 75


def test_a_bench_says_what_where_and_how_often(monkeypatch):
    monkeypatch.setattr(searching.importlib.util, "find_spec", lambda name: None)
    found = searching.search((SIZE, 2 * SIZE), WIDTH, repeats=4)
    assert found["threads"] == 1 and "cores" in found["machine"] and found["width"] == WIDTH
    rows = {row["name"]: row for row in found["rows"]}
    assert len(rows) == len(found["rows"]) == 11
    assert all(row["unit"] == "ms" for row in rows.values())
    absent = rows.pop("faiss fp16, 500 vectors, 1 query")
    assert (absent["note"], absent["median"]) == ("not installed", None)
    assert rows.pop("faiss fp16, 1,000 vectors, 1 query")["note"] == "not installed"
    for row in rows.values():
        assert 0 < row["p50"] == row["median"] <= row["p99"] and row["spread"] >= 0
        # In fp16 the tenth and the eleventh nearest may change places.
        assert row["agreement"] >= {"fp32": 100, "fp16": 99}[row["precision"]]
    assert {row["vectors"] for name, row in rows.items() if "LanceDB" in name} == {SIZE}
    assert rows["numpy fp32, 1,000 vectors, 32 queries"]["memory"] == 1000 * WIDTH * 4 / 1e6


def test_calls_take_turns_and_only_repeats_are_counted():
    order = []
    calls = {name: lambda k, name=name: order.append((name, k)) or f"{name}{k}" for name in "ab"}
    measured = bench.interleaved(calls, repeats=3, warm_up=1)
    assert order == [("a", 0), ("b", 0)] + [(name, k) for k in range(3) for name in "ab"]
    assert {name: len(taken) for name, (taken, _) in measured.items()} == {"a": 3, "b": 3}
    assert measured["b"][1] == ["b0", "b1", "b2"]


def test_a_row_holds_the_median_and_the_distance_of_the_quartiles():
    row = bench.row("one", np.array([1.0, 2, 3, 4, 100]), note="")
    assert row == {"name": "one", "median": 3, "spread": 2, "unit": "ms", "repeats": 5, "note": ""}


def test_pages_are_timed_the_first_time_and_after_a_choice(monkeypatch):
    monkeypatch.setattr(paging, "PAGES", ("runs",))
    monkeypatch.setenv("STAN_RUNS", "elsewhere")
    found = paging.dashboard(runs=60, repeats=2)
    first, warm = found["rows"]
    assert (first["name"], warm["name"]) == ("runs, first", "runs, warm")
    assert first["repeats"] == warm["repeats"] == 2 and first["runs"] == 60
    assert first["reached"] == (first["median"] <= first["goal"]) and warm["median"] > 0
    assert os.environ["STAN_RUNS"] == "elsewhere"


def test_a_page_that_fails_is_not_timed(monkeypatch):
    monkeypatch.setattr(paging, "PAGES", ("no_such_page",))
    with pytest.raises(ValueError, match="the page fails"):
        paging.dashboard(runs=1, repeats=1)
