"""Methods that read CLIP's frame embeddings, by hand: what their sources say they start from and compute."""

import pytest
import torch

from stan.models.backbones import from_config, load_clip
from stan.models.temporal import build

WIDTH = 64  # of the tiny CLIP


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


@pytest.fixture
def x():
    """The last block's tokens of one clip with three frames."""
    return torch.randn(1, 3, 17, WIDTH, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_temporal_difference_by_hand(clip, x):
    method = build("temporal_difference", clip, 3, {"layers": 2}).eval()
    method.norm.weight.normal_()
    text, frames = clip.text, clip.visual.project(x[:, :, 0])
    position, blocks = text.positional_embedding, text.transformer.resblocks
    changes = blocks[0](frames[:, 1:] - frames[:, :-1] + position[1:3])
    changes = 2 * torch.sigmoid(method.norm(changes)) - 1
    turns = torch.stack([frames[0, 0], changes[0, 0], frames[0, 1], changes[0, 1], frames[0, 2]])
    turns = turns + position[[0, 0, 1, 1, 2]] + position[[1, 0, 1, 0, 1]]
    mixed = blocks[1](blocks[0](turns[None]))
    found = method.after(x[:, :, 0], None, None, clip.visual.project)
    torch.testing.assert_close(found, mixed[:, [0, 2, 4]] + frames, atol=1e-5, rtol=0)


def test_temporal_difference_learns_blocks_of_its_own(clip):
    method = build("temporal_difference", clip, 3)
    assert (len(method.difference), len(method.blocks)) == (1, 4)
    first = [block.attn.in_proj_weight for block in (method.difference[0], method.blocks[0])]
    theirs = clip.text.transformer.resblocks[0].attn.in_proj_weight
    assert all(torch.equal(weight, theirs) and weight is not theirs for weight in first)
    assert first[0] is not first[1]


@torch.no_grad()
def test_actionclip_by_hand(clip, x):
    method = build("actionclip", clip, 3).eval()
    frames = clip.visual.project(x[:, :, 0])
    y = frames + method.position[:3]
    for block in method.blocks:
        y = block(y)
    assert len(method.blocks) == 6
    torch.testing.assert_close(method.after(x[:, :, 0], None, None, clip.visual.project), y + frames)


@torch.no_grad()
def test_actionclips_shift_moves_a_quarter_each_way(clip, x):
    frames = clip.visual.project(x[:, :, 0])
    moved = build("actionclip_shift", clip, 3).after(x[:, :, 0], None, None, clip.visual.project) - frames
    before, same, after = moved.split([WIDTH // 4, WIDTH // 2, WIDTH // 4], 2)
    own = frames.split([WIDTH // 4, WIDTH // 2, WIDTH // 4], 2)
    torch.testing.assert_close(before[:, 1:], own[0][:, :-1], atol=1e-6, rtol=0)
    torch.testing.assert_close(same, own[1], atol=1e-6, rtol=0)
    torch.testing.assert_close(after[:, :-1], own[2][:, 1:], atol=1e-6, rtol=0)
    assert before[:, 0].abs().max() < 1e-6 and after[:, -1].abs().max() < 1e-6


@torch.no_grad()
def test_factorised_encoder_by_hand(clip, x):
    method = build("factorised_encoder", clip, 3, {"layers": 1}).eval()
    y = torch.cat([method.cls[None, None], clip.visual.project(x[:, :, 0])], 1) + method.position[:4]
    expected = method.norm(method.blocks[0](y)[:, 0])
    found = method.after(x[:, :, 0], None, None, clip.visual.project)
    torch.testing.assert_close(found, expected[:, None].expand(-1, 3, -1), atol=1e-6, rtol=0)


@torch.no_grad()
def test_efficient_prompting_by_hand(clip, x):
    method = build("efficient_prompting", clip, 3).eval()
    y = clip.visual.project(x[:, :, 0]) + method.position
    for block in method.blocks:
        y = block(y)
    assert (len(method.blocks), len(method.prefix), len(method.suffix)) == (2, 16, 16)
    torch.testing.assert_close(method.after(x[:, :, 0], None, None, clip.visual.project), y)


@pytest.mark.parametrize(("name", "std"), [("actionclip", 0.02), ("factorised_encoder", 0.02)])
def test_drawn_blocks_have_nothing_of_clips(clip, name, std):
    block = build(name, clip, 3).blocks[0]
    theirs = clip.text.transformer.resblocks[0]
    assert not torch.equal(block.attn.in_proj_weight, theirs.attn.in_proj_weight)
    assert block.mlp.c_fc.weight.std().item() == pytest.approx(std, rel=0.1)
    assert not block.mlp.c_fc.bias.any() and (block.ln_1.weight == 1).all()


def words(method, length, end):
    """Where what the text tower would read comes from: a word's place, or 100 and 200 upwards for learned vectors."""
    with torch.no_grad():
        for vectors, first in ((method.prefix, 100), (method.suffix, 200)):
            vectors.copy_((first + torch.arange(len(vectors)))[:, None].expand_as(vectors))
        x = torch.arange(length)[None, :, None].expand(1, -1, WIDTH).float()
        y, places = method.text_tokens(x, torch.tensor([end]))
    return y[0, :, 0].int().tolist(), places.item()


def test_learned_vectors_stand_around_the_words(clip):
    method = build("efficient_prompting", clip, 3, {"prefix": 2, "suffix": 3})
    read, end = words(method, length=6, end=4)
    assert read[: end + 1] == [0, 100, 101, 1, 2, 3, 200, 201, 202, 4]
    assert len(read) == 6 + 5


def test_words_that_leave_no_room_are_cut_before_the_end_token(clip):
    method = build("efficient_prompting", clip, 3, {"prefix": 2, "suffix": 3})
    read, end = words(method, length=77, end=76)
    assert (len(read), end, read[-1]) == (77, 76, 76)
    assert read[:4] == [0, 100, 101, 1] and read[-4:-1] == [200, 201, 202] and read[-5] == 70


def test_learned_vectors_need_room(clip):
    with pytest.raises(ValueError, match="prefix=40, suffix=40: .* 77 tokens"):
        build("efficient_prompting", clip, 3, {"prefix": 40, "suffix": 40})


@pytest.mark.parametrize(
    "name", ["temporal_difference", "actionclip", "efficient_prompting", "factorised_encoder"]
)
def test_blocks_need_a_text_tower_as_wide_as_the_embedding(name):
    tower = {"width": 24, "layers": 1}
    vision = tower | {"image_size": 16, "patch_size": 8, "head_width": 12}
    narrow = from_config({"embed_dim": 16, "vision_cfg": vision, "text_cfg": tower | {"heads": 2}})
    with pytest.raises(ValueError, match=f"{name} takes .* text tower is 24 wide and the embedding 16"):
        build(name, narrow, 8)


@pytest.mark.parametrize("name", ["actionclip", "efficient_prompting"])
def test_more_frames_than_positions(clip, name):
    method = build(name, clip, 3)
    with pytest.raises(ValueError, match="78 frames; this model has"):
        method.after(torch.zeros(1, 78, WIDTH), None, None, clip.visual.project)
