"""One loop over CLIP's blocks serves live video and kept levels alike."""

import pytest
import torch

from stan.models.clip import load_clip
from stan.models.video_encoder import VideoEncoder
from stan.temporal import METHODS, build
from stan.temporal.base import Temporal
from tests.moved_weights import moved

WIDTH = 64  # of the tiny CLIP


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


def perturbed(clip, name, frames=4, **options):
    """An encoder whose zero-initialised weights aren't zero any more."""
    torch.manual_seed(1)
    encoder = VideoEncoder(clip, build(name, clip, frames, options)).eval()
    moved(encoder.temporal)
    return encoder


@pytest.fixture(params=[name for name, method in METHODS.items() if not method.changes_clip])
def encoder(request, clip):
    return perturbed(clip, request.param)


@pytest.fixture
def video():
    return torch.randn(2, 4, 3, 48, 48, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def test_mean_of_one_frame_is_clip_itself(clip, video):
    out = VideoEncoder(clip, build("mean", clip, 4))(video)
    frames = torch.stack([clip.encode_image(frames) for frames in video])
    torch.testing.assert_close(out.frames, frames, atol=1e-6, rtol=0)
    torch.testing.assert_close(out.video, frames.mean(1), atol=1e-6, rtol=0)


@torch.no_grad()
def test_levels_are_the_blocks_outputs(clip, video):
    levels = VideoEncoder(clip, build("mean", clip, 4)).levels(video)
    assert [tuple(x.shape) for x in levels] == [(2, 4, 17, WIDTH)] * 6
    x = clip.embed(video[1])
    for level, block in zip(levels, clip.blocks, strict=True):
        x = block(x)
        torch.testing.assert_close(level[1], x, atol=1e-5, rtol=0)


@torch.no_grad()
def test_from_levels_equals_live(encoder, video):
    levels = encoder.levels(video)
    kept = {i: levels[i] for i in encoder.temporal.levels}
    for masked in (None, torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]], dtype=torch.bool)):
        live, cached = encoder(video, masked), encoder.from_levels(kept, masked)
        torch.testing.assert_close(cached.frames, live.frames, atol=1e-6, rtol=0)
        torch.testing.assert_close(cached.video, live.video, atol=1e-6, rtol=0)


@torch.no_grad()
def test_three_frames_are_not_three_channels(encoder, video):
    out = encoder(video[:, :3])
    assert out.frames.shape == (2, 3, WIDTH) and out.video.shape == (2, WIDTH)


def test_no_gradient_in_levels(clip, video):
    assert not VideoEncoder(clip, build("mean", clip, 4)).levels(video)[0].requires_grad


@pytest.mark.parametrize("shape", [(4, 3, 48, 48), (1, 3, 4, 48, 48), (1, 4, 3, 32, 32), (1, 0, 3, 48, 48)])
def test_wrong_shapes(clip, shape):
    with pytest.raises(ValueError, match=r"expected \(videos, frames, 3, 48, 48\)"):
        VideoEncoder(clip, build("mean", clip, 4))(torch.zeros(shape))


def test_a_mask_needs_a_frame_in_each_row(clip, video):
    with pytest.raises(ValueError, match="with a True in each row"):
        VideoEncoder(clip, build("mean", clip, 4))(video, torch.zeros(2, 4, dtype=torch.bool))


def test_missing_levels(clip):
    encoder = VideoEncoder(clip, build("stan", clip, 4))
    with pytest.raises(ValueError, match=r"levels \[2, 3, 4\] are missing"):
        encoder.from_levels({5: torch.zeros(1, 4, 17, WIDTH)})


class Inside(Temporal):
    changes_clip = True

    def inside(self, i, block, x, mask):
        return super().inside(i, block, x, mask).flip(-1)


def test_methods_inside_clip_have_no_kept_levels(clip, video):
    encoder = VideoEncoder(clip, Inside(clip, 4))
    assert (encoder(video).video - VideoEncoder(clip, Temporal(clip, 4))(video).video).abs().max() > 1e-3
    with pytest.raises(ValueError, match="Inside works inside CLIP's blocks"):
        encoder.levels(video)
