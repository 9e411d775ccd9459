"""What CLIP4Clip, CLIP2Video, CenterCLIP and Efficient-Prompt set otherwise than our defaults, by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from stan.models.backbones import load_clip
from stan.models.temporal import build
from stan.models.video_encoder import VideoEncoder

WIDTH = 64  # of the tiny CLIP
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 0, 0, 0]], dtype=torch.bool)


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


@pytest.fixture
def video():
    return torch.randn(3, 4, 3, 48, 48, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("name", ["sequence_transformer", "temporal_difference", "center_clip"])
@torch.no_grad()
def test_frames_of_length_one_are_averaged(clip, video, name):
    found = VideoEncoder(clip, build(name, clip, 4, {"normalised": True}))(video, MASK)
    for frames, mean, real in zip(found.frames, found.video, MASK, strict=True):
        torch.testing.assert_close(mean, F.normalize(frames[real], dim=1).mean(0))
    as_they_are = VideoEncoder(clip, build(name, clip, 4))(video, MASK)
    torch.testing.assert_close(as_they_are.video[2], as_they_are.frames[2, 0])


@pytest.mark.parametrize("name", ["sequence_transformer", "temporal_difference"])
def test_eps_is_that_of_the_added_blocks_alone(clip, name):
    def eps(options):
        method = build(name, clip, 4, options)
        return {norm.eps for block in method.blocks for norm in (block.ln_1, block.ln_2)}

    assert eps({"eps": 1e-12}) == {1e-12} and eps({}) == {1e-5}
    assert {block.ln_1.eps for block in clip.text.transformer.resblocks} == {1e-5}


@pytest.mark.parametrize("name", ["sequence_transformer", "temporal_difference"])
def test_further_blocks_are_drawn(clip, name):
    torch.manual_seed(1)
    blocks = build(name, clip, 4, {"layers": 2, "further": 2}).blocks
    theirs = clip.text.transformer.resblocks
    same = [
        torch.equal(block.mlp.c_fc.weight, text.mlp.c_fc.weight)
        for block, text in zip(blocks, theirs, strict=True)
    ]
    assert same == [True, True, False, False]
    assert blocks[3].mlp.c_fc.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not blocks[2].mlp.c_fc.bias.any() and blocks[2].mlp.c_fc.weight.requires_grad


def test_a_difference_may_count_by_its_first_frame(clip):
    both, first = (
        build("temporal_difference", clip, 4, {"first_frame_mask": by}).turns_mask(MASK[1:])
        for by in (False, True)
    )
    # frame, difference to the next, frame, ...
    assert both.int().tolist() == [[1, 1, 1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]]
    assert first.int().tolist() == [[1, 1, 1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0]]


@pytest.mark.parametrize("count", [1, 2, 3])
@torch.no_grad()
def test_differences_of_padding_are_numbers(clip, video, count):
    encoder = VideoEncoder(clip, build("temporal_difference", clip, 4, {"first_frame_mask": True}))
    mask = MASK[:, :count]
    assert encoder(video[:, :count], mask).video.isfinite().all()


@torch.no_grad()
def test_clustering_may_ignore_the_mask(clip, video):
    options = {"block": 3, "clusters": 9, "normalised": True}
    as_released = VideoEncoder(clip, build("center_clip", clip, 4, options | {"unmasked": True}))
    whole, padded = as_released(video), as_released(video, MASK)
    torch.testing.assert_close(padded.frames, whole.frames)  # what is padding takes part all the same
    first, second = F.normalize(whole.frames[:, ::2], dim=-1).unbind(1)
    torch.testing.assert_close(padded.video[0], (first[0] + second[0]) / 2)
    torch.testing.assert_close(padded.video[1], first[1])  # the second segment's last frame is padding
    torch.testing.assert_close(
        padded.video[2], first[2]
    )  # as the only segment there is, though its last is, too
    masked = VideoEncoder(clip, build("center_clip", clip, 4, options))(video, MASK)
    assert (masked.frames[2, 0] - padded.frames[2, 0]).abs().max() > 1e-3


def test_text_vectors_may_come_from_a_table_by_place(clip):
    method = build("efficient_prompting", clip, 4, {"prefix": 2, "suffix": 1, "table": True})
    x = torch.randn(2, 6, WIDTH)
    tokens, end = method.text_tokens(x, torch.tensor([2, 4]))  # one word, three words
    table = method.table
    assert end.tolist() == [5, 7] and table.shape == (77, WIDTH)
    one = [x[0, 0], table[1], table[2], x[0, 1], table[4], x[0, 2], *table[6:9]]
    three = [x[1, 0], table[1], table[2], *x[1, 1:4], table[6], x[1, 4], table[8]]
    assert torch.equal(tokens, torch.stack([torch.stack(one), torch.stack(three)]))


def test_heads_of_the_blocks_are_a_setting(clip):
    blocks = build("efficient_prompting", clip, 4, {"heads": 8}).blocks
    assert [block.attn.num_heads for block in blocks] == [8, 8]
    with pytest.raises(ValueError, match="7 heads don't divide the 64 channels"):
        build("efficient_prompting", clip, 4, {"heads": 7})
