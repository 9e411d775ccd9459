"""Saturated colours in high dynamic range keep their hue, whether or not the pictures are resized."""

import numpy as np
import pytest

from stan.data.video import decoding
from tests.support import films
from tests.support.films import Film


@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.parametrize("size", [None, 100])
def test_red_green_and_blue_stay_what_they_are(tmp_path, transfer, size):
    colours = 128 * np.eye(3, dtype=int)
    film = Film(
        frames=2,
        pixels="yuv420p10le",
        matrix="bt2020nc",
        transfer=transfer,
        corners=[*map(tuple, colours), (128, 128, 128)],
    )
    shown = films.corners(decoding.frames(film.write(tmp_path), [1], size)[0])
    strong, weak = shown[:3][colours > 0], shown[:3][colours == 0]
    assert strong.min() > 100 and weak.max() < 10 and np.ptp(shown[3]) < 3
