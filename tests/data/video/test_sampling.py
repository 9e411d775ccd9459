"""Segments: centres in testing, one random frame of each in training, any number of frames."""

import numpy as np
import pytest

from stan.data.video.sampling import segments, segments_in_time


@pytest.mark.parametrize(
    ("total", "count", "expected"),
    [
        (24, 8, [1, 4, 7, 10, 13, 16, 19, 22]),
        (250, 5, [24, 74, 124, 174, 224]),
        (8, 8, list(range(8))),
        (10, 1, [4]),
        (3, 6, [0, 0, 1, 1, 2, 2]),
        (1, 3, [0, 0, 0]),
    ],
)
def test_centres(total, count, expected):
    indices = segments(total, count)
    assert indices.tolist() == expected and indices.dtype == np.int64


@pytest.mark.parametrize(("total", "count"), [(24, 8), (250, 12), (13, 5), (3, 8), (1, 4)])
def test_draws_stay_in_their_segments(total, count):
    rng = np.random.default_rng(0)
    drawn = np.stack([segments(total, count, rng) for _ in range(400)])
    edges = np.arange(count + 1) * total // count
    assert (drawn >= edges[:-1]).all() and (drawn <= np.maximum(edges[1:] - 1, edges[:-1])).all()
    covered = [len(np.unique(column)) for column in drawn.T]
    assert covered == np.maximum(np.diff(edges), 1).tolist()


def test_centres_of_equal_segments_lie_mirrored():
    indices = segments(24, 8)
    assert (23 - indices[::-1]).tolist() == indices.tolist()


def test_a_seed_repeats_its_draw():
    assert (segments(99, 7, np.random.default_rng(5)) == segments(99, 7, np.random.default_rng(5))).all()


@pytest.mark.parametrize(("total", "count"), [(0, 4), (5, 0)])
def test_nothing_to_take(total, count):
    with pytest.raises(ValueError, match="1 or more"):
        segments(total, count)


HELD = np.array([0.0, 10.0, *(20 + np.arange(60) / 60)])
"""20 s of a still held by two frames, then 60 frames in a second, as screen recordings have it."""


def test_a_frame_that_is_held_is_taken_as_often_as_it_is_shown():
    indices, moments = segments_in_time(HELD, 21.0, 7)
    assert indices.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert moments.tolist() == [1.5, 4.5, 7.5, 10.5, 13.5, 16.5, 19.5]


def test_of_an_even_rate_both_ways_agree():
    times = np.arange(24) / 25
    assert segments_in_time(times, 24 / 25, 24)[0].tolist() == list(range(24))
    assert segments_in_time(times, 24 / 25, 5)[0].tolist() == [2, 7, 12, 16, 21]


def test_draws_in_time_stay_in_their_segments():
    rng = np.random.default_rng(0)
    moments = np.stack([segments_in_time(HELD, 21.0, 3, rng)[1] for _ in range(200)])
    assert (moments // 7 == [0, 1, 2]).all() and moments.std(0).min() > 1
