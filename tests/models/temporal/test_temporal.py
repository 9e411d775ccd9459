"""The registry of temporal methods, what they share, and CLIP4Clip's sequence transformer."""

import pytest
import torch

from stan.models.backbones import from_config, load_clip
from stan.models.temporal import METHODS, build
from stan.models.temporal.base import mean_over_frames
from stan.models.video_encoder import VideoEncoder

WIDTH = 64  # of the tiny CLIP


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


def test_masked_mean():
    x = torch.tensor([[[1.0], [3.0], [100.0]], [[1.0], [2.0], [3.0]]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]], dtype=torch.bool)
    assert mean_over_frames(x, mask).tolist() == [[2.0], [2.0]]
    assert mean_over_frames(x, None, keepdim=True).shape == (2, 1, 1)


def test_unknown_method_and_option(clip):
    with pytest.raises(ValueError, match="'lstm' is not known; there are mean, sequence_transformer, stan"):
        build("lstm", clip, 8)
    with pytest.raises(ValueError, match="stan has no option depth; it has layers, interval"):
        build("stan", clip, 8, {"depth": 3})
    with pytest.raises(ValueError, match="mean has no option layers; it has normalised"):
        build("mean", clip, 8, {"layers": 3})


@pytest.mark.parametrize("name", METHODS)
def test_levels_end_with_the_last_block(clip, name):
    levels = build(name, clip, 8).levels
    assert levels[-1] == clip.layers - 1 and list(levels) == sorted(set(levels))


@pytest.mark.parametrize("name", METHODS)
def test_clip_is_not_registered_twice(clip, name):
    theirs = {id(parameter) for parameter in clip.parameters()}
    assert not any(id(parameter) in theirs for parameter in build(name, clip, 8).parameters())


def test_sequence_transformer_starts_as_clips_text_tower(clip):
    method = build("sequence_transformer", clip, 8)
    torch.testing.assert_close(method.position, clip.text.positional_embedding)
    assert len(method.blocks) == 4
    copied = clip.text.transformer.resblocks[3].mlp.c_fc.weight
    assert (
        torch.equal(method.blocks[3].mlp.c_fc.weight, copied)
        and method.blocks[3].mlp.c_fc.weight is not copied
    )


@torch.no_grad()
def test_sequence_transformer_by_hand(clip):
    method = build("sequence_transformer", clip, 3, {"layers": 1}).eval()
    x = torch.randn(1, 3, 17, WIDTH)
    frames = clip.visual.project(x[:, :, 0])
    expected = frames + method.blocks[0](frames + method.position[:3])
    torch.testing.assert_close(method.after(x[:, :, 0], None, None, clip.visual.project), expected)


def test_sequence_transformer_needs_a_text_tower_as_wide_as_the_embedding():
    tower = {"width": 24, "layers": 1}
    config = {
        "embed_dim": 16,
        "vision_cfg": tower | {"image_size": 16, "patch_size": 8, "head_width": 12},
        "text_cfg": tower | {"heads": 2},
    }
    with pytest.raises(ValueError, match="text tower is 24 wide and the embedding 16"):
        build("sequence_transformer", from_config(config), 8)


@pytest.mark.parametrize(("frames", "options"), [(8, {"layers": 5}), (78, {})])
def test_sequence_transformer_refuses_more_than_there_is_to_copy(clip, frames, options):
    with pytest.raises(ValueError, match="to copy"):
        build("sequence_transformer", clip, frames, options)


def test_gradients_reach_the_sequence_transformer(clip):
    encoder = VideoEncoder(clip, build("sequence_transformer", clip, 77))
    encoder.from_levels({5: torch.randn(1, 77, 17, WIDTH)}).video.square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in encoder.temporal.parameters())
