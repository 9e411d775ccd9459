"""Pictures show what they say: colours where a map holds, grey where it doesn't, every frame in the strip."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from stan.explain.explanation import NOT_BETTER, Explanation, Map
from stan.explain.render import SIGNED, difference, overlaid, panel, save_strip, words

TIMES = np.array([0.5, 1.0, 1.5])


def a_map(part: str, better: bool) -> Map:
    tested = {
        "deletion": 0.1,
        "insertion": 0.4,
        "random_deletion": 0.2,
        "random_insertion": 0.3,
        "random_range": (0.15, 0.35),
        "better": better,
    }
    values = np.linspace(0, 1, 12).reshape(3, 2, 2)
    return Map("grad-eclip", part, values if part != "branch" else values[::-1], tested, True)


@pytest.fixture
def explanation():
    maps = {"grad-eclip-both": a_map("both", True), "grad-eclip-clip": a_map("clip", False)}
    maps["grad-eclip-branch"] = a_map("branch", True)
    pixels = np.full((3, 8, 8, 3), 90, np.uint8)
    found = [{"word": "a", "change": 0.1}, {"word": "$x", "change": -0.4}]
    yield Explanation("a $x", 0.7, pixels, TIMES, maps, found)
    plt.close("all")


def pictures(figure) -> list[np.ndarray]:
    return [axes.images[0].get_array() for axes in figure.axes]


def is_grey(picture: np.ndarray) -> bool:
    return bool((np.ptp(picture.astype(int), axis=-1) <= 1).all())


def texts(figure) -> str:
    return " ".join(text.get_text() for text in (figure._suptitle, figure._supxlabel))


def test_a_map_that_holds_has_colours_and_one_that_does_not_is_grey(explanation):
    good, bad = panel(explanation, "grad-eclip-both"), panel(explanation, "grad-eclip-clip")
    assert len(pictures(good)) == 2 * 3
    assert not is_grey(pictures(good)[-1]) and all(map(is_grey, pictures(bad)))
    assert NOT_BETTER in texts(bad) and NOT_BETTER not in texts(good)
    assert "deletion 0.100 (random 0.200)" in texts(good) and "a $x: 0.700" in texts(good)


def test_the_strongest_patch_is_where_the_map_has_it():
    values = np.zeros((1, 2, 2))
    values[0, 1, 0] = 2.0
    (drawn,) = overlaid(np.zeros((1, 8, 8, 3), np.uint8), values, 2.0, "inferno")
    half = len(drawn) // 2
    bright = drawn.astype(int).sum(-1)
    assert (bright[half:, :half] > 300).all() and bright[:half].max() < 50 and bright[half:, half:].max() < 50


def test_a_difference_has_two_colours_and_nothing_where_there_is_none():
    grey = np.full((1, 8, 8, 3), 255, np.uint8)
    (drawn,) = overlaid(grey, np.array([[[-1.0, 0.0, 1.0]]]), 1.0, SIGNED)
    left, middle, right = (part.reshape(-1, 3).mean(0) for part in np.array_split(drawn, 3, axis=1))
    assert left[0] > left[2] + 50 and right[2] > right[0] + 20  # orange and purple
    assert np.ptp(middle) < 5


def test_parts_beside_their_difference(explanation):
    figure = difference(explanation)
    assert [axes.get_ylabel() for axes in figure.axes[::3]] == ["clip", "branch", "branch - clip"]
    assert f"clip: {NOT_BETTER}" in texts(figure) and f"branch: {NOT_BETTER}" not in texts(figure)


def test_words_lose_what_the_score_loses(explanation):
    (axes,) = words(explanation).axes
    assert [bar.get_width() for bar in axes.patches] == [-0.1, 0.4]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "$x"]


def test_the_strip_plays_every_frame(explanation, tmp_path):
    save_strip(explanation, tmp_path / "strip.webp")
    with Image.open(tmp_path / "strip.webp") as strip:
        assert strip.n_frames == 3 and strip.width > strip.height
        strip.seek(1)
        strip.load()
        assert strip.info["duration"] == 500
