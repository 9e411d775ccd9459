"""Stills with known content, looked at pixel by pixel."""

import numpy as np
import pytest

from stan.data.world import known_stills
from stan.data.world.concepts import ALL, RGB

STILLS = 24


def pixels_of(picture, colour, near=12):
    """How many of a picture's pixels have a colour of the world; backgrounds are greyish and have none."""
    return int((np.abs(picture.astype(int) - RGB[colour]).max(-1) < near).sum())


def test_equal_seeds_draw_equal_stills():
    for kind in known_stills.KINDS:
        one, again, other = kind(3, 5), kind(3, 5), kind(3, 6)
        assert np.array_equal(one.pictures, again.pictures) and not np.array_equal(
            one.pictures, other.pictures
        )


def test_every_name_is_asked_about_one_kind_of_still():
    names = [
        name for kind in known_stills.KINDS for one in [kind(2, 0)] for name in (*one.numbers, *one.classes)
    ]
    assert len(names) == len(set(names)) == 11


def test_colours_and_counts_are_those_in_the_picture():
    shapes, parts, counted = (
        kind(STILLS, 0) for kind in (known_stills.shapes, known_stills.parts, known_stills.counted)
    )
    for picture, index in zip(shapes.pictures, shapes.classes["colour"], strict=True):
        assert max(RGB, key=lambda colour: pixels_of(picture, colour)) == ALL.colours[index]
    for picture, index in zip(parts.pictures, parts.classes["part's colour"], strict=True):
        shown = [colour for colour in RGB if pixels_of(picture, colour) > 5]
        assert ALL.colours[index] in shown and len(shown) == 2
        assert pixels_of(picture, ALL.colours[index]) < 90  # a circle of at most 5 pixels' radius
    for picture, more in zip(counted.pictures, counted.classes["count"], strict=True):
        assert len([colour for colour in RGB if pixels_of(picture, colour) > 5]) == 1 + more


def test_places_are_where_the_arrow_is():
    known = known_stills.arrows(STILLS, 0)
    height, width = known.pictures.shape[1:3]
    for picture, x, y in zip(known.pictures, known.numbers["x"], known.numbers["y"], strict=True):
        shown = max(RGB, key=lambda colour: pixels_of(picture, colour))
        where = np.argwhere(np.abs(picture.astype(int) - RGB[shown]).max(-1) < 12)
        middle = (where.min(0) + where.max(0) + 1) / 2  # of the box; an arrow's lies near its centre
        assert (middle[1] - width / 2) / height == pytest.approx(x[0], abs=0.09)
        assert (middle[0] - height / 2) / height == pytest.approx(y[0], abs=0.09)


def test_the_shape_in_front_hides_the_other(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        known_stills, "_picture", lambda rng, *tracks: drawn.append(tracks) or np.zeros((1, 1, 3))
    )
    known = known_stills.pairs(STILLS, 0)
    for (behind, front), left in zip(
        drawn, known.classes["front"], strict=True
    ):  # scenes have the last one in front
        assert (front.x[0] < behind.x[0]) == left
        apart = np.hypot(front.x[0] - behind.x[0], front.y[0] - behind.y[0])
        assert apart < max(front.radius[0], behind.radius[0])
    assert 0.2 < known.classes["front"].mean() < 0.8


def test_stripes_start_where_the_phase_says():
    known = known_stills.textures(STILLS, 0)
    x = np.arange(known.pictures.shape[2]) + 0.5
    for picture, (sine, cosine) in zip(known.pictures, known.numbers["phase"], strict=True):
        light = np.clip(0.5 + 2 * np.sin(2 * np.pi * x / 14 + np.arctan2(sine, cosine)), 0, 1)
        assert np.corrcoef(picture[0, :, 0].astype(float), light)[0, 1] > 0.999
