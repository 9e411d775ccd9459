"""Attention maps are the weights that the model used, and looking changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from einops import rearrange

from stan.config import ModelConfig
from stan.explain import NOTE, attention, attention_of
from stan.models.attention import attend, attention_weights
from stan.models.dual_encoder import DualEncoder, build
from tests.support.small_clips import write_clip

FRAMES = 4


def tiny(temporal: str = "stan", **options) -> DualEncoder:
    torch.manual_seed(0)
    model = build(ModelConfig(pretrained="random", temporal=temporal, options=options), FRAMES).eval()
    for name, parameter in model.temporal.named_parameters():
        if "temporal_fc" in name:  # zero at the start, which would hide what crosses frames
            torch.nn.init.normal_(parameter, std=0.05)
    return model


@pytest.fixture(scope="module")
def model() -> DualEncoder:
    return tiny()


@pytest.fixture(scope="module")
def pixels(model) -> torch.Tensor:
    size = model.clip.image_size
    return torch.randn(FRAMES, 3, size, size, generator=torch.Generator().manual_seed(1))


def test_shapes(model, pixels):
    maps, _ = attention_of(model, pixels)
    clip, layers = model.clip, len(model.temporal.layers)
    assert maps["clip"].shape == (clip.layers, FRAMES, clip.heads, *clip.grid)
    assert maps["branch"].shape == (layers, FRAMES, clip.heads, *clip.grid)
    assert maps["temporal"].shape == (layers, clip.heads, *clip.grid, FRAMES, FRAMES)


def test_looking_changes_no_bit_of_the_output(model, pixels):
    with torch.no_grad():
        before = model.encode_video(pixels[None])
        _, during = attention_of(model, pixels)
        after = model.encode_video(pixels[None])
    assert torch.equal(before.frames, during.frames) and torch.equal(before.video, during.video)
    assert torch.equal(before.frames, after.frames)


def test_no_hook_stays_behind(model, pixels):
    attention_of(model, pixels)
    assert not any(module._forward_hooks for module in model.modules())


def test_weights_are_shares(model, pixels):
    maps, _ = attention_of(model, pixels)
    assert torch.allclose(torch.tensor(maps["temporal"]).sum(-1), torch.ones(()), atol=1e-5)
    for name in ("clip", "branch"):
        total = maps[name].sum((-1, -2))
        assert (maps[name] >= 0).all() and (total < 1).all() and (total > 0).all()


def test_the_weights_give_the_attentions_own_output(model):
    """What CLIP's module and the branch's fast path return is these weights times the values."""
    x = torch.randn(2, 5, model.clip.width)
    module = model.clip.blocks[0].attn
    with torch.no_grad():
        weights = attention_weights(module, x)
        values = torch.nn.functional.linear(x, module.in_proj_weight, module.in_proj_bias).chunk(3, -1)[2]
        values = rearrange(values, "n s (h d) -> n h s d", h=module.num_heads)
        mixed = module.out_proj(rearrange(weights @ values, "n h s d -> n s (h d)"))
        assert torch.allclose(mixed, module(x, x, x, need_weights=False)[0], atol=1e-5)
        assert torch.allclose(mixed, attend(module, x), atol=1e-5)


def test_clips_maps_are_those_of_its_own_blocks(model, pixels):
    """The input of block 2 is the output of block 1, run without any hook."""
    maps, _ = attention_of(model, pixels)
    with torch.no_grad():
        x = model.clip.embed(pixels)
        for block in model.clip.blocks[:2]:
            x = block(x)
        expected = model.clip.attention(2, x)[:, :, 0, 1:]
    found = rearrange(torch.tensor(maps["clip"][2]), "t heads h w -> t heads (h w)")
    assert torch.allclose(found, expected, atol=1e-6)


def test_a_patch_stands_where_it_is_in_the_picture(model):
    """Only one patch changes over time, so only there does attention over time depart from even."""
    size, (height, width) = model.clip.image_size, model.clip.grid
    side = size // height
    pixels = torch.zeros(FRAMES, 3, size, size)
    row, column = 1, width - 2
    for t in range(FRAMES):
        pixels[t, :, row * side : (row + 1) * side, column * side : (column + 1) * side] = 2.0 * t
    clip_only = tiny(first_input="paper", layers=1, levels=[0])
    clip_only.temporal.time.weight.data.zero_()
    with torch.no_grad():
        for block in clip_only.clip.blocks[:1]:  # without mixing in the block below, places stay apart
            block.attn.out_proj.weight.zero_()
            block.attn.out_proj.bias.zero_()
    maps, _ = attention_of(clip_only, pixels)
    uneven = torch.tensor(maps["temporal"][0]).sub(1 / FRAMES).abs().amax((0, 3, 4))
    assert uneven[row, column] > 1e-4
    uneven[row, column] = 0
    assert uneven.max() < 1e-5


@pytest.mark.parametrize(
    ("temporal", "options", "branch", "over_time"),
    [
        ("mean", {}, False, False),
        ("sequence_transformer", {}, False, False),
        ("stan", {"cross_frame": "convolution"}, True, False),
        ("stan", {"intra_frame": False}, False, True),
        ("stan", {"branch": False, "multi_level": False}, True, True),
        ("evl", {}, True, False),
        ("uniformer_v2", {}, True, False),
        ("uniformer_v2", {"layers": 0, "convolutions": 2}, False, False),
    ],
)
def test_what_a_model_lacks_is_none(pixels, temporal, options, branch, over_time):
    maps, _ = attention_of(tiny(temporal, **options), pixels)
    assert maps["clip"] is not None
    assert (maps["branch"] is not None, maps["temporal"] is not None) == (branch, over_time)


@pytest.mark.parametrize("name", ["evl", "uniformer_v2"])
@torch.no_grad()
def test_a_query_looks_at_all_frames_at_once(pixels, name):
    """With keys that are all alike, every token of every frame gets the same share."""
    model = tiny(name, layers=2)
    for layer in model.temporal.layers:
        layer.key.weight.zero_()
    maps, _ = attention_of(model, pixels)
    clip = model.clip
    assert maps["branch"].shape == (2, FRAMES, clip.heads, *clip.grid)
    np.testing.assert_allclose(maps["branch"], 1 / (FRAMES * clip.tokens_per_frame), rtol=1e-5)


def test_of_a_file(model, tmp_path):
    seen = attention(model, write_clip(tmp_path / "clip.mp4", (250, 20, 20)), frames=3)
    size = model.clip.image_size
    assert seen.pixels.shape == (3, size, size, 3) and seen.times.shape == (3,)
    assert seen.temporal.shape[-2:] == (3, 3)
    red = seen.pixels.reshape(-1, 3).astype(int)
    assert (red[:, 0] - red[:, 1]).max() > 150, "what is shown has the clip's own colours"
    assert seen.note == NOTE and "not an explanation" in NOTE


@pytest.mark.parametrize(("mode", "bars"), [("longest", True), ("squash", False)])
def test_a_frame_read_whole_is_shown_whole(mode, bars, tmp_path):
    """A wide red clip: with gray bars above and below it, or drawn out to a square; patches lie on both."""
    model = tiny()
    model.clip.pixels = replace(model.clip.pixels, resize_mode=mode, fill_color=128)
    seen = attention(model, write_clip(tmp_path / "clip.mp4", (250, 20, 20), size=(48, 96)), frames=3)
    height = seen.pixels.shape[1]
    gray = (seen.pixels == 128).all((0, 2, 3))
    assert gray.tolist() == [bars and not height // 4 <= row < 3 * height // 4 for row in range(height)]
    assert seen.clip.shape[-2:] == model.clip.grid


def test_more_frames_than_the_model_can_place(model, tmp_path):
    clip = write_clip(tmp_path / "clip.mp4")
    with pytest.raises(ValueError, match="frames"):
        attention(model, clip, frames=65)
