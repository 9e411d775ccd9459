"""Settings in which methods compute what their authors' code does, each by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from stan.config import TrainConfig
from stan.models.backbones import from_config, load_clip
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal import build
from stan.models.temporal.dropout import rising, share
from stan.models.video_encoder import VideoEncoder
from stan.training.optim import freeze
from tests.support.moved_weights import moved

WIDTH = 64  # of the tiny CLIP


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


@pytest.fixture
def x():
    """Tokens of two clips with three frames."""
    return torch.randn(2, 3, 17, WIDTH, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def video():
    return torch.randn(2, 3, 3, 48, 48, generator=torch.Generator().manual_seed(2))


def narrow_text() -> dict:
    """A CLIP whose text tower has another width than its embedding."""
    vision = {"image_size": 16, "patch_size": 8, "width": 32, "layers": 2, "head_width": 16}
    text = {"context_length": 6, "vocab_size": 9, "width": 16, "heads": 2, "layers": 1}
    return {"embed_dim": 24, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}


@torch.no_grad()
def test_shifted_channels_come_from_the_next_frame_and_the_one_before(clip, x):
    method = build("temporal_shift", clip, 3, {"divisor": 16})
    shifted = method.inside(0, torch.nn.Identity(), x, None)
    assert torch.equal(shifted[:, :, 0], x[:, :, 0]) and method.moved == 4
    patches, was = shifted[:, :, 1:], x[:, :, 1:]
    assert torch.equal(patches[:, :2, :, :4], was[:, 1:, :, :4]) and not patches[:, 2, :, :4].any()
    assert torch.equal(patches[:, 1:, :, 4:8], was[:, :2, :, 4:8]) and not patches[:, 0, :, 4:8].any()
    assert torch.equal(patches[..., 8:], was[..., 8:])


@pytest.mark.parametrize("divisor", [1, 65])
def test_a_shift_moves_some_channels_and_leaves_some(clip, divisor):
    with pytest.raises(ValueError, match=f"divisor={divisor}: choose 2 to 64"):
        build("temporal_shift", clip, 3, {"divisor": divisor})


@pytest.mark.parametrize("name", ["aim", "joint_space_time"])
@torch.no_grad()
def test_times_before_the_first_norm(clip, video, name):
    method = build(name, clip, 3, {"time_before_norm": True})
    moved(method)
    encoder = VideoEncoder(clip, method).eval()
    tokens = torch.stack([clip.visual.tokens(one) for one in video]) + method.time.weight[:, None]
    torch.testing.assert_close(encoder.embed(video), clip.visual.ln_pre(tokens), atol=1e-5, rtol=0)
    levels = encoder.levels(video)
    assert encoder.levels_to_keep == (-2,) and set(levels) == set(range(-2, clip.layers))
    kept = {-2: levels[-2]}
    torch.testing.assert_close(encoder.from_levels(kept).frames, encoder(video).frames, atol=1e-5, rtol=0)
    torch.testing.assert_close(levels[-1][1], clip.embed(video[1]), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="levels \\[-2\\] are missing"):
        encoder.from_levels({-1: levels[-1]})


@torch.no_grad()
def test_aims_scale_is_that_of_the_adapter_beside_the_mlp(clip, x):
    half, whole = (build("aim", clip, 3, {"scale": scale}) for scale in (0.5, 1.0))
    moved(half)
    whole.load_state_dict(half.state_dict())
    without = half.inside(1, clip.blocks[1], x, None) * 2 - whole.inside(1, clip.blocks[1], x, None)
    none = build("aim", clip, 3, {"scale": 0.0})
    none.load_state_dict(half.state_dict())
    torch.testing.assert_close(none.inside(1, clip.blocks[1], x, None), without, atol=1e-4, rtol=0)


def test_aims_adapters_start_as_in_the_source(clip):
    method = build("aim", clip, 3, {"adapted_input": True})
    for adapters in (method.over_time, method.within, method.beside_mlp, method.before_time):
        down = torch.cat([adapter.down.weight.flatten() for adapter in adapters])
        assert down.std().item() == pytest.approx(0.02, rel=0.05)
        assert not any(part.any() for adapter in adapters for part in (adapter.down.bias, adapter.up.weight))


def test_aims_last_norm_is_trained_where_the_tower_is_frozen(clip):
    for trained in (False, True):
        model = DualEncoder(clip, build("aim", clip, 3, {"trained_norm": trained}))
        freeze(model, TrainConfig(frozen="clip"))
        of_clip = {name for name, p in model.clip.named_parameters() if p.requires_grad}
        assert of_clip == ({"visual.ln_post.weight", "visual.ln_post.bias"} if trained else set())


@torch.no_grad()
def test_st_adapters_norm_after_the_mean_sees_real_frames_only(clip, video):
    method = build("st_adapter", clip, 3, {"norm_after_mean": True})
    moved(method)
    encoder, mask = VideoEncoder(clip, method).eval(), torch.tensor([[True, True, False], [True] * 3])
    *_, (_, last) = encoder.blocks(video, mask)
    found = encoder(video, mask).video
    torch.testing.assert_close(found[0], clip.visual.project(last[0, :2, 0].mean(0)), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[1], clip.visual.project(last[1, :, 0].mean(0)), atol=1e-5, rtol=0)


@torch.no_grad()
def test_st_adapters_of_the_last_blocks_only(clip, x, video):
    method = build("st_adapter", clip, 3, {"layers": 2, "before": "attention and mlp", "last_mlp": True})
    assert (len(method.before_attention), len(method.before_mlp), method.changes_from) == (2, 2, 4)
    moved(method)
    block = clip.blocks[5]
    y = method.before_attention[1](x, None)
    y = y + torch.stack([block.attn(z, z, z, need_weights=False)[0] for z in block.ln_1(y)])
    y = method.before_mlp[1](y, None)
    expected = y + block.mlp(block.ln_2(y))
    torch.testing.assert_close(method.inside(5, block, x, None), expected, atol=1e-4, rtol=0)
    encoder = VideoEncoder(clip, method).eval()
    assert encoder.levels_to_keep == (3,)
    kept = {3: encoder.levels(video)[3]}
    torch.testing.assert_close(encoder.from_levels(kept).frames, encoder(video).frames, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="layers=7: choose 1 to 6"):
        build("st_adapter", clip, 3, {"layers": 7})


@torch.no_grad()
def test_the_last_mlps_adapter_changes_patches_that_nothing_reads(clip, video):
    plain, whole = (build("st_adapter", clip, 3, {"last_mlp": last}) for last in (False, True))
    moved(whole)
    plain.load_state_dict(whole.state_dict(), strict=False)
    torch.testing.assert_close(VideoEncoder(clip, plain)(video), VideoEncoder(clip, whole)(video))


@pytest.mark.parametrize("name", ["x_clip", "aim"])
def test_drop_path_drops_places_of_a_video_in_training_only(clip, x, name):
    torch.manual_seed(0)
    method = build(name, clip, 3, {"drop_path": 0.5})
    moved(method, by=0.2)
    plain = build(name, clip, 3)
    plain.load_state_dict(method.state_dict())
    block = clip.blocks[5]
    with torch.no_grad():
        assert torch.equal(method.eval().inside(5, block, x, None), plain.eval().inside(5, block, x, None))
        method.train()
        first = method.inside(0, clip.blocks[0], x, None)
        assert torch.equal(first, plain.inside(0, clip.blocks[0], x, None))
        torch.manual_seed(3)
        whole = method.inside(5, block, x, None)
        assert (whole - plain.inside(5, block, x, None)).abs().max() > 1e-2
        torch.manual_seed(3)
        with share(1, 1, 2):  # the second of the two videos, by itself
            torch.testing.assert_close(method.inside(5, block, x[1:], None), whole[1:], atol=1e-5, rtol=0)


def test_drop_path_rises_with_depth():
    assert rising(0.2, 5, "aim") == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])
    with pytest.raises(ValueError, match=r"aim: drop_path=1.0: it must be at least 0 and below 1"):
        rising(1.0, 5, "aim")


@torch.no_grad()
def test_actionclips_fusion_as_in_the_source():
    """Blocks of the embedding's width, with heads, activation and eps of their own."""
    clip = from_config(narrow_text())
    with pytest.raises(ValueError, match="the text tower is 16 wide and the embedding 24"):
        build("actionclip", clip, 3)
    with pytest.raises(ValueError, match="5 heads don't divide the 24 channels"):
        build("actionclip", clip, 3, {"heads": 5})
    with pytest.raises(ValueError, match="activation='relu': choose quick_gelu or gelu"):
        build("actionclip", clip, 3, {"heads": 3, "activation": "relu"})
    method = build("actionclip", clip, 3, {"heads": 3, "eps": 0.5, "activation": "gelu", "layers": 1}).eval()
    tokens = torch.randn(2, 3, 5, 32)
    frames = clip.visual.project(tokens[:, :, 0])
    y, block = frames + method.position[:3], method.blocks[0]
    attention = torch.nn.MultiheadAttention(24, 3, batch_first=True)
    attention.load_state_dict(block.attn.state_dict())
    normed = F.layer_norm(y, (24,), block.ln_1.weight, block.ln_1.bias, 0.5)
    y = y + attention(normed, normed, normed, need_weights=False)[0]
    hidden = block.mlp.c_fc(F.layer_norm(y, (24,), block.ln_2.weight, block.ln_2.bias, 0.5))
    expected = y + block.mlp.c_proj(F.gelu(hidden)) + frames
    found = method.after(tokens[:, :, 0], None, None, clip.visual.project)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_actionclips_fusion_with_quick_gelu_on_a_clip_with_gelu(clip, x):
    plain, quick = (
        build("actionclip", clip, 3, {"layers": 1} | more) for more in ({}, {"activation": "quick_gelu"})
    )
    quick.load_state_dict(plain.state_dict())
    y = torch.randn(1, 2, WIDTH)
    block = quick.blocks[0]
    hidden = block.mlp.c_fc(y)
    torch.testing.assert_close(block.mlp(y), block.mlp.c_proj(hidden * torch.sigmoid(1.702 * hidden)))
    assert not torch.allclose(plain.blocks[0].mlp(y), block.mlp(y), atol=1e-6)


@torch.no_grad()
def test_actionclips_untransposed_read(clip, x):
    """Channel c of the convolution gets the numbers that lie T places apart in a video's frames."""
    method = build("actionclip_shift", clip, 3, {"transposed": False})
    method.shift.weight.normal_()
    frames = clip.visual.project(x[:, :, 0])
    weight = method.shift.weight[:, 0]
    for b in range(2):
        memory = F.pad(frames[b].flatten().reshape(WIDTH, 3), (1, 1))
        convolved = sum(weight[:, k, None] * memory[:, k : k + 3] for k in range(3))
        found = method.after(x[:, :, 0], None, None, clip.visual.project)[b]
        torch.testing.assert_close(found, convolved.T + frames[b], atol=1e-5, rtol=0)


@torch.no_grad()
def test_x_clips_integration_may_have_other_heads(clip):
    assert build("x_clip", clip, 3).integration.blocks[0].self_attn.num_heads == 1
    assert build("x_clip", clip, 3, {"heads": 4}).integration.blocks[0].self_attn.num_heads == 4
