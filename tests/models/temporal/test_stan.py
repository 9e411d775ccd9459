"""STAN against the released model's own outputs, against its equations, and in every setting."""

import itertools
from pathlib import Path

import pytest
import torch
from einops import rearrange

from stan.models.backbones import load_clip
from stan.models.checkpoint import load
from stan.models.convert import load_released
from stan.models.temporal import build
from stan.models.temporal.dropout import DropPath
from stan.models.temporal.stan_layer import StanLayer
from stan.models.video_encoder import VideoEncoder
from tests.support.moved_weights import moved

GOLDEN = Path(__file__).parents[2] / "golden" / "stan_released_tiny"
WIDTH = 64  # of the tiny CLIP
SETTINGS = {
    "released": {},
    "no cross-frame": {"cross_frame": "none"},
    "no intra-frame": {"intra_frame": False},
    "one level": {"multi_level": False},
    "posterior": {"branch": False, "multi_level": False},
    "dense convolution": {"cross_frame": "convolution"},
    "dense over time": {"cross_frame": "convolution", "convolution": "dense_over_time"},
    "linear start": {"attention_start": "linear"},
    "bottleneck convolution": {"cross_frame": "convolution", "convolution": "bottleneck"},
    "paper": {"merge": "projection", "first_input": "paper", "dropout": 0.1},
    "projected from zero": {"layers": 3, "merge": "zero_projection"},
    "two apart": {"layers": 3, "interval": 2},
    "early range": {"levels": [0, 1, 2, 3]},
    "posterior, no intra-frame": {"branch": False, "multi_level": False, "intra_frame": False},
}


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


@pytest.fixture(params=SETTINGS)
def encoder(request, clip):
    """Every setting, with zero-initialised weights perturbed."""
    torch.manual_seed(1)
    encoder = VideoEncoder(clip, build("stan", clip, 4, SETTINGS[request.param])).eval()
    moved(encoder.temporal)
    return encoder


@pytest.fixture
def video():
    return torch.randn(2, 4, 3, 48, 48, generator=torch.Generator().manual_seed(2))


def random_levels(encoder, videos=2, frames=4):
    generator = torch.Generator().manual_seed(3)
    return {i: torch.randn(videos, frames, 17, WIDTH, generator=generator) for i in encoder.temporal.levels}


@torch.no_grad()
def test_reproduces_the_released_model():
    model = load_released(GOLDEN / "checkpoint.safetensors")
    expected, _ = load(GOLDEN / "io.safetensors")
    video, text = model.encode_video(expected["video"]), model.encode_text(expected["token_ids"])
    levels = model.encoder.levels(expected["video"])
    ours = {
        "frame_embeddings": video.frames,
        "video_embedding": video.video,
        "branch_tokens": model.temporal.branch_tokens(levels),
        "text_embedding": text.text,
        "text_token_embeddings": text.tokens,
    }
    for name, tensor in ours.items():
        torch.testing.assert_close(tensor, expected[name], atol=1e-5, rtol=0, msg=name)


@torch.no_grad()
def test_every_setting_serves_kept_levels(encoder, video):
    levels = encoder.levels(video)
    kept = encoder.from_levels({i: levels[i] for i in encoder.temporal.levels})
    torch.testing.assert_close(kept.video, encoder(video).video, atol=1e-6, rtol=0)


@torch.no_grad()
def test_padding_changes_nothing_in_any_setting(encoder, video):
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    torch.testing.assert_close(
        encoder(video, mask).video[:1], encoder(video[:1, :2]).video, atol=1e-5, rtol=0
    )


@torch.no_grad()
def test_every_setting_knows_the_order(encoder, video):
    # without cross-frame attention the time table still tells frames apart
    assert (encoder(video.flip(1)).video - encoder(video).video).abs().max() > 1e-4


def test_gradients_reach_every_parameter(encoder):
    encoder.from_levels(random_levels(encoder)).video.square().sum().backward()
    used = {"time.weight": 4}
    for name, parameter in encoder.temporal.named_parameters():
        gradient = parameter.grad[: used.get(name)]
        assert gradient.abs().sum() > 0, name


@torch.no_grad()
def test_only_the_last_projections_start_at_zero(clip):
    torch.manual_seed(0)
    method = build("stan", clip, 4).eval()
    zero = [name for name, parameter in method.named_parameters() if not parameter.any()]
    for k in range(4):
        assert f"layers.{k}.cross_frame.temporal_fc.weight" in zero
        patches = torch.randn(1, 4, 16, WIDTH)
        torch.testing.assert_close(method.layers[k].cross_frame(patches, None), patches)
    levels = {i: torch.randn(1, 4, 17, WIDTH) for i in method.levels}
    out = VideoEncoder(clip, method).from_levels(levels).video
    assert (
        out - clip.visual.project(levels[5][:, :, 0]).mean(1)
    ).abs().max() > 1e-3  # the branch is live at the start


