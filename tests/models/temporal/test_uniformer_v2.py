"""UniFormerV2: what its query sees of a patch, and how it is mixed with CLIP, by hand; convolutions and their norm."""

from __future__ import annotations

import pytest
import torch

from stan.config import TrainConfig
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


@pytest.fixture
def video():
    return torch.randn(2, FRAMES, 3, 48, 48, generator=torch.Generator().manual_seed(2))


def of(clip, **options):
    torch.manual_seed(1)
    method = build("uniformer_v2", clip, FRAMES, options).eval()
    moved(method)
    return method


@torch.no_grad()
def test_starts_as_clip_whose_frames_are_averaged_before_the_last_norm(clip, video):
    model = DualEncoder(clip, build("uniformer_v2", clip, FRAMES, {"convolutions": 2})).eval()
    with_clip_alone = DualEncoder(clip, build("mean", clip, FRAMES)).eval()
    cls = clip.visual.pool(dict(with_clip_alone.encoder.blocks(video))[clip.layers - 1])
    # half of the mean has the mean's direction, and the norm has an eps
    expected = clip.visual.project(cls.mean(1) / 2)
    torch.testing.assert_close(model.encode_video(video).video, expected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_what_the_query_sees_of_a_patch(clip):
    """Each channel's 27 neighbours in space and time, by one weight each; beyond borders and real frames are zeros."""
    method, (rows, columns) = of(clip), clip.grid
    x = torch.randn(1, FRAMES, clip.tokens_per_frame, clip.width)
    mask = torch.tensor([[True, True, False]])
    seen, convolution = method.read(1, x, mask), method.neighbours[1]
    patches = (x[:, :, 1:] * mask[..., None, None]).unflatten(2, (rows, columns))
    for frame, row, column in [(0, 0, 0), (1, 1, 2), (1, rows - 1, columns - 1)]:
        expected = patches[0, frame, row, column] + convolution.bias
        for t in range(max(0, frame - 1), min(FRAMES, frame + 2)):
            for h in range(max(0, row - 1), min(rows, row + 2)):
                for w in range(max(0, column - 1), min(columns, column + 2)):
                    weight = convolution.weight[:, 0, t - frame + 1, h - row + 1, w - column + 1]
                    expected = expected + weight * patches[0, t, h, w]
        found = seen[0, frame, 1 + row * columns + column]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(seen[:, :, 0], x[:, :, 0])


@torch.no_grad()
def test_the_query_is_mixed_with_clips_own_mean_in_shares(clip):
    method = of(clip)
    query, cls = torch.randn(1, 1, clip.width), torch.randn(1, FRAMES, clip.width)
    mask = torch.tensor([[True, True, False]])
    method.balance.copy_(torch.full_like(method.balance, -1e4).index_fill(0, torch.arange(10), 1e4))
    found = method.after(cls, query, mask, lambda x: x)
    assert torch.equal(found[0, 2, :10], cls[0, :2, :10].mean(0)) and torch.equal(
        found[0, 1, 10:], query[0, 0, 10:]
    )
    alone = of(clip, mixed=False)
    assert alone.balance is None and torch.equal(alone.after(cls, query, mask, lambda x: x)[:, :1], query)


@torch.no_grad()
def test_without_a_query_the_video_is_the_mean_of_clips_own_tokens(clip, video):
    model = DualEncoder(clip, of(clip, layers=0, convolutions=2)).eval()
    cls = clip.visual.pool(dict(model.encoder.blocks(video))[clip.layers - 1])
    torch.testing.assert_close(model.encode_video(video).video, clip.visual.project(cls.mean(1)))
    with_clip_alone = DualEncoder(clip, build("mean", clip, FRAMES)).eval()
    assert (cls - clip.visual.pool(dict(with_clip_alone.encoder.blocks(video))[5])).abs().max() > 0.1


@torch.no_grad()
@pytest.mark.parametrize("norm", ["layer", "none"])
def test_another_norm_before_a_convolution_sees_each_patch_by_itself(clip, norm):
    """So the other videos of a batch, in training and later, change nothing."""
    convolution = of(clip, convolutions=1, norm=norm).before_attention[0].train()
    x = torch.randn(2, FRAMES, 1 + clip.patches, clip.width)
    alone, together = (convolution(part, None, torch.nn.Identity()) for part in (x[:1], x))
    torch.testing.assert_close(alone, together[:1])
    y = x[:, :, 1:]
    if norm == "layer":
        y = (y - y.mean(-1, keepdim=True)) / (y.var(-1, keepdim=True, unbiased=False) + 1e-5).sqrt()
        y = y * convolution.norm.weight + convolution.norm.bias
    padded = torch.nn.functional.pad(convolution.down(y), (0, 0, 0, 0, 1, 1))
    weights = convolution.over_time.weight[:, 0, :, 0, 0].T
    over_time = sum(padded[:, k : k + FRAMES] * weights[k] for k in range(3)) + convolution.over_time.bias
    torch.testing.assert_close(together[:, :, 1:], x[:, :, 1:] + convolution.up(over_time))


@torch.no_grad()
def test_a_convolution_over_time(clip):
    """The statistics are those that were learned; zeros stand beyond a clip's real frames."""
    convolution = of(clip, convolutions=1, bottleneck=3).before_attention[2]
    norm = convolution.norm
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    x, mask = torch.randn(1, FRAMES, 1 + clip.patches, clip.width), torch.tensor([[True, True, False]])
    found = convolution(x, mask, torch.nn.Identity())
    y = (x[0, :, 1:] - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
    y = y @ convolution.down.weight.T + convolution.down.bias
    before, own, after = convolution.over_time.weight[:, 0, :, 0, 0].T
    second = own * y[1] + before * y[0] + convolution.over_time.bias  # frame 2 is padding
    first = own * y[0] + after * y[1] + convolution.over_time.bias
    added = torch.stack([first, second]) @ convolution.up.weight.T + convolution.up.bias
    torch.testing.assert_close(found[0, :2, 1:], x[0, :2, 1:] + added, atol=1e-5, rtol=1e-5)
    assert torch.equal(found[:, :, 0], x[:, :, 0])


def test_the_norms_statistics_are_of_real_frames(clip):
    """Padding frames change neither what training sees nor what is kept for later."""
    x = torch.randn(1, FRAMES, 1 + clip.patches, clip.width)
    padded, short = (of(clip, convolutions=1).before_attention[0].train() for _ in range(2))
    whole = padded(x, torch.tensor([[True, True, False]]), torch.nn.Identity())[:, :2]
    torch.testing.assert_close(whole, short(x[:, :2], None, torch.nn.Identity()))
    torch.testing.assert_close(padded.norm.running_mean, short.norm.running_mean)
    torch.testing.assert_close(padded.norm.running_var, short.norm.running_var)
    mean = x[0, :2, 1:].flatten(0, 1).mean(0)
    torch.testing.assert_close(padded.norm.running_mean, 0.1 * mean)


@pytest.mark.parametrize(
    ("options", "changes_from", "levels"),
    [
        ({"layers": 2}, 6, (4, 5)),
        ({"layers": 6}, 6, (0, 1, 2, 3, 4, 5)),
        ({"convolutions": 1}, 0, (2, 3, 4, 5)),
        ({"convolutions": 1, "layers": 0}, 0, (5,)),
        ({"block_drop_path": 0.1}, 0, (2, 3, 4, 5)),
    ],
)
def test_what_it_reads_and_changes(clip, options, changes_from, levels):
    method = build("uniformer_v2", clip, FRAMES, options)
    assert (method.changes_from, method.levels) == (changes_from, levels)
    counts = [len(method.before_attention), len(method.before_mlp)]
    assert counts == [6 * (options.get("convolutions", 0) > k) for k in (0, 1)]


@pytest.mark.parametrize("options", [{"dropout": 0.5}, {"drop_path": 0.5}, {"block_drop_path": 0.5}])
def test_training_drops_what_it_is_told(clip, video, options):
    model = DualEncoder(clip, of(clip, **options))
    still = model.eval().encode_video(video).video
    assert torch.equal(still, model.encode_video(video).video)
    torch.manual_seed(3)
    assert (model.train().encode_video(video).video - still).abs().max() > 1e-3


def test_starts_as_in_the_source(clip):
    method = build("uniformer_v2", clip, FRAMES, {"convolutions": 2})
    zeros = [method.query, method.balance, *(c.bias for c in method.neighbours)]
    zeros += [part.weight for c in (*method.before_attention, *method.before_mlp) for part in (c.up,)]
    zeros += [part.weight for layer in method.layers for part in (layer.out, layer.down)]
    assert not any(x.any() for x in zeros)
    for layer in method.layers:
        bound = (6 / (3 * clip.width + clip.width)) ** 0.5  # queries, keys and values are one matrix there
        assert 0.95 * bound < layer.value.weight.abs().max() <= bound
        bound = (6 / (5 * clip.width)) ** 0.5
        assert 0.95 * bound < layer.up.weight.abs().max() <= bound
    assert method.before_mlp[0].down.out_features == 42  # 64 // 1.5


def test_trains_clips_last_norm_though_clip_is_frozen(clip):
    model = DualEncoder(clip, build("uniformer_v2", clip, FRAMES))
    freeze(model, TrainConfig(frozen="clip"))
    of_clip = {name for name, p in model.clip.named_parameters() if p.requires_grad}
    assert of_clip == {"visual.ln_post.weight", "visual.ln_post.bias"}
