"""Crops lie where each source puts them, one draw serves a whole clip, and RandAugment is torchvision's."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from stan.common.torchvision_compat import declare
from stan.data.video import augmentation
from stan.data.video.augmentation import AUGMENTATIONS, OPERATIONS, operation

declare()
from torchvision.transforms import v2  # noqa: E402  only importable once the operators are declared


def clip(frames: int = 1, side: int = 24) -> torch.Tensor:
    return torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (1, 3, side, side), np.uint8).repeat(frames, 0)
    )


KINDS = dict(zip(v2.RandAugment._AUGMENTATION_SPACE, OPERATIONS, strict=True))
"""torchvision's names and ours, in the same order."""


@pytest.mark.parametrize("theirs", KINDS)
@pytest.mark.parametrize("magnitude", [0, 7, 9, 21, 30])
@pytest.mark.parametrize("sign", [1, -1])
def test_an_operation_is_torchvisions(theirs, magnitude, sign):
    reference = v2.RandAugment()
    strengths, signed = reference._AUGMENTATION_SPACE[theirs]
    given = strengths(31, 24, 24)
    strength = 0.0 if given is None else float(given[magnitude]) * (sign if signed else 1)
    expected = reference._apply_image_or_video_transform(
        clip(2), theirs, strength, interpolation=reference.interpolation, fill=reference._fill
    )
    found = operation(clip(2), KINDS[theirs], magnitude / 30, sign)
    assert (found.int() - expected.int()).abs().max() <= 1  # their strengths are rounded to float32


@pytest.mark.parametrize("name", [name for name, one in AUGMENTATIONS.items() if one])
def test_one_draw_serves_all_frames_and_follows_from_the_generator(name):
    frames = clip(4).permute(0, 2, 3, 1).numpy()
    drawn = [AUGMENTATIONS[name](frames, np.random.default_rng(seed)) for seed in range(20)]
    again = [AUGMENTATIONS[name](frames, np.random.default_rng(seed)) for seed in range(20)]
    for one, other in zip(drawn, again, strict=True):
        assert one.shape == frames.shape and one.dtype == np.uint8
        assert (one == one[:1]).all()
        np.testing.assert_array_equal(one, other)


def test_half_of_the_clips_are_mirrored_where_left_and_right_are_alike():
    frames = clip().permute(0, 2, 3, 1).numpy()
    for name, share in (("crop", 0), ("st_adapter-something", 0), ("crop+flip", 1), ("st_adapter", 1)):
        assert AUGMENTATIONS[name].flip == share
    mirrored = [
        np.array_equal(AUGMENTATIONS["crop+flip"](frames, np.random.default_rng(seed)), frames[:, :, ::-1])
        for seed in range(200)
    ]
    assert 70 < sum(mirrored) < 130


def test_a_fifth_of_the_clips_is_gray_and_four_fifths_have_other_colours():
    found = Counter()
    for seed in range(200):
        rng = np.random.default_rng(seed)
        found["same"] += torch.equal(augmentation.colour_jitter(clip(), rng), clip())
        found["gray"] += bool((augmentation.gray(clip(), rng).diff(dim=1) == 0).all())
    assert 20 < found["same"] < 60 and 20 < found["gray"] < 60


def test_clip_vip_takes_the_centre_and_language_bind_a_square_of_the_short_side():
    drawn = range(50)
    for height, width in ((240, 320), (320, 241)):
        boxes = {AUGMENTATIONS["clip_vip"].crop(height, width, np.random.default_rng(seed)) for seed in drawn}
        side = min(height, width)
        assert boxes == {((height - side) // 2, (width - side) // 2, side, side)}
    boxes = {AUGMENTATIONS["language_bind"].crop(240, 320, np.random.default_rng(seed)) for seed in drawn}
    assert {(top, h, w) for top, _, h, w in boxes} == {(0, 240, 240)}
    lefts = [left for _, left, _, _ in boxes]
    assert min(lefts) < 20 and max(lefts) > 60


def test_vivit_scales_the_short_side_by_nine_tenths_to_a_third_more_before_its_crop():
    boxes = [AUGMENTATIONS["vivit"].crop(256, 340, np.random.default_rng(seed)) for seed in range(500)]
    sides = [h for _, _, h, _ in boxes]
    assert all(h == w for _, _, h, w in boxes)
    assert (
        168 <= min(sides) < 175 and 244 < max(sides) <= 249
    )  # 224 of 340 and of 230 pixels, in those of a frame


def test_multi_scale_crops_are_two_neighbouring_sides_at_fixed_places():
    boxes = {
        augmentation.multi_scale_box(256, 340, np.random.default_rng(seed), augmentation.CORNERS_AND_CENTRE)
        for seed in range(2000)
    }
    sides = (256, 224, 192, 168)
    assert {box[2:] for box in boxes} == {
        (h, w) for i, h in enumerate(sides) for k, w in enumerate(sides) if abs(i - k) <= 1
    }
    whole = {box[:2] for box in boxes if box[2:] == (256, 256)}
    assert whole == {(0, 0), (0, 84), (0, 42)}
    assert {box[:2] for box in boxes if box[2:] == (224, 224)} == {
        *((0, 0), (0, 116), (32, 0), (32, 116), (16, 58))
    }


def test_an_enlarged_frame_is_cropped_to_the_square_that_is_left():
    rng = np.random.default_rng(0)
    boxes = [augmentation.square_box(230, 300, rng, (1, 1.15)) for _ in range(500)]
    assert {box[2] for box in boxes} == set(range(200, 231)) and all(box[2] == box[3] for box in boxes)
    assert all(0 <= box[0] <= 230 - box[2] and 0 <= box[1] <= 300 - box[2] for box in boxes)


def test_as_many_operations_as_asked_change_a_clip(monkeypatch):
    asked = []
    monkeypatch.setattr(augmentation, "operation", lambda clip, *given: asked.append(given) or clip)
    for seed in range(200):
        augmentation.rand_augment(clip(), np.random.default_rng(seed), 4, 21)
    assert len(asked) == 800 and {given[0] for given in asked} == set(OPERATIONS)
    assert {given[1:] for given in asked} == {(0.7, 1), (0.7, -1)}