def test_spatial_weights_are_copies_of_clips_last_blocks(clip):
    method = build("stan", clip, 4, {"layers": 3, "levels": [0, 1, 2]})
    for layer, block in zip(method.layers, clip.blocks[-3:], strict=True):
        ours = layer.intra_frame.block.attn.in_proj_weight
        assert torch.equal(ours, block.attn.in_proj_weight) and ours is not block.attn.in_proj_weight


@torch.no_grad()
def test_first_input_released_and_paper(clip):
    x, mask = torch.randn(1, 3, 17, WIDTH), torch.tensor([[1, 1, 0]], dtype=torch.bool)
    released = build("stan", clip, 3).eval()
    position = clip.visual.positional_embedding
    cls, patches = released._first(x, mask)
    mean = x[:, :2, 0].mean(1, keepdim=True)
    torch.testing.assert_close(cls, (mean + clip.visual.class_embedding + position[0]) / 2)
    torch.testing.assert_close(patches[0, 2, 5], x[0, 2, 6] + position[6] + released.time.weight[2])
    paper = build("stan", clip, 3, {"first_input": "paper"}).eval()
    cls, patches = paper._first(x, mask)
    torch.testing.assert_close(cls, mean)
    torch.testing.assert_close(patches[0, 2, 5], x[0, 2, 6] + paper.space[5] + paper.time.weight[2])


@torch.no_grad()
def test_projected_merge_starts_as_the_sum(clip):
    torch.manual_seed(0)
    levels = {i: torch.randn(1, 4, 17, WIDTH) for i in (2, 3, 4, 5)}
    plain = build("stan", clip, 4).eval()
    projected = build("stan", clip, 4, {"merge": "projection"}).eval()
    projected.load_state_dict(plain.state_dict(), strict=False)
    torch.testing.assert_close(projected.branch_tokens(levels), plain.branch_tokens(levels))

    projected.merges[2].weight.zero_()
    changed = projected.branch_tokens(levels)
    without = projected.branch_tokens(levels | {5: torch.randn(1, 4, 17, WIDTH)})
    torch.testing.assert_close(changed, without)  # W_proj stands before level 5


@torch.no_grad()
def test_a_merge_projected_from_zero_starts_on_the_first_level_alone(clip):
    levels = {i: torch.randn(1, 4, 17, WIDTH) for i in (3, 4, 5)}
    alone = build("stan", clip, 4, {"layers": 3, "multi_level": False}).eval()
    projected = build("stan", clip, 4, {"layers": 3, "merge": "zero_projection"}).eval()
    projected.load_state_dict(alone.state_dict(), strict=False)
    torch.testing.assert_close(projected.branch_tokens(levels), alone.branch_tokens(levels))


@torch.no_grad()
def test_bottleneck_convolution_by_hand(clip):
    torch.manual_seed(0)
    module = StanLayer(WIDTH, 4, clip.blocks[0], 0.0, "convolution", "bottleneck", True, (6, 6)).cross_frame
    module.up.weight.normal_()
    x = torch.randn(1, 3, 36, WIDTH)
    down = module.down(x)
    weight = module.over_time.weight[..., 0, 0]
    middle = sum(down[:, t] @ weight[..., t].T for t in range(3)) + module.over_time.bias
    expected = x[:, 1] + module.up(torch.nn.functional.gelu(middle))
    torch.testing.assert_close(module(x, None)[:, 1], expected, atol=1e-4, rtol=0)


