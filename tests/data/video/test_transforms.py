"""Evaluation is open_clip's own preprocessing bit for bit; crops lie where they should."""

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from stan.common.torchvision_compat import declare
from stan.data.video import transforms
from stan.data.video.augmentation import Augmentation, random_box

declare()
from open_clip import image_transform  # noqa: E402  only importable once the operators are declared

WHOLE = Augmentation(partial(random_box, scale=(1.0, 1.0)))
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def noise(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "shape",
    [(96, 112), (112, 96), (48, 48), (240, 427), (427, 241), (40, 30), (101, 77), (49, 48), (48, 300)],
)
@pytest.mark.parametrize("size", [48, 224])
def test_evaluation_is_open_clips_own(shape, size):
    frames = noise(2, *shape)
    reference = image_transform(size, is_train=False, mean=MEAN, std=STD)
    expected = torch.stack([reference(Image.fromarray(frame)) for frame in frames]).numpy()
    found = transforms.evaluation(size, MEAN, STD)(frames)
    assert found.dtype == np.float32 and found.flags.c_contiguous
    np.testing.assert_array_equal(found, expected)


def test_three_frames_are_not_taken_for_channels():
    assert transforms.evaluation(32, MEAN, STD)(noise(3, 40, 50)).shape == (3, 3, 32, 32)


@pytest.mark.parametrize("shape", [(48, 80), (80, 48), (51, 90)])
def test_views_run_along_the_long_side(shape):
    frames = noise(2, *shape)
    views = transforms.views(48, MEAN, STD)(frames)
    assert views.shape == (3, 2, 3, 48, 48)
    np.testing.assert_array_equal(views[1], transforms.evaluation(48, MEAN, STD)(frames))
    if min(shape) == 48:
        ends = [frames[:, :48, :48], frames[:, -48:, -48:]]
        for view, end in zip(views[[0, 2]], ends, strict=True):
            np.testing.assert_array_equal(view, transforms.evaluation(48, MEAN, STD)(end))


def test_one_crop_serves_the_whole_clip():
    frames = np.repeat(noise(1, 90, 70), 5, axis=0)
    crop = transforms.training(48, MEAN, STD, Augmentation())
    pixels = crop(frames, np.random.default_rng(1))
    assert pixels.shape == (5, 3, 48, 48) and pixels.dtype == np.float32
    assert (pixels == pixels[:1]).all()
    np.testing.assert_array_equal(pixels, crop(frames, np.random.default_rng(1)))
    assert not np.array_equal(pixels, crop(frames, np.random.default_rng(2)))


def test_a_crop_of_everything_is_a_plain_resize():
    frames = noise(1, 64, 64)
    expected = np.asarray(Image.fromarray(frames[0]).resize((32, 32), Image.Resampling.BICUBIC), np.float32)
    boxes = {WHOLE.crop(64, 64, np.random.default_rng(i)) for i in range(300)}
    assert (0, 0, 64, 64) in boxes  # a ratio near 1
    seed = next(i for i in range(300) if _whole(np.random.default_rng(i)))
    found = transforms.training(32, (0, 0, 0), (1, 1, 1), WHOLE)(frames, np.random.default_rng(seed))
    np.testing.assert_allclose(found[0] * 255, expected.transpose(2, 0, 1), atol=1e-3)


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
