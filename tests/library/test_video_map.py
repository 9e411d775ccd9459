"""The map of a library: principal axes of points laid out by hand, and of the vectors of a store."""

from __future__ import annotations

import numpy as np
import pytest

from stan.library import video_map
from stan.library.entries import Maker
from stan.library.store import Store
from stan.library.video_map import Map, Place, VideoMap, two_dimensions


def test_points_lie_on_their_two_widest_axes():
    """A rectangle of 4 by 2 in the plane of the second and third axis, moved along the first."""
    points = np.array([[7, 0, 0], [7, 4, 0], [7, 4, 2], [7, 0, 2]], float)
    laid, share = two_dimensions(points)
    assert laid.tolist() == [[0, 0.25], [1, 0.25], [1, 0.75], [0, 0.75]] and share == pytest.approx(1)


def test_the_share_is_that_of_the_variance_and_mirrored_axes_are_turned():
    """Variances 8, 2 and 0.5 along three axes, of which the first points to the negative side."""
    points = np.array([[-2, 0, 0], [2, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 0.5], [0, 0, -0.5]])
    laid, share = two_dimensions(points)
    assert share == pytest.approx(10 / 10.5)
    assert laid[:4].tolist() == [[0, 0.5], [1, 0.5], [0.5, 0.75], [0.5, 0.25]]


@pytest.mark.parametrize("count", [1, 3])
def test_equal_points_lie_in_the_middle(count):
    laid, _ = two_dimensions(np.ones((count, 4)))
    assert laid.tolist() == [[0.5, 0.5]] * count


def row(id: int, windows: list[list[float]]) -> dict:
    vectors = dict.fromkeys(("clip", "video"), windows)
    frames = {"frame_clip": [0.0], "frame_video": [0.0], "times": [0.0]}
    name = {"id": f"{id:016x}", "path": f"/v/{id}", "folder": "/v", "name": f"{id}.mp4", "hash": ""}
    return {**name, "size": 1, "mtime_ns": 0, "duration": 1.0, **vectors, **frames, "facts": None}


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(tmp_path / "library")
    store.create(3, Maker("m", "4", "4", "s"))
    return store


def test_a_video_lies_where_the_mean_of_its_windows_is(store):
    """Vectors of any length count alike: the third video is the middle of the directions of the other two."""
    draw = VideoMap(store)
    assert draw() == Map([], 1.0)
    store.write([row(0, [[5.0, 0, 0]]), row(1, [[0, 0.1, 0]]), row(2, [[9.0, 0, 0], [0, 1, 0]])], False)
    by_name = {one.name: one for one in draw().places}
    ends, middle = [by_name["0.mp4"], by_name["1.mp4"]], by_name["2.mp4"]
    assert sorted(end.x for end in ends) == [0, 1] and middle.x == pytest.approx(0.5)
    # the middle of the arc lies 1 - sqrt(1/2) before its chord, which is sqrt(2) long
    assert abs(middle.y - ends[0].y) == pytest.approx((2**0.5 - 1) / 2, abs=1e-4)
    store.write([row(3, [[0.0, 0, 1]])], False)
    assert len(draw().places) == 4


def test_a_large_library_has_no_map(store, monkeypatch):
    monkeypatch.setattr(video_map, "MOST", 1)
    store.write([row(0, [[1.0, 0, 0]]), row(1, [[0.0, 1, 0]])], False)
    with pytest.raises(ValueError, match="holds 2 videos: a map is drawn of up to 1"):
        VideoMap(store)()


def test_a_part_of_the_map_holds_the_videos_within_its_sides():
    drawn = Map([Place("a", "a", 0.0, 0.5), Place("b", "b", 0.5, 0.5), Place("c", "c", 0.5, 0.9)], 1.0)
    assert drawn.within((0.0, 0.5), (0.5, 0.6)) == ["a", "b"] and drawn.within((0.6, 1), (0, 1)) == []
