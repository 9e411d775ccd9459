"""Codes give the inner products of a computation in whole numbers, and their bounds hold for whatever they hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stan.library.codes import Codes
from stan.library.nearest import nearest
from stan.models.factory import load_model

WIDTH = 48


def random_vectors(count: int) -> np.ndarray:
    vectors = np.random.default_rng(count).standard_normal((count, WIDTH), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def sentences() -> np.ndarray:
    """Real embeddings, which lie in clusters."""
    things = ["circle", "square", "star", "cross", "ring"]
    moves = ["moving up", "moving down", "turning", "growing", "vanishing", "at rest"]
    texts = [f"a {size} {thing} {move}" for size in ("red", "blue", "") for thing in things for move in moves]
    with torch.inference_mode():
        found = load_model("stan-tiny").encode_text(texts).text
    return torch.nn.functional.normalize(found, dim=-1).numpy()


VECTORS = {
    "random": lambda: random_vectors(700),
    "real": sentences,
    "equal": lambda: np.repeat(random_vectors(1), 300, axis=0),
    "tiny gaps": lambda: random_vectors(1) + 1e-6 * random_vectors(400),
    "zeros": lambda: random_vectors(300) * (np.arange(300) % 3 > 0)[:, None],
    "one number": lambda: np.eye(WIDTH, dtype=np.float32)[np.arange(200) % WIDTH] * -1,
    "outliers": lambda: random_vectors(500) + 3 * np.eye(WIDTH, dtype=np.float32)[5],
    "lengths": lambda: random_vectors(400) * np.float32(10.0) ** (np.arange(400) % 9 - 6)[:, None],
}


def whole(codes: Codes) -> np.ndarray:
    return codes.high.astype(np.int64) * 256 + codes.low


def naive(codes: Codes, query: Codes) -> np.ndarray:
    """The inner products of what the codes stand for, by the definition."""
    return (whole(codes) @ whole(query)[0]) * codes.scale.astype(float) * float(query.scale[0]) / 2**16


@pytest.fixture(scope="module", params=list(VECTORS))
def vectors(request) -> np.ndarray:
    return np.asarray(VECTORS[request.param](), np.float32)


def queries(vectors: np.ndarray) -> list[Codes]:
    width, rng = vectors.shape[1], np.random.default_rng(0)
    some = [*vectors[:3], -vectors[0], vectors.mean(0), np.zeros(width), *rng.standard_normal((20, width))]
    return [Codes.of(np.asarray(one, np.float32)[None]) for one in some]


def test_codes_stand_for_the_vectors(vectors):
    codes = Codes.of(vectors)
    largest = np.abs(vectors).max(1, keepdims=True)
    assert (np.abs(whole(codes) * codes.scale[:, None] / 256 - vectors) <= largest / 64_000).all()
    assert codes.high.nbytes + codes.low.nbytes == vectors.astype(np.float16).nbytes


def test_products_are_those_of_whole_numbers(vectors):
    codes = Codes.of(vectors)
    rows = np.arange(0, len(codes), 3)
    for query in queries(vectors):
        exact = naive(codes, query)
        assert (codes.products_of(rows, query) == exact[rows].astype(np.float32)).all()
        together = codes.products(torch.from_numpy(whole(query) / 256 * query.scale).float())[0].numpy()
        np.testing.assert_allclose(together, exact, atol=2e-6 * codes.length * np.abs(whole(query)).max())


def test_no_estimate_is_further_off_than_its_bound(vectors):
    codes = Codes.of(vectors)
    for query in queries(vectors):
        estimate, error = codes.estimates(query)
        assert (np.abs(estimate.astype(float) - naive(codes, query)) <= error).all()


def test_bytes_at_their_limits_do_not_overflow():
    ends = np.array([[127] * 600, [-127] * 600, [127, -127] * 300, [127] * 600], np.float32)
    codes = Codes.of(ends)
    assert codes.products_of(np.arange(4), Codes.of(ends[:1])).tolist() == [
        600 * 127**2,
        -600 * 127**2,
        0,
        600 * 127**2,
    ]


def test_torch_keeps_its_number_of_threads():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        codes, query = Codes.of(np.ones((3, 8), np.float32)), Codes.of(np.ones((1, 8), np.float32))
        codes.estimates(query)
        codes.products_of(np.arange(2), query)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_joined_codes_are_those_of_all_vectors(vectors):
    codes, parts = Codes.of(vectors), Codes.joined([Codes.of(vectors[:7]), Codes.of(vectors[7:])])
    assert (whole(codes) == whole(parts)).all() and (codes.scale == parts.scale).all()
    assert (codes.rest, codes.length) == pytest.approx((parts.rest, parts.length), rel=1e-6)


@pytest.mark.parametrize("top", [1, 10, 60])
def test_the_nearest_are_those_of_a_full_scan(vectors, top):
    codes = Codes.of(vectors)
    starts = np.flatnonzero(np.arange(len(codes)) % 5 < 2)  # videos of one window and of four
    scored: list[int] = []
    for query in queries(vectors):

        def exact(rows, query=query):
            scored.append(len(rows))
            return codes.products_of(rows, query)

        videos, scores = nearest(*codes.estimates(query), exact, starts, min(top, len(starts)))
        by_video = [part.max() for part in np.split(naive(codes, query).astype(np.float32), starts[1:])]
        order = np.argsort(-np.array(by_video), kind="stable")[:top]
        assert (videos.tolist(), scores.tolist()) == (order.tolist(), [by_video[i] for i in order])


def test_few_of_many_random_vectors_are_scored_exactly():
    codes, query = Codes.of(random_vectors(20_000)), Codes.of(random_vectors(1))
    estimate, error = codes.estimates(query)
    scored: list[int] = []
    nearest(
        estimate,
        error,
        lambda rows: scored.append(len(rows)) or codes.products_of(rows, query),
        np.arange(20_000),
        10,
    )
    assert sum(scored) < 100
