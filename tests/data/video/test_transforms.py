"""Evaluation is open_clip's own preprocessing bit for bit; crops lie where they should."""

from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from stan.common.torchvision_compat import declare
from stan.data.preprocessing import RESIZE_MODES, PixelSettings
from stan.data.video import transforms
from stan.data.video.augmentation import Augmentation, random_box

declare()
from open_clip.transform import PreprocessCfg, image_transform_v2  # noqa: E402  importable only now

WHOLE = Augmentation(partial(random_box, scale=(1.0, 1.0)))
PLAIN = PixelSettings((0, 0, 0), (1, 1, 1))
TALL_AND_WIDE = [
    (96, 112),
    (112, 96),
    (48, 48),
    (240, 427),
    (427, 241),
    (40, 30),
    (101, 77),
    (49, 48),
    (48, 300),
]


def noise(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def open_clips(settings: PixelSettings, frames: np.ndarray) -> np.ndarray:
    reference = image_transform_v2(PreprocessCfg(**asdict(settings)), is_train=False)
    return torch.stack([reference(Image.fromarray(frame)) for frame in frames]).numpy()


@pytest.mark.parametrize("shape", TALL_AND_WIDE)
@pytest.mark.parametrize("size", [48, 224])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_evaluation_is_open_clips_own(mode, interpolation, size, shape):
    frames = noise(2, *shape)
    settings = PixelSettings(
        interpolation=interpolation, resize_mode=mode, fill_color=93 * (mode == "longest"), size=size
    )
    found = transforms.evaluation(settings)(frames)
    assert found.dtype == np.float32 and found.flags.c_contiguous
    np.testing.assert_array_equal(found, open_clips(settings, frames))


@pytest.mark.parametrize("size", [225, 256, 336, 378, 384, 512])
@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_evaluation_is_open_clips_own_at_large_and_odd_sizes(mode, size):
    settings = PixelSettings((0.5, 0.4, 0.3), (0.2, 0.3, 0.5), resize_mode=mode, size=size)
    for shape in ((121, 213), (512, 287)):
        frames = noise(1, *shape)
        np.testing.assert_array_equal(transforms.evaluation(settings)(frames), open_clips(settings, frames))


def test_a_frame_of_hardly_any_height_keeps_one_row():
    """open_clip itself fails here: 1 pixel of 400 rounds to none of 48."""
    settings = replace(PLAIN, resize_mode="longest", fill_color=255, size=48)
    found = transforms.evaluation(settings)(np.zeros((1, 1, 400, 3), np.uint8))[0, 0]
    assert (found[23] == 0).all() and found.sum() == 47 * 48


def test_three_frames_are_not_taken_for_channels():
    assert transforms.evaluation(PixelSettings(size=32))(noise(3, 40, 50)).shape == (3, 3, 32, 32)


@pytest.mark.parametrize("shape", [(48, 80), (80, 48), (51, 90)])
def test_views_run_along_the_long_side(shape):
    frames, settings = noise(2, *shape), PixelSettings(size=48)
    views = transforms.views(settings)(frames)
    assert views.shape == (3, 2, 3, 48, 48)
    np.testing.assert_array_equal(views[1], transforms.evaluation(settings)(frames))
    if min(shape) == 48:
        ends = [frames[:, :48, :48], frames[:, -48:, -48:]]
        for view, end in zip(views[[0, 2]], ends, strict=True):
            np.testing.assert_array_equal(view, transforms.evaluation(settings)(end))


@pytest.mark.parametrize("mode", ["longest", "squash"])
@pytest.mark.parametrize("shape", [(48, 80), (91, 50)])
def test_a_whole_frame_has_no_other_views(mode, shape):
    frames, settings = noise(2, *shape), PixelSettings(resize_mode=mode, size=48)
    for view in transforms.views(settings)(frames):
        np.testing.assert_array_equal(view, transforms.evaluation(settings)(frames))


@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_one_crop_serves_the_whole_clip(mode):
    frames = np.repeat(noise(1, 90, 70), 5, axis=0)
    crop = transforms.training(PixelSettings(resize_mode=mode, size=48), Augmentation())
    pixels = crop(frames, np.random.default_rng(1))
    assert pixels.shape == (5, 3, 48, 48) and pixels.dtype == np.float32
    assert (pixels == pixels[:1]).all()
    np.testing.assert_array_equal(pixels, crop(frames, np.random.default_rng(1)))
    assert not np.array_equal(pixels, crop(frames, np.random.default_rng(2)))


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_a_crop_of_everything_is_a_plain_resize(interpolation):
    frames = noise(1, 64, 64)
    filter = Image.Resampling[interpolation.upper()]
    expected = np.asarray(Image.fromarray(frames[0]).resize((32, 32), filter), np.float32)
    boxes = {WHOLE.crop(64, 64, np.random.default_rng(i)) for i in range(300)}
    assert (0, 0, 64, 64) in boxes  # a ratio near 1
    seed = next(i for i in range(300) if _whole(np.random.default_rng(i)))
    crop = transforms.training(replace(PLAIN, interpolation=interpolation, size=32), WHOLE)
    found = crop(frames, np.random.default_rng(seed))
    np.testing.assert_allclose(found[0] * 255, expected.transpose(2, 0, 1), atol=1e-3)


def test_crops_for_training_are_drawn_in_what_testing_shows_whole():
    """A square crop of half the short side: of the squashed frame, of the padded frame, and of the frame itself."""
    corner = Augmentation(lambda height, width, rng: (0, 0, min(height, width) // 2, min(height, width) // 2))
    frames, rng = noise(1, 80, 48), np.random.default_rng(0)
    parts = {
        "squash": frames[:, :40, :24],
        "longest": np.concatenate([np.full((1, 40, 16, 3), 7, np.uint8), frames[:, :40, :24]], 2),
        "shortest": frames[:, :24, :24],
    }
    for mode, part in parts.items():
        settings = replace(PLAIN, resize_mode=mode, fill_color=7, size=32)
        expected = transforms.evaluation(replace(settings, resize_mode="squash"))(part)
        np.testing.assert_array_equal(transforms.training(settings, corner)(frames, rng), expected)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (20, 400), (49, 3)])
@pytest.mark.parametrize("mode", RESIZE_MODES)
def test_crops_for_training_lie_inside_and_hold_a_pixel(mode, shape):
    """Padding, which would show a crop that reaches too far, is black; the frames are white."""
    crop = transforms.training(replace(PLAIN, resize_mode=mode, fill_color=255, size=4), Augmentation())
    frames = np.full((1, *shape, 3), 255, np.uint8)
    for seed in range(100):
        assert (crop(frames, np.random.default_rng(seed)) == 1).all()


def _whole(rng: np.random.Generator) -> bool:
    return WHOLE.crop(64, 64, rng) == (0, 0, 64, 64)


@pytest.mark.parametrize("shape", [(90, 70), (20, 400), (400, 20), (1, 1)])
def test_boxes_lie_inside_and_cover_what_was_asked(shape):
    rng = np.random.default_rng(0)
    for _ in range(200):
        top, left, height, width = random_box(*shape, rng)
        assert top >= 0 and left >= 0 and height >= 1 and width >= 1
        assert top + height <= shape[0] and left + width <= shape[1]
        if shape == (90, 70):
            assert 0.07 < height * width / (90 * 70) <= 1 and 0.7 < width / height < 1.4
