"""One loop over CLIP's blocks serves live video and kept levels alike."""

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange

from stan.models import video_encoder
from stan.models.backbones import architecture, from_config, load_clip
from stan.models.level_cache import level_cache
from stan.models.temporal import METHODS, build
from stan.models.temporal.base import Temporal
from stan.models.video_encoder import VideoEncoder
from tests.support.moved_weights import moved

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


@pytest.fixture(params=METHODS)
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
    assert {i: tuple(x.shape) for i, x in levels.items()} == dict.fromkeys(range(-1, 6), (2, 4, 17, WIDTH))
    x = clip.embed(video[1])
    torch.testing.assert_close(levels[-1][1], x, atol=1e-5, rtol=0)
    for i, block in enumerate(clip.blocks):
        x = block(x)
        torch.testing.assert_close(levels[i][1], x, atol=1e-5, rtol=0)


@pytest.mark.parametrize("masked", [False, True])
def test_pieces_equal_the_whole(encoder, video, masked, monkeypatch):
    """Without gradients a CPU takes one video after the other where more would be too much at once."""
    mask = torch.tensor([[True] * 4, [True, True, True, False]]) if masked else None
    tower, taken = encoder.clip.visual, []
    tokens = tower.tokens
    monkeypatch.setattr(tower, "tokens", lambda images: taken.append(len(images)) or tokens(images))
    monkeypatch.setattr(video_encoder, "EASILY_TAKEN", 1)
    whole = encoder(video, mask)
    with torch.no_grad():
        pieces = encoder(video, mask)
    assert taken == [8, 4, 4]  # frames
    for one, other in zip(whole, pieces, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_from_levels_equals_live(encoder, video):
    levels = encoder.levels(video)
    kept = {i: levels[i] for i in encoder.levels_to_keep}
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


@pytest.mark.parametrize("mask", [torch.zeros(2, 4, dtype=torch.bool), torch.ones(2, 4, dtype=torch.long)])
def test_a_mask_needs_a_frame_in_each_row(clip, video, mask):
    with pytest.raises(ValueError, match="torch.bool, with a True in each row"):
        VideoEncoder(clip, build("mean", clip, 4))(video, mask)


def test_missing_levels(clip):
    encoder = VideoEncoder(clip, build("stan", clip, 4))
    with pytest.raises(ValueError, match=r"levels \[2, 3, 4\] are missing"):
        encoder.from_levels({5: torch.zeros(1, 4, 17, WIDTH)})


class FromBlockThree(Temporal):
    def __init__(self, clip, frames):
        super().__init__(clip, frames)
        self.changes_from, self.levels = 3, (0, 4, 5)

    def inside(self, i, block, x, mask):
        x = super().inside(i, block, x, mask)
        return x.flip(-1) if i >= 3 else x


def test_of_a_method_inside_clip_the_levels_before_it_are_kept(clip):
    assert VideoEncoder(clip, FromBlockThree(clip, 4)).levels_to_keep == (0, 2)
    assert VideoEncoder(clip, build("aim", clip, 4)).levels_to_keep == (-1,)
    assert VideoEncoder(clip, build("center_clip", clip, 4)).levels_to_keep == (2,)
    assert VideoEncoder(clip, build("mean", clip, 4)).levels_to_keep == (5,)


@torch.no_grad()
def test_levels_are_clips_own_whatever_the_method(clip, video):
    plain, inside = (VideoEncoder(clip, method(clip, 4)) for method in (Temporal, FromBlockThree))
    assert (inside(video).video - plain(video).video).abs().max() > 1e-3
    for i, level in inside.levels(video).items():
        assert torch.equal(level, plain.levels(video)[i])


@pytest.fixture(scope="module")
def of_tubelets():
    torch.manual_seed(0)
    config = architecture("tiny")
    return from_config(config | {"vision_cfg": config["vision_cfg"] | {"tubelet": 2}}).eval()


@torch.no_grad()
def test_a_tubelet_is_a_convolution_over_its_frames(of_tubelets, video):
    encoder = perturbed(of_tubelets, "joint_space_time")
    weight = rearrange(of_tubelets.visual.conv1.weight, "d (z c) h w -> d c z h w", z=2)
    patches = F.conv3d(video.transpose(1, 2), weight, stride=weight.shape[2:])
    patches = rearrange(patches, "b d t h w -> b t (h w) d") + of_tubelets.visual.patch_positions
    torch.testing.assert_close(
        encoder.embed(video)[:, :, 1:], of_tubelets.visual.ln_pre(patches), atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("name", METHODS)
@torch.no_grad()
def test_both_frames_of_a_tubelet_have_its_embedding(of_tubelets, video, name):
    encoder = perturbed(of_tubelets, name)
    assert encoder.temporal.frames == 2
    out = encoder(video)
    assert out.frames.shape == (2, 4, WIDTH) and out.mask.all()
    assert torch.equal(out.frames[:, 0], out.frames[:, 1]) and torch.equal(out.frames[:, 2], out.frames[:, 3])
    kept = encoder.from_levels(encoder.levels(video))
    torch.testing.assert_close(kept.video, out.video, atol=1e-5, rtol=0)
    mask = torch.tensor([[True, True, False, False], [True] * 4])
    padded = encoder(video, mask)
    torch.testing.assert_close(padded.video[0], encoder(video[:1, :2]).video[0], atol=1e-5, rtol=0)
    assert torch.equal(padded.mask, mask)


def test_frames_that_fill_no_tubelet_are_refused(of_tubelets, video):
    with pytest.raises(ValueError, match="frames=5: this CLIP reads 2 at a time"):
        build("mean", of_tubelets, 5)
    with pytest.raises(ValueError, match="3 frames: this model reads 2 at a time"):
        perturbed(of_tubelets, "mean")(video[:, :3])


@torch.no_grad()
def test_kept_levels_have_tubelets(of_tubelets, video, tmp_path):
    encoder = perturbed(of_tubelets, "mean")
    kept = level_cache(tmp_path, encoder, "two clips", (2, 4), lambda: iter(video[:, None]))
    found, expected = encoder.from_levels(kept.rows([0, 1])), encoder(video)
    assert found.frames.shape == expected.frames.shape
    torch.testing.assert_close(found.frames, expected.frames, atol=1e-2, rtol=1e-2)  # kept in half precision