@torch.no_grad()
def test_dense_convolution_by_hand(clip):
    """Each patch reads its 26 neighbours in time, rows and columns, and zeros beyond the clip and the frame."""
    torch.manual_seed(0)
    module = StanLayer(WIDTH, 4, clip.blocks[0], 0.0, "convolution", "dense", True, (2, 3)).cross_frame
    module.temporal_fc.weight.copy_(torch.eye(WIDTH))
    x = torch.randn(1, 2, 6, WIDTH)
    at = {(t, i // 3, i % 3): x[0, t, i] for t in range(2) for i in range(6)}
    for t, row, column in ((0, 0, 0), (1, 1, 2)):
        middle = module.over_time.bias.clone()
        for a, b, c in itertools.product(range(3), repeat=3):
            neighbour = at.get((t + a - 1, row + b - 1, column + c - 1))
            if neighbour is not None:
                middle += module.over_time.weight[:, :, a, b, c] @ neighbour
        expected = at[t, row, column] + middle
        torch.testing.assert_close(module(x, None)[0, t, 3 * row + column], expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_older_dense_convolution_is_the_middle_of_the_whole_kernel(clip):
    whole, middle = (
        StanLayer(WIDTH, 4, clip.blocks[0], 0.0, "convolution", kind, True, (2, 3)).cross_frame
        for kind in ("dense", "dense_over_time")
    )
    moved(whole)
    outside = torch.ones(3, 3, dtype=torch.bool)
    outside[1, 1] = False
    whole.over_time.weight[..., outside] = 0
    state = whole.state_dict()
    weight = state["over_time.weight"][..., 1:2, 1:2]
    middle.load_state_dict(state | {"over_time.weight": weight})
    x = torch.randn(2, 4, 6, WIDTH)
    torch.testing.assert_close(middle(x, None), whole(x, None), atol=1e-5, rtol=0)


def test_starts_of_cross_frame_attention(clip):
    bound = WIDTH**-0.5
    for start, spread in (("xavier", (6 / (4 * WIDTH)) ** 0.5), ("linear", bound)):
        attention = build("stan", clip, 4, {"attention_start": start}).layers[1].cross_frame.attention
        assert 0.95 * spread < attention.in_proj_weight.abs().max() <= spread
        assert attention.in_proj_bias.any() == attention.out_proj.bias.any() == (start == "linear")
        assert attention.in_proj_bias.abs().max() <= bound


@torch.no_grad()
def test_where_posterior_and_one_level_read(clip):
    assert build("stan", clip, 4).levels == (2, 3, 4, 5)
    assert build("stan", clip, 4, SETTINGS["one level"]).levels == (2, 5)
    assert build("stan", clip, 4, SETTINGS["posterior"]).levels == (5,)
    assert build("stan", clip, 4, SETTINGS["two apart"]).levels == (1, 3, 5)
    assert build("stan", clip, 4, SETTINGS["early range"]).levels == (0, 1, 2, 3, 5)


@torch.no_grad()
def test_attention_weights(clip):
    method = build("stan", clip, 4, {"layers": 2}).eval()
    levels = {i: torch.randn(2, 4, 17, WIDTH) for i in method.levels}
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1]], dtype=torch.bool)
    before = method.branch_tokens(levels, mask)
    layers = method.attention(levels, mask)
    assert [sorted(layer) for layer in layers] == [["cross_frame", "intra_frame"]] * 2
    cross, intra = layers[1]["cross_frame"], layers[1]["intra_frame"]
    assert cross.shape == (2, 16, 4, 4, 4) and intra.shape == (2, 4, 4, 17, 17)
    torch.testing.assert_close(cross.sum(-1), torch.ones(2, 16, 4, 4))
    assert cross[0, ..., 3].abs().max() == 0  # nobody looks at padding
    torch.testing.assert_close(method.branch_tokens(levels, mask), before)
    first = method._first(levels[4], mask)
    module = method.layers[0].cross_frame
    x = rearrange(module.norm(first.patches), "b t p d -> (b p) t d")[:16]
    expected = module.attention(
        x, x, x, average_attn_weights=False, key_padding_mask=~mask[:1].expand(16, -1)
    )[1]
    torch.testing.assert_close(layers[0]["cross_frame"][0], expected, atol=1e-5, rtol=0)


def test_drop_path():
    torch.manual_seed(0)
    drop, x = DropPath(0.25), torch.ones(4000, 2)
    out = drop.train()(x)
    assert set(out.unique().tolist()) == {0.0, torch.tensor(1 / 0.75).item()}
    assert torch.equal(out[:, 0], out[:, 1]) and abs(out.mean() - 1) < 0.05
    assert torch.equal(drop.eval()(x), x)


def test_drop_path_rises_over_the_layers(clip):
    rates = [layer.cross_frame.drop_path.rate for layer in build("stan", clip, 4).layers]
    assert rates == pytest.approx([0, 0.1 / 3, 0.2 / 3, 0.1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 7}, "this CLIP has 6 blocks"),
        ({"interval": 2}, "name 4 rising blocks"),
        ({"levels": [1, 2]}, "name 4 rising blocks"),
        ({"levels": [3, 2, 4, 5]}, "name 4 rising blocks"),
        ({"cross_frame": "lstm"}, "cross_frame='lstm': choose one of .'attention', 'convolution', 'none'"),
        ({"convolution": "nonsense"}, "convolution='nonsense': choose one of .'dense', 'dense_over_time'"),
        ({"cross_frame": "none", "intra_frame": False}, "no layers"),
        ({"branch": False}, "set multi_level=False"),
        ({"attention_start": "ones"}, "attention_start='ones'"),
        ({"merge": "product"}, "merge='product'"),
        ({"first_input": "mine"}, "first_input='mine'"),
        ({"max_frames": 3}, "max_frames=3"),
    ],
)
def test_impossible_settings(clip, options, message):
    with pytest.raises(ValueError, match=message):
        build("stan", clip, 4, options)


def test_more_frames_than_the_table_has(clip):
    encoder = VideoEncoder(clip, build("stan", clip, 4, {"max_frames": 4}))
    with pytest.raises(ValueError, match="5 frames; this model was built with max_frames=4"):
        encoder.from_levels(random_levels(encoder, frames=5))
