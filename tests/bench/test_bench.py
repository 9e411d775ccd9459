"""Benches count what they say, and the engines of search find the same; how fast is not tested."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from stan import bench, results
from stan.bench import dashboard as paging
from stan.bench import decode as decoding
from stan.bench import encode as encoding
from stan.bench import search as searching
from stan.bench import store
from stan.bench import towers as wrapping
from stan.bench import train as training
from stan.bench.encoders import efficiency, encoders, preset
from stan.bench.reference_encoder import plain_encode
from stan.config import ModelConfig
from stan.models.dual_encoder import build
from stan.training.compile import compile_blocks

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
    assert (searching.TwoStages(vectors)(queries) == expected).all()
    assert (searching.lancedb_flat(vectors, tmp_path)(queries) == expected).all()


def test_half_precision_finds_the_same_nearest_for_one_query_and_for_several(vectors, queries):
    engine = searching.torch_fp16(vectors)
    together, alone = engine(queries), np.concatenate([engine(query[None]) for query in queries])
    for found in (together, alone):
        assert searching.agreement(found, naive(vectors, queries)) == 100


def test_faiss_finds_the_same_nearest(vectors, queries):
    pytest.importorskip("faiss", reason="FAISS is the optional extra `faiss`")
    whole, half = (searching.faiss_flat(vectors, half) for half in (False, True))
    assert (whole(queries) == naive(vectors, queries)).all()
    assert searching.agreement(half(queries), naive(vectors, queries)) == 100


def test_agreement_is_the_share_of_the_true_nearest():
    assert searching.agreement(np.array([[1, 2], [3, 4]]), np.array([[2, 1], [4, 5]])) == 75


@pytest.mark.slow
def test_a_bench_says_what_where_and_how_often(monkeypatch):
    monkeypatch.setattr(searching.importlib.util, "find_spec", lambda name: None)
    found = searching.search((SIZE, 2 * SIZE), WIDTH, repeats=4)
    assert found["threads"] == 1 and "cores" in found["machine"] and found["width"] == WIDTH
    rows = {row["name"]: row for row in found["rows"]}
    assert len(rows) == len(found["rows"]) == 15
    assert all(row["unit"] == "ms" for row in rows.values())
    absent = rows.pop("faiss fp16, 500 vectors, 1 query")
    assert (absent["note"], absent["median"]) == ("not installed", None)
    for name in ("faiss fp16, 1,000", "faiss fp32, 500", "faiss fp32, 1,000"):
        assert rows.pop(f"{name} vectors, 1 query")["note"] == "not installed"
    for row in rows.values():
        assert 0 < row["p50"] == row["median"] <= row["p99"] and row["spread"] >= 0
        # In fp16 the tenth and the eleventh nearest may change places.
        assert row["agreement"] >= {"fp32": 100, "int16": 100, "fp16": 99}[row["precision"]]
    assert {row["vectors"] for name, row in rows.items() if "LanceDB" in name} == {SIZE}
    assert 100 * searching.TOP / SIZE < rows["stan int16, 500 vectors, 1 query"]["scored"] < 20
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


@pytest.mark.slow
def test_pages_are_timed_the_first_time_and_after_a_choice(monkeypatch):
    monkeypatch.setattr(paging, "pages", lambda: ["runs"])
    monkeypatch.setenv("STAN_RUNS", "elsewhere")
    found = paging.dashboard((60, 70), repeats=2)
    first, warm, *more = found["rows"]
    assert (first["name"], warm["name"]) == ("runs, first, 60 runs", "runs, warm, 60 runs")
    assert first["repeats"] == warm["repeats"] == 2 and first["runs"] == 60
    assert [row["name"] for row in more] == ["runs, first, 70 runs", "runs, warm, 70 runs"]
    assert first["reached"] == (first["median"] <= first["goal"]) and warm["median"] > 0
    assert os.environ["STAN_RUNS"] == "elsewhere"


def test_a_page_that_fails_is_not_timed(monkeypatch):
    monkeypatch.setattr(paging, "pages", lambda: ["no_such_page"])
    with pytest.raises(ValueError, match="the page fails"):
        paging.dashboard((1,), repeats=1)


TINY = ModelConfig("tiny", "random", "stan")
RATES = {"fp32": 100.0, "bf16": 400.0}


@pytest.mark.slow
def test_encoding_is_equal_to_plain_code_and_told_by_who_ran_it():
    torch.manual_seed(0)
    rows = encoding.of_preset("tiny", TINY, 4, (1, 2), 2, "cpu", RATES)
    assert len({row["name"] for row in rows}) == len(rows) == 10
    assert {row["by"] for row in rows if row["precision"] == "bf16"} == {"stan", "tower"}
    for row in rows:
        assert row["clips_per_second"] == pytest.approx(1000 * row["clips"] / row["median"])
        share = 2 * row["gmacs"] * row["clips_per_second"] / RATES[row["precision"]]
        assert row["share_of_peak"] == pytest.approx(share)
    ours = {row["precision"]: row for row in rows if row["by"] == "stan"}
    assert 0 < ours["fp32"]["difference"] < 1e-5 < ours["bf16"]["difference"] < 0.05
    assert {"efficiency", "speedup"} <= set(ours["fp32"])


@pytest.mark.slow
def test_plain_code_gives_the_encoders_embeddings():
    pair = encoders(TINY, 4)
    video = pair.clips(2)
    expected = pair.model.encoder(video).video
    torch.testing.assert_close(plain_encode(pair.model, video), expected, atol=1e-5, rtol=0)
    assert (plain_encode(pair.model, video.flip(1)) - expected).abs().max() > 1e-3


@pytest.mark.slow
def test_the_tower_is_open_clips_own_with_the_same_weights():
    pair = encoders(TINY, 4)
    images = pair.clips(1)[0]
    assert type(pair.tower.transformer.resblocks[0]).__module__.startswith("open_clip")
    torch.testing.assert_close(pair.tower(images), pair.model.clip.encode_image(images), atol=1e-5, rtol=0)


def test_efficiency_is_the_ratio_of_work_over_the_ratio_of_times():
    gmacs = {"stan": 3.0, "tower": 2.0}
    assert efficiency(np.array([3.0, 30, 6]), np.array([2.0, 10, 4]), gmacs) == pytest.approx(1)


@pytest.mark.slow
def test_a_step_trains_and_says_what_it_holds():
    pair = encoders(TINY, 4)
    rows, memory = training.of_preset("tiny", TINY, 4, (2,), 1, "cpu", RATES)
    assert [(row["by"], row["precision"]) for row in rows] == [
        (by, precision) for precision in RATES for by in ("stan", "tower")
    ]
    assert all(row["gmacs"] == 3 * pair.gmacs[row["by"]] for row in rows)
    for counted in memory.values():
        assert counted["ratio"] == counted["stan"] / counted["tower"] > 1
    model = training.Pooled(pair.tower).train()
    losses = [training.step(model, pair.clips(3), "fp32")() for _ in range(2)]
    assert losses[1] < losses[0]


@pytest.mark.slow
def test_a_compiled_encoder_is_measured_where_asked_for(monkeypatch):
    """Traced alone, and one layer for all: what generated code gives is tested with the blocks."""
    monkeypatch.setattr("stan.bench.encoders.compile_blocks", partial(compile_blocks, backend="eager"))
    config = replace(TINY, options={"layers": 1})
    rows = encoding.of_preset("tiny", config, 4, (1,), 1, "cpu", RATES, with_compiled=True)
    ours = {row["precision"]: row for row in rows if row["by"] == "compiled"}
    assert ours.keys() == RATES.keys() and {"efficiency", "speedup"} <= ours["fp32"].keys()
    assert 0 < ours["fp32"]["difference"] < 1e-5 < ours["bf16"]["difference"] < 0.05
    rows, memory = training.of_preset("tiny", config, 4, (1,), 1, "cpu", RATES, with_compiled=True)
    assert [row["by"] for row in rows] == ["stan", "tower", "compiled"] * 2
    assert rows[2]["gmacs"] == rows[0]["gmacs"] and "compiled" not in memory["fp32"]


ROW = bench.row("one", np.array([1.0, 2, 3]))


def test_what_is_kept_is_read_again_the_latest_first(tmp_path):
    document = bench.document("encoding", "by row", [ROW], "cpu")
    first = store.keep(tmp_path, "encode", document)
    (tmp_path / "bench/train-20000101T000000.json").write_text(
        json.dumps({"bench": "train", "date": "2000-01-01T00:00:00+00:00", "rows": [ROW]})
    )
    found, damaged = store.load([tmp_path, tmp_path / "nowhere"])
    assert [record["bench"] for record in found] == ["encode", "train"] and damaged == []
    assert found[0].items() >= document.items()
    assert {"date", "command", "commit", "packages", "machine", "threads", "precision"} <= found[0].keys()
    assert first.parent == tmp_path / "bench" and first.name.startswith("encode-")


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[" * 100_000,
        "[]",
        '{"bench": "cook", "date": "2000", "rows": [1]}',
        '{"bench": "train", "rows": [{"name": "a", "median": 1, "spread": 1}]}',
        '{"bench": "train", "date": "2000", "rows": []}',
        '{"bench": "train", "date": "2000", "rows": [{"name": "a", "median": "1", "spread": 1}]}',
        '{"bench": "train", "date": "2000", "memory": [], "rows": [{"name": "a", "median": 1, "spread": 1}]}',
    ],
    ids=["cut", "deep", "list", "bench", "date", "no rows", "times", "memory"],
)
def test_what_cannot_be_read_is_listed_with_the_reason(tmp_path, content):
    store.keep(tmp_path, "search", bench.document("exact search", "by row", [ROW]))
    (tmp_path / "bench/broken.json").write_text(content)
    found, damaged = store.load([tmp_path])
    assert len(found) == 1 and [one["file"] for one in damaged] == ["broken.json"] and damaged[0]["reason"]


def test_a_folder_of_runs_with_kept_benches_has_no_more_runs(tmp_path):
    store.keep(tmp_path, "search", bench.document("exact search", "by row", [ROW]))
    assert results.load(tmp_path).empty


def test_kept_for_backward_is_what_autograd_saves():
    x, weight = torch.randn(100, 4), nn.Parameter(torch.ones(4, 5))
    # the product keeps what it reads, exp what it gives; the weight is there anyway
    assert training.kept(lambda: (x @ weight).exp().sum(), [weight]) == 4 * (100 * 4 + 100 * 5)
    assert training.kept(lambda: (x.T.T @ weight).exp().exp().sum(), [weight]) == 4 * (100 * 4 + 2 * 100 * 5)


def test_only_presets_with_a_number_of_frames_are_timed():
    with pytest.raises(ValueError, match="no preset 'stan-tiny' to time; choose stan-self-b32"):
        preset("stan-tiny")


@pytest.mark.parametrize("times", [1, 3])
def test_decoders_read_the_same_frames_of_the_benchs_own_clip(tmp_path, times):
    clip = decoding.write_clip(tmp_path / "clip.mp4", (160, 128), decoding.CLIP_FRAMES, times)
    found = decoding.readers(clip, (160, 128), times * decoding.CLIP_FRAMES)
    ours = found.pop("stan")().astype(float)
    assert ours.shape == (decoding.FRAMES, 224, 280, 3)
    for name, read in found.items():
        if (
            read is not None
        ):  # decoders resize differently, but no frame is less like its own than like another
            apart = np.array([[abs(a - b).mean() for b in ours] for a in read().astype(float)])
            assert np.array_equal(apart.diagonal(), apart.min(axis=1)), name


@pytest.mark.slow
def test_decoding_names_what_is_not_installed_and_counts_clips(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    model = build(ModelConfig(pretrained="random", temporal="mean"), 4).eval()
    found = decoding.decode(((160, 128),), repeats=2, model=model, clip_frames=30, films={"20 s": 20})
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["640x360, 20 s, stan"]["median"] > 0 and "640x360, 20 s, decord" in rows
    assert rows["160x128, torchcodec"]["note"] == "not installed, or cannot be loaded"
    assert rows["160x128, torchcodec"]["median"] is None
    one, two = (rows[f"160x128, 8 clips, stan, {name}"] for name in ("1 worker", "2 workers"))
    assert one["scaling"] == 1 and one["clips_per_second"] == pytest.approx(8000 / one["median"])
    assert two["workers"] == 2
    assert 0 < rows["160x128, 8 clips, indexed"]["waiting"] < 1


@pytest.mark.slow
def test_towers_are_compared_with_open_clips_own():
    document = wrapping.towers(["tiny", "tiny-siglip"], frames=(1, 2), repeats=2)
    by = [(row["backbone"], row["frames"], row["by"]) for row in document["rows"]]
    for name in ("tiny", "tiny-siglip"):
        assert {(name, count, kind) for count in (1, 2) for kind in ("wrapped", "open_clip")} <= set(by)
    for row in document["rows"]:
        if row["by"] == "wrapped":
            assert row["relative"] > 0 and row["difference"] <= 1e-5
        if row["by"] == "stan":
            assert row["efficiency"] > 0 and row["memory"] > 1  # a branch needs some
