"""Methods that work inside CLIP's blocks: what all promise, and each against its source's description."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from lightning_fabric import Fabric

from stan import experiments
from stan.config import TrainConfig
from stan.explain import attention_of
from stan.models.backbones import load_clip
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal import METHODS, build
from stan.models.temporal.base import Temporal
from stan.models.temporal.center_clip import medoids
from stan.models.temporal.token_roll import _neighbour
from stan.models.video_encoder import VideoEncoder
from stan.training.objective import Objective, batch_loss
from stan.training.optim import freeze, parameter_groups
from stan.training.trainer import train
from tests.support.moved_weights import moved
from tests.support.tiny_experiment import tiny
from tests.support.without_maps import WITHOUT_MAPS

WIDTH, PATCHES = 64, 16  # of the tiny CLIP
INSIDE = [name for name, method in METHODS.items() if method.inside is not Temporal.inside]
OPTIONS = {
    "st_adapter before both": ("st_adapter", {"before": "attention and mlp"}),
    "aim with adapted input": ("aim", {"adapted_input": True}),
    "x_clip without MIT": ("x_clip", {"layers": 0}),
    "center_clip of three": ("center_clip", {"segment": 3, "clusters": 5, "block": 1}),
    "divided_space_time with one CLS": ("divided_space_time", {"one_cls": True, "drop_path": 0.1}),
    "divided_space_time as in LanguageBind": ("divided_space_time", {"language_bind": True}),
    "joint_space_time with one CLS": ("joint_space_time", {"one_cls": True, "drop_path": 0.1}),
    "joint_space_time as in ViCLIP": ("joint_space_time", {"one_cls": True, "time_before_norm": True}),
    "trajectory_attention with one CLS": ("trajectory_attention", {"one_cls": True, "pooler": True}),
    "trajectory_attention as in the paper": ("trajectory_attention", {"own_values": False, "drop_path": 0.1}),
    "token_learner released": ("token_learner", {"tokens": 3, "released": True}),
    "token_roll with times and a pooler": ("token_roll", {"times": True, "pooler": True}),
    "neighbour_attention without zeros": ("neighbour_attention", {"zeros": False, "reach": 2}),
    "uniformer_v2 over time": ("uniformer_v2", {"convolutions": 2, "mixed": False, "bottleneck": 5}),
    "frozen_in_time without time": ("frozen_in_time", {"over_time": False}),
    "uniformer_v2 without a query": ("uniformer_v2", {"convolutions": 1, "layers": 0, "norm": "layer"}),
    "token_learner early": ("token_learner", {"tokens": 3, "block": 0}),
}
SETTINGS = {name: (name, {}) for name in INSIDE} | OPTIONS

START_AS_CLIP = [
    "st_adapter",
    "st_adapter before both",
    "aim",
    "aim with adapted input",
    "divided_space_time",
]
CLIP_OF_ONE_FRAME = [
    *START_AS_CLIP,
    "divided_space_time with one CLS",
    "joint_space_time",
    "joint_space_time with one CLS",
    "joint_space_time as in ViCLIP",
    "frozen_in_time",
    "frozen_in_time without time",
    "token_roll",
    "token_roll with times and a pooler",
    "neighbour_attention without zeros",
    "uniformer_v2 without a query",
]
ORDER_BLIND = [
    "x_clip without MIT",
    "neighbour_attention",
    "neighbour_attention without zeros",
    "frozen_in_time without time",
]
"""Settings that give a video and its reverse one embedding."""


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


def encoder_of(clip, setting: str, frames: int = 4) -> VideoEncoder:
    name, options = SETTINGS[setting]
    torch.manual_seed(1)
    return VideoEncoder(clip, build(name, clip, frames, options)).eval()


@pytest.fixture(params=SETTINGS)
def setting(request):
    return request.param


@pytest.fixture
def encoder(clip, setting):
    """With zero-initialised weights perturbed."""
    encoder = encoder_of(clip, setting)
    moved(encoder.temporal)
    return encoder


@pytest.fixture
def video():
    return torch.randn(2, 4, 3, 48, 48, generator=torch.Generator().manual_seed(2))


def pooled(clip, video):
    return VideoEncoder(clip, Temporal(clip, 4))(video).frames


def test_every_method_inside_is_tested():
    assert {name for name, _ in SETTINGS.values()} == set(INSIDE) and len(INSIDE) == 14


@torch.no_grad()
def test_who_starts_as_clip(clip, video, setting):
    difference = (encoder_of(clip, setting)(video).frames - pooled(clip, video)).abs().max()
    assert (difference < 1e-5) == (setting in START_AS_CLIP)


@torch.no_grad()
def test_who_is_clip_of_one_frame(clip, video, setting):
    still = video[:, :1]
    difference = (encoder_of(clip, setting)(still).frames - pooled(clip, still)).abs().max()
    # one segment of one frame keeps all of its tokens, in their order
    expected = setting in [*CLIP_OF_ONE_FRAME, "center_clip"]
    assert (difference < 1e-5) == expected


@torch.no_grad()
def test_perturbed_it_is_not_clip_any_more(clip, encoder, video):
    assert (encoder(video).frames - pooled(clip, video)).abs().max() > 1e-3


@torch.no_grad()
def test_any_number_of_frames_gives_as_many_embeddings(encoder, video):
    for count in (1, 2, 3, 4):
        assert encoder(video[:, :count]).frames.shape == (2, count, WIDTH)


@pytest.mark.parametrize("mask", [[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0]])
@torch.no_grad()
def test_padding_changes_nothing(encoder, video, mask):
    real = sum(mask)
    mask = torch.tensor([mask, [1, 1, 1, 1]], dtype=torch.bool)
    padded, short = encoder(video, mask), encoder(video[:1, :real])
    torch.testing.assert_close(padded.video[:1], short.video, atol=1e-5, rtol=0)
    torch.testing.assert_close(padded.frames[:1, :real], short.frames, atol=1e-5, rtol=0)
    torch.testing.assert_close(padded.video[1], encoder(video[1:]).video[0], atol=1e-5, rtol=0)
    other = video.clone()
    other[0, real:] = 9.0
    torch.testing.assert_close(encoder(other, mask).video, padded.video, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_full_mask_is_no_mask(encoder, video):
    full = torch.ones(2, 4, dtype=torch.bool)
    torch.testing.assert_close(encoder(video, full).frames, encoder(video).frames, atol=1e-5, rtol=0)


@torch.no_grad()
def test_videos_of_a_batch_do_not_leak(encoder, video):
    other = video.clone()
    other[1] = torch.randn_like(other[1])
    torch.testing.assert_close(encoder(other).video[0], encoder(video).video[0], atol=1e-5, rtol=0)
    assert (encoder(other).video[1] - encoder(video).video[1]).abs().max() > 1e-3


@torch.no_grad()
def test_frames_see_each_other(encoder, video):
    other = video.clone()
    other[:, 1] = torch.randn_like(other[:, 1])
    assert (encoder(other).frames[:, 0] - encoder(video).frames[:, 0]).abs().max() > 1e-4


@torch.no_grad()
def test_who_knows_the_order(encoder, video, setting):
    difference = (encoder(video.flip(1)).video - encoder(video).video).abs().max()
    assert difference < 1e-5 if setting in ORDER_BLIND else difference > 1e-4


def test_gradients_reach_every_parameter(encoder, video):
    encoder(video).video.square().sum().backward()
    for name, parameter in encoder.temporal.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    encoder.zero_grad(set_to_none=True)


@torch.no_grad()
def test_forward_changes_nothing_in_the_method(encoder, video):
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    first = encoder(video).frames
    encoder(video[:, :2])
    assert torch.equal(encoder(video).frames, first)
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())


def test_half_precision_agrees(encoder, video):
    with torch.no_grad():
        exact = encoder(video).video
        with torch.autocast("cpu", torch.bfloat16):
            rounded = encoder(video).video
    assert F.cosine_similarity(rounded.float(), exact).min() > 0.97


@pytest.mark.parametrize("name", ["aim", "divided_space_time", "joint_space_time", "token_learner", "x_clip"])
def test_more_frames_than_there_are_times(clip, name):
    with pytest.raises(ValueError, match="3 frames; this model was built for 2 at most"):
        VideoEncoder(clip, build(name, clip, 2))(torch.zeros(1, 3, 3, 48, 48))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("st_adapter", {"before": "norm"}, "before='norm'"),
        ("st_adapter", {"width": 0}, "width=0"),
        ("aim", {"ratio": 0.01}, "leaves no bottleneck"),
        ("x_clip", {"layers": -1}, "layers=-1"),
        ("center_clip", {"segment": 0}, "segment=0"),
        ("center_clip", {"clusters": 17}, "1 to 16 clusters"),
        ("center_clip", {"block": 0}, "one of 1 to 5"),
        ("token_learner", {"tokens": 17}, "choose 1 to 16 tokens"),
        ("token_learner", {"block": 6}, "blocks 0 to 5"),
        ("token_roll", {"share": 0.01}, "rolls 0 of 16 patches"),
        ("token_roll", {"share": 0.6}, "choose 1 to 8"),
        ("neighbour_attention", {"reach": 0}, "reach=0: each frame needs a neighbour"),
        ("uniformer_v2", {"layers": 7}, "layers=7: choose 0 to 6, as many as this CLIP's blocks"),
        ("uniformer_v2", {"heads": 5}, "heads=5 don't divide CLIP's 64 channels"),
        ("uniformer_v2", {"convolutions": 3}, "convolutions=3: choose 0, 1 or 2"),
        ("uniformer_v2", {"bottleneck": 0}, "bottleneck=0"),
        ("uniformer_v2", {"norm": "group"}, "norm='group': choose one of \\('batch', 'layer', 'none'\\)"),
        ("uniformer_v2", {"drop_path": 1}, "drop_path=1: it must be at least 0 and below 1"),
    ],
)
def test_impossible_settings(clip, name, options, message):
    with pytest.raises(ValueError, match=message):
        build(name, clip, 4, options)


# --- each by itself


@torch.no_grad()
def test_st_adapter_by_hand(clip):
    torch.manual_seed(0)
    adapter = build("st_adapter", clip, 3).before_mlp[0]
    assert adapter.down.out_features == WIDTH // 2 and not adapter.over_time.weight.any()
    adapter.over_time.weight.normal_()
    x = torch.randn(1, 3, 17, WIDTH)
    down, weight = adapter.down(x[:, :, 1:]), adapter.over_time.weight[:, 0, :, 0, 0]  # (width, 3)
    middle = sum(down[:, t] * weight[:, t] for t in range(3)) + adapter.over_time.bias
    out = adapter(x, None)
    torch.testing.assert_close(out[:, 1, 1:], x[:, 1, 1:] + adapter.up(middle), atol=1e-5, rtol=0)
    assert torch.equal(out[:, :, 0], x[:, :, 0])


@pytest.mark.parametrize("adapted", [False, True])
@torch.no_grad()
def test_aim_block_by_hand(clip, adapted):
    torch.manual_seed(0)
    method, block = build("aim", clip, 3, {"adapted_input": adapted}), clip.blocks[1]
    x = torch.randn(1, 3, 17, WIDTH)
    assert method.within[0].down.out_features == WIDTH // 4 and len(method.before_time) == 6 * adapted
    for adapter in (method.over_time[1], method.within[1], method.beside_mlp[1], *method.before_time[1:2]):
        adapter.up.weight.normal_(std=0.1)
    attention = lambda y: block.attn(y, y, y, need_weights=False)[0]  # noqa: E731
    over_time = block.ln_1(rearrange(x, "1 t s d -> s t d"))
    if adapted:
        over_time = over_time + method.before_time[1](over_time)
    over_time = attention(over_time)
    y = x + method.over_time[1](rearrange(over_time, "s t d -> 1 t s d"))
    within = attention(block.ln_1(y[0]))
    y = y + within + method.within[1](within)
    expected = y + block.mlp(block.ln_2(y)) + 0.5 * method.beside_mlp[1](block.ln_2(y))
    torch.testing.assert_close(method.inside(1, block, x, None), expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_divided_attention_starts_from_the_blocks_own(clip):
    layer, block = build("divided_space_time", clip, 4).over_time[2], clip.blocks[2]
    assert torch.equal(layer.attention.in_proj_weight, block.attn.in_proj_weight)
    assert torch.equal(layer.attention.out_proj.weight, block.attn.out_proj.weight)
    assert torch.equal(layer.norm.weight, block.ln_1.weight) and not layer.temporal_fc.weight.any()


@torch.no_grad()
def test_joint_attention_is_the_block_on_one_long_sequence(clip, video):
    method, x = build("joint_space_time", clip, 4), torch.randn(2, 4, 17, WIDTH)
    expected = clip.blocks[1](rearrange(x, "b t s d -> b (t s) d"))
    out = method.inside(1, clip.blocks[1], x, None)
    torch.testing.assert_close(rearrange(out, "b t s d -> b (t s) d"), expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_message_is_written_exchanged_read_and_dropped(clip):
    torch.manual_seed(0)
    method, block, x = build("x_clip", clip, 3), clip.blocks[1], torch.randn(1, 3, 17, WIDTH)
    message = method.messages[1]
    written = message.write(x[:, :, 0])
    normed = message.norm(written)
    heard = written + message.attention(normed, normed, normed, need_weights=False)[0]
    expected = block(torch.cat([x[0], heard[0, :, None]], 1))[:, :-1]
    torch.testing.assert_close(method.inside(1, block, x, None)[0], expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_integration_by_hand(clip):
    torch.manual_seed(0)
    method = build("x_clip", clip, 3).eval()
    x = torch.randn(1, 3, 17, WIDTH)
    frames, block = clip.visual.project(x[:, :, 0]), method.integration.blocks[0]
    y = frames + method.integration.time.weight
    normed = block.norm1(y)
    y = y + block.self_attn(normed, normed, normed, need_weights=False)[0]
    hidden = block.linear1(block.norm2(y))
    y = y + block.linear2(hidden * torch.sigmoid(1.702 * hidden))
    torch.testing.assert_close(
        method.after(x[:, :, 0], None, None, clip.visual.project), y + frames, atol=1e-5, rtol=0
    )
    assert method.integration.time.weight.std().item() == pytest.approx(0.02, rel=0.2)


def test_rolled_tokens_come_from_before_and_after(clip):
    method = build("token_roll", clip, 3)
    x = torch.arange(3.0).reshape(1, 3, 1, 1).expand(1, 3, 17, 1)
    rolled = method.inside(0, torch.nn.Identity(), x, None)[0, :, :, 0]
    assert rolled.tolist() == [
        [0.0] + [2.0] * 2 + [0.0] * 12 + [1.0] * 2,
        [1.0] + [0.0] * 2 + [1.0] * 12 + [2.0] * 2,
        [2.0] + [1.0] * 2 + [2.0] * 12 + [0.0] * 2,
    ]


def test_neighbours_among_real_frames():
    real = torch.tensor([[1, 1, 1, 0], [1, 0, 1, 1], [0, 1, 0, 0]], dtype=torch.bool)
    assert _neighbour(real, -1).tolist() == [[2, 0, 1, 3], [3, 1, 0, 2], [0, 1, 2, 3]]
    assert _neighbour(real, 1).tolist() == [[1, 2, 0, 3], [2, 1, 3, 0], [0, 1, 2, 3]]


@torch.no_grad()
def test_learned_tokens_are_weighted_means_of_their_frames_patches(clip):
    torch.manual_seed(0)
    method, patches = build("token_learner", clip, 2), torch.randn(1, 2, PATCHES, WIDTH)
    weights = method.maps(patches).softmax(2)
    assert weights.shape == (1, 2, PATCHES, 8)
    expected = sum(weights[:, :, p, :, None] * patches[:, :, p, None] for p in range(PATCHES))
    torch.testing.assert_close(method.pooled(patches), expected, atol=1e-5, rtol=0)
    x = torch.cat([torch.zeros(1, 2, 1, WIDTH), patches], 2)
    assert method.inside(3, clip.blocks[3], x, None).shape == (1, 2, 9, WIDTH)
    assert method.inside(2, clip.blocks[2], x, None).shape == (1, 2, 17, WIDTH)


@torch.no_grad()
def test_segments_hold_the_mean_cls_and_the_medoids(clip):
    torch.manual_seed(0)
    method, x = build("center_clip", clip, 4, {"clusters": 5}), torch.randn(1, 4, 17, WIDTH)
    merged = method._merge(x, None)
    assert merged.shape == (1, 2, 6, WIDTH)
    torch.testing.assert_close(merged[0, 1, 0], x[0, 2:, 0].mean(0))
    tokens = rearrange(x[0, 2:, 1:], "t p d -> (t p) d")
    chosen = naive_medoids(tokens, 5)
    assert torch.equal(merged[0, 1, 1:], tokens[chosen])


@torch.no_grad()
def test_frames_get_the_embedding_of_their_segment(clip):
    method = build("center_clip", clip, 3)
    x = torch.randn(1, 2, 17, WIDTH)
    side = method.beside(1, x, method.beside(0, torch.zeros(1, 3, 17, WIDTH), None, None), None)
    frames = method.after(x[:, :, 0], side, None, clip.visual.project)
    segments = clip.visual.project(x[:, :, 0])
    assert torch.equal(frames, segments[:, [0, 0, 1]])


def naive_medoids(tokens, clusters: int) -> list[int]:
    """One set of tokens, step by step."""
    distance = [[(a - b).norm().item() for b in tokens] for a in tokens]
    everyone = range(len(tokens))
    chosen = [max(everyone, key=lambda i: tokens[i].norm().item())]
    while len(chosen) < clusters:
        chosen.append(max(everyone, key=lambda i: min(distance[i][c] for c in chosen)))
    while True:
        own = [min(range(clusters), key=lambda k: distance[i][chosen[k]]) for i in everyone]
        of = [[i for i in everyone if own[i] == k] for k in range(clusters)]
        new = [min(group, key=lambda i: sum(distance[i][j] for j in group)) for group in of]
        if new == chosen:
            return sorted(chosen)
        chosen = new


@pytest.mark.parametrize("seed", range(5))
def test_medoids_are_those_of_a_naive_search(seed):
    torch.manual_seed(seed)
    tokens = torch.randn(3, 14, 4)
    every = torch.ones(3, 14, dtype=torch.bool)
    found = medoids(tokens, every, 4)
    assert found.tolist() == [naive_medoids(one, 4) for one in tokens]
    every[0, 10:] = False
    assert medoids(tokens, every, 4)[0].tolist() == naive_medoids(tokens[0, :10], 4)


def test_medoids_by_hand():
    line = torch.tensor([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0], [30.0]])[None]
    assert medoids(line, torch.ones(1, 7, dtype=torch.bool), 3).tolist() == [[1, 4, 6]]


def test_equal_tokens_are_medoids_once_each():
    same = torch.ones(1, 4, 2)
    for clusters in (1, 2, 4):
        found = medoids(same, torch.ones(1, 4, dtype=torch.bool), clusters)[0].tolist()
        assert len(set(found)) == clusters


def test_medoids_of_a_still_video_are_its_patches(clip, video):
    """Two equal frames in a segment: as many different tokens as clusters."""
    still = video[:, :1].expand(-1, 4, -1, -1, -1)
    with torch.no_grad():
        out = VideoEncoder(clip, build("center_clip", clip, 4))(still).frames
    torch.testing.assert_close(out, pooled(clip, still), atol=1e-5, rtol=0)


# --- beside the harness


@pytest.mark.parametrize("setting", [*INSIDE, "divided_space_time as in LanguageBind"])
def test_attention_maps_or_a_word_why_not(clip, setting, video):
    name, options = SETTINGS[setting]
    model = DualEncoder(clip, build(name, clip, 4, options)).eval()
    if name in WITHOUT_MAPS:
        with pytest.raises(ValueError, match="no attention maps of .*: its tokens are not each frame's own"):
            attention_of(model, video[0])
    else:
        maps, output = attention_of(model, video[0])
        assert maps["clip"].shape == (6, 4, 4, 4, 4) and output.frames.shape == (1, 4, WIDTH)
        assert (maps["temporal"] is not None) == (name == "divided_space_time")


# --- their rows, trained


ROWS = [row for row in experiments.STUDIES["structures"].rows if row.temporal in INSIDE]


def test_every_method_inside_has_a_row():
    assert {row.temporal for row in ROWS} == set(INSIDE)


@pytest.mark.parametrize("frozen", ["vision", "nothing"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_trains_one_step(row, frozen, video):
    torch.manual_seed(3)
    recipe = TrainConfig(frozen=frozen, lr=1e-3)
    clip = load_clip("tiny", "random")
    model = DualEncoder(clip, build(row.temporal, clip, 4, dict(row.options)))
    freeze(model, recipe)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.AdamW(parameter_groups(model, recipe))
    batch = {"video": video, "text": clip.tokenize(["a red square", "a green circle moves"], 8)}
    loss = batch_loss(Fabric(accelerator="cpu", devices=1), Objective(model), model, batch, recipe)
    loss.backward()
    optimizer.step()
    assert torch.isfinite(loss)
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    learned = {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert learned <= moved
    trained = {f"encoder.clip.{name}" for name in model.temporal.trained_of_clip}
    tower = {name for name in moved if name.startswith("encoder.clip.visual.")}
    assert trained <= tower and bool(tower - trained) == (frozen == "nothing")
    assert any(name.startswith("encoder.clip.text.") for name in moved)
    new = {name for name, _ in model.named_parameters() if name.startswith("encoder.temporal.")}
    assert bool(new & learned) == bool(new)  # medoids and rolled tokens have nothing to learn


@pytest.mark.slow
def test_a_run_inside_a_frozen_clip_keeps_what_its_first_block_reads(tmp_path):
    run = train(tiny("motions", "st_adapter"), tmp_path / "runs", tmp_path / "worlds")
    assert (run / "checkpoint.safetensors").is_file()
    splits = list((tmp_path / "runs" / ".levels").iterdir())
    assert len(splits) == 3 and all((split / "level-1.npy").is_file() for split in splits)


def test_rows_of_the_paper_carry_its_numbers():
    printed = {row.name: row.paper("retrieval") for row in ROWS if row.printed}
    assert printed == {"message_token": 43.2, "st_adapter": 42.5}
    names = [row.name for row in experiments.STUDIES["structures"].rows]
    assert all(a != b for a, b in itertools.combinations(names, 2))
