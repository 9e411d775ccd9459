"""An animated WebP is read as a browser shows it, whatever its file says about transparency."""

import numpy as np
import pytest
from PIL import Image

from stan.data.video import decode

RED, CLEAR, BLUE = (220, 60, 30, 255), (0, 0, 0, 0), (40, 90, 160, 255)


def film(path, background):
    """Write a lossless film of a red square that goes to the right."""
    pictures = np.full((3, 64, 96, 4), background, np.uint8)
    for i, picture in enumerate(pictures):
        picture[20:40, 10 + 20 * i : 30 + 20 * i] = RED
    first, *others = map(Image.fromarray, pictures)
    first.save(path, save_all=True, append_images=others, duration=100, lossless=True)
    return path


@pytest.mark.parametrize(("background", "shown"), [(CLEAR, (255, 255, 255)), (BLUE, BLUE[:3])])
def test_what_no_frame_covers_is_white(tmp_path, background, shown):
    clip = film(tmp_path / "film.webp", background)
    assert not clip.read_bytes()[20] & 0x10  # neither file says that it has alpha
    decoded = decode(clip, [0, 1, 2])
    expected = np.full((3, 64, 96, 3), shown, np.uint8)
    for i, picture in enumerate(expected):
        picture[20:40, 10 + 20 * i : 30 + 20 * i] = RED[:3]
    assert np.array_equal(decoded.frames, expected)
    assert decoded.facts.alpha == (background is CLEAR)
    assert decoded.facts.corrections == (("shown over white",) if background is CLEAR else ())
