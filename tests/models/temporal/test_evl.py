"""EVL's decoder: where patches are found again, by hand; what it reads, and what it refuses."""

from __future__ import annotations

import pytest
import torch

from stan.config import TrainConfig
from stan.models.attention import attention_weights
from stan.models.backbones import load_clip
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal import build
from stan.training.optim import freeze
from tests.support.moved_weights import moved

FRAMES = 3


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


def of(clip, **options):
    torch.manual_seed(1)
    method = build("evl", clip, FRAMES, options).eval()
    moved(method)
    return method


@torch.no_grad()
def test_where_a_patch_is_found_again(clip):
    """Frame 1 is compared with frame 0 by one table, with frame 2 by the other; the first has none before it."""
    matches, block = of(clip).matches[0], clip.blocks[2]
    given = torch.randn(1, FRAMES, clip.tokens_per_frame, clip.width)
    rows, columns = clip.grid
    width = 2 * columns - 1
    found = matches(block, given, None)
    heads = block.attn.num_heads
    normed = block.ln_1(given[0])
    q, k, _ = torch.nn.functional.linear(normed, block.attn.in_proj_weight, block.attn.in_proj_bias).chunk(
        3, -1
    )
    q, k = (x.unflatten(-1, (heads, -1))[:, 1:] for x in (q, k))  # (T, P, H, d), without the CLS token

    def expected(frame: int, other: int, table: torch.Tensor, patch: int) -> torch.Tensor:
        total = torch.zeros(clip.width)
        for head in range(heads):
            logits = k[other, :, head] @ q[frame, patch, head] * q.shape[-1] ** -0.5
            for place, weight in enumerate(logits.softmax(0)):
                down = patch // columns - place // columns + rows - 1
                right = patch % columns - place % columns + columns - 1
                total += weight * table[down * width + right] / heads
        return total

    for patch in range(clip.patches):
        of_previous, of_following = (
            expected(1, 0, matches.previous, patch),
            expected(1, 2, matches.following, patch),
        )
        torch.testing.assert_close(found[0, 1, patch], of_previous + of_following, atol=1e-5, rtol=1e-5)
        first, last = expected(0, 1, matches.following, patch), expected(2, 1, matches.previous, patch)
        torch.testing.assert_close(found[0, [0, 2], patch], torch.stack([first, last]), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_frame_beside_itself_is_found_as_the_blocks_attention_finds_it(clip):
    """With the same frame twice, the weights are CLIP's own among the patches."""
    matches, block = of(clip).matches[1], clip.blocks[3]
    frame = torch.randn(1, 1, clip.tokens_per_frame, clip.width)
    own = attention_weights(block.attn, block.ln_1(frame[0]))[0, :, 1:, 1:]
    weights = (own / own.sum(-1, keepdim=True)).mean(0)
    found = matches(block, frame.expand(-1, 2, -1, -1), None)[0, 0]
    expected = torch.einsum("q k, q k d -> q d", weights, matches.following[matches.offsets])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("part", ["convolution", "times", "matches"])
def test_each_part_brings_the_order_of_frames(clip, part):
    """Without all three, the query sees a set of frames."""
    others = {"convolution", "times", "matches"} - {part}
    video = torch.randn(1, FRAMES, 3, 48, 48)
    turned = video[:, [1, 2, 0]]
    alone = DualEncoder(clip, of(clip, **dict.fromkeys(others, False))).eval()
    blind = DualEncoder(clip, of(clip, **dict.fromkeys({part, *others}, False))).eval()
    one, other = (alone.encode_video(x).video for x in (video, turned))
    assert (one - other).abs().max() > 1e-4
    torch.testing.assert_close(blind.encode_video(video).video, blind.encode_video(turned).video)


def test_reads_the_last_levels_and_the_one_before_them(clip):
    method = build("evl", clip, FRAMES, {"layers": 2})
    assert method.levels == (3, 4, 5) and method.changes_from == clip.layers
    assert not any("blocks" in name for name, _ in method.named_parameters())


def test_starts_as_in_the_source(clip):
    method = build("evl", clip, FRAMES)
    still = [method.query, *(t.weight for t in method.times), *(m.previous for m in method.matches)]
    assert not any(x.any() for x in [*still, *(m.following for m in method.matches)])
    bound = (6 / (2 * clip.width)) ** 0.5
    for layer in method.layers:
        assert 0.95 * bound < layer.query.weight.abs().max() <= bound
        assert not layer.query.bias.any() and 0 < layer.up.bias.abs().max() < 1e-5


def test_the_query_keeps_no_more_than_what_is_not_dropped(clip):
    video = torch.randn(2, FRAMES, 3, 48, 48)
    model = DualEncoder(clip, of(clip, dropout=0.5))
    still = model.eval().encode_video(video).video
    assert torch.equal(still, model.encode_video(video).video)
    assert (model.train().encode_video(video).video - still).abs().max() > 1e-3


def test_trains_clips_last_norm_though_clip_is_frozen(clip):
    model = DualEncoder(clip, build("evl", clip, FRAMES))
    freeze(model, TrainConfig(frozen="clip"))
    of_clip = {name for name, p in model.clip.named_parameters() if p.requires_grad}
    assert of_clip == {"visual.ln_post.weight", "visual.ln_post.bias"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 6}, "layers=6: this CLIP has 6 blocks, of which the first can't be read"),
        ({"layers": 0}, "layers=0"),
        ({"heads": 5}, "heads=5 don't divide CLIP's 64 channels"),
    ],
)
def test_impossible_settings(clip, options, message):
    with pytest.raises(ValueError, match=message):
        build("evl", clip, FRAMES, options)


def test_more_frames_than_times(clip):
    model = DualEncoder(clip, build("evl", clip, FRAMES))
    with pytest.raises(ValueError, match="4 frames; this model was built for 3 at most"):
        model.encode_video(torch.randn(1, 4, 3, 48, 48))
