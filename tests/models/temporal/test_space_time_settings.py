"""Settings in which space-time methods compute what their authors' code does: each by hand, and how each starts."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from stan.models.backbones import from_config, load_clip
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal import build
from stan.models.temporal.token_roll import in_order
from stan.models.video_encoder import VideoEncoder
from tests.support.moved_weights import moved

WIDTH, FRAMES, PATCHES = 64, 3, 16  # of the tiny CLIP


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


@pytest.fixture
def x():
    """Tokens of two clips, with the video's one CLS token in every frame."""
    x = torch.randn(2, FRAMES, 1 + PATCHES, WIDTH, generator=torch.Generator().manual_seed(1))
    x[:, :, 0] = x[:, :1, 0]
    return x


@pytest.fixture
def video():
    return torch.randn(2, FRAMES, 3, 48, 48, generator=torch.Generator().manual_seed(2))


def of(clip, name: str, **options):
    torch.manual_seed(3)
    method = build(name, clip, FRAMES, options).eval()
    moved(method)
    return method


def asks(attention, query, keys):
    """What torch's own attention gives a token (D) that asks others (N, D)."""
    return attention(query[None, None], keys[None], keys[None], need_weights=False)[0][0, 0]


@torch.no_grad()
def test_one_cls_token_gets_the_mean_of_what_its_copies_take(clip, x):
    method, block = of(clip, "divided_space_time", one_cls=True), clip.blocks[1]
    found = method.inside(1, block, x, None)
    patches = method.over_time[1](x[:, :, 1:], None)
    cls = x[0, 0, 0]
    tokens = [block.ln_1(torch.cat([cls[None], patches[0, t]])) for t in range(FRAMES)]
    mixed = cls + sum(asks(block.attn, y[0], y) for y in tokens) / FRAMES
    expected = mixed + block.mlp(block.ln_2(mixed))
    torch.testing.assert_close(found[0, :, 0], expected.expand(FRAMES, -1), atol=1e-5, rtol=0)
    place = patches[0, 2, 4] + asks(block.attn, tokens[2][5], tokens[2])
    torch.testing.assert_close(found[0, 2, 5], place + block.mlp(block.ln_2(place)), atol=1e-5, rtol=0)


@torch.no_grad()
def test_in_language_bind_every_token_attends_over_time_in_every_block(clip, x):
    method, block, own = (
        of(clip, "divided_space_time", language_bind=True),
        clip.blocks[2],
        torch.randn_like(x),
    )
    found = method.inside(2, block, own, None)
    timed = own[0] + method.later_times[1].weight[:, None]
    layer = method.over_time[2]
    for token in (0, 5):
        y = layer.norm(timed[:, token])
        timed[:, token] += torch.stack([asks(layer.attention, y[t], y) for t in range(FRAMES)])
    mixed = own[0] + method.later_times[1].weight[:, None]
    y = layer.norm(mixed).transpose(0, 1)
    mixed = mixed + layer.attention(y, y, y, need_weights=False)[0].transpose(0, 1)
    torch.testing.assert_close(mixed[:, [0, 5]], timed[:, [0, 5]], atol=1e-5, rtol=0)
    torch.testing.assert_close(found[0], block(mixed), atol=1e-5, rtol=0)


def test_language_bind_has_no_one_cls_token(clip):
    with pytest.raises(ValueError, match="leave out one_cls or language_bind"):
        build("divided_space_time", clip, FRAMES, {"one_cls": True, "language_bind": True})


@torch.no_grad()
def test_joint_attention_has_one_cls_token_without_a_time(clip, x):
    method, block = of(clip, "joint_space_time", one_cls=True), clip.blocks[0]
    found = method.inside(0, block, x, None)
    timed = x[0, :, 1:] + method.time.weight[:, None]
    whole = torch.cat([x[0, 0, :1], timed.flatten(0, 1)])
    expected = block(whole[None])[0]
    torch.testing.assert_close(found[0, :, 0], expected[:1].expand(FRAMES, -1), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[0, :, 1:].flatten(0, 1), expected[1:], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["divided_space_time", "joint_space_time"])
def test_paths_are_dropped_more_in_later_blocks(clip, video, name):
    method = build(name, clip, FRAMES, {"one_cls": True, "drop_path": 0.5})
    assert [drop.rate for drop in method.drop_path] == pytest.approx([0.1 * i for i in range(6)])
    encoder = VideoEncoder(clip, method)
    with torch.no_grad():
        first, again = encoder.train()(video).video, encoder(video).video
        assert (first - again).abs().max() > 1e-3
        assert torch.equal(encoder.eval()(video).video, encoder(video).video)
    with pytest.raises(ValueError, match=r"drop_path=1.0"):
        build(name, clip, FRAMES, {"drop_path": 1.0})


@torch.no_grad()
def test_frozen_in_time_by_hand(clip, x):
    method, block = of(clip, "frozen_in_time"), clip.blocks[2]
    found = method.inside(2, block, x, None)
    over, cls = method.over_time[2], (0, 0)
    token = {(t, p): x[0, t, p] for t in range(FRAMES) for p in range(1, 1 + PATCHES)} | {cls: x[0, 0, 0]}

    def attended(attention, normed, place, group):
        keys = list(normed) if place == cls else [cls, *group]
        return asks(attention, normed[place], torch.stack([normed[key] for key in keys]))

    normed = {place: over.norm(y) for place, y in token.items()}
    read = {}
    for t, p in token:
        added = attended(over.attention, normed, (t, p), [(s, p) for s in range(FRAMES)])
        read[t, p] = block.ln_1(token[t, p] + added)
    for t, p in (cls, (1, 1), (2, 7)):
        same_frame = [(t, q) for q in range(1, 1 + PATCHES)]
        expected = token[t, p] + attended(block.attn, read, (t, p), same_frame)
        expected = expected + block.mlp(block.ln_2(expected))
        torch.testing.assert_close(found[0, t, p], expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_frozen_in_time_starts_without_time(clip, x):
    method = build("frozen_in_time", clip, FRAMES).eval()
    over = method.over_time[3]
    assert not over(x, None).any() and not method.time.weight.any() and not method.bias.any()
    assert not over.attention.in_proj_weight.any() and not over.attention.in_proj_bias.any()
    assert (over.attention.out_proj.weight == 1).all() and not over.attention.out_proj.bias.any()
    assert (over.norm.weight == 1).all() and over.norm.weight is not clip.blocks[3].ln_1.weight


@torch.no_grad()
def test_frozen_in_time_without_attention_over_time_by_hand(clip, x):
    """As in BridgeFormer: a patch asks the CLS token and its frame, the CLS token asks all frames' patches."""
    method, block = build("frozen_in_time", clip, FRAMES, {"over_time": False}).eval(), clip.blocks[2]
    assert [name for name, _ in method.named_parameters()] == ["bias"]
    found, y = method.inside(2, block, x, None)[0], block.ln_1(x[0])
    frame = y[1, 1:]
    groups = {(1, 3): (y[1, 3], [y[0, 0], *frame]), (0, 0): (y[0, 0], [y[0, 0], *y[:, 1:].flatten(0, 1)])}
    for (t, p), (query, keys) in groups.items():
        expected = x[0, t, p] + asks(block.attn, query, torch.stack(keys))
        expected = expected + block.mlp(block.ln_2(expected))
        torch.testing.assert_close(found[t, p], expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_frozen_in_time_ends_in_the_shared_space():
    vision = {"image_size": 16, "patch_size": 8, "width": 32, "layers": 1, "head_width": 16}
    small = from_config({"embed_dim": 24, "vision_cfg": vision, "text_cfg": None})
    video = torch.zeros(1, 1, 3, 16, 16)
    for before_projection in (False, True):
        classifier = {"classes": 3, "before_projection": before_projection}
        model = DualEncoder(small, build("frozen_in_time", small, 1), "linear_classifier", classifier)
        if not before_projection:
            assert model.encode_video(video).video.shape == (1, 24)
    with pytest.raises(ValueError, match="before_projection=False"):
        model.encode_video(video)


@torch.no_grad()
def test_vtn_by_hand(clip):
    """Every token by itself: who is seen, through which projections, and norms behind the residuals."""
    count, width, heads = 6, clip.embed_dim, 4
    torch.manual_seed(0)
    method = build("vtn", clip, count, {"layers": 2, "heads": heads, "window": 2, "positions": 9}).eval()
    moved(method)
    frames = torch.randn(1, count, width)
    cls = method.cls + method.position[7] + method.kind[1]
    tokens = [cls, *(frames[0, t] + method.position[t] + method.kind[0] for t in range(count))]
    tokens = method.norm(torch.stack(tokens))
    for layer in method.layers:
        of_frames, of_cls = (
            layer.projections(tokens)[:, i * 3 * width : (i + 1) * 3 * width] for i in (0, 1)
        )
        added = []
        for i in range(1 + count):
            q, k, v = (of_frames if i else of_cls).split(width, 1)
            seen = [j for j in range(1 + count) if i == 0 or j == 0 or abs(i - j) <= 1]
            parts = []
            for h in range(heads):
                cut = slice(h * width // heads, (h + 1) * width // heads)
                weights = (k[seen, cut] @ q[i, cut] / math.sqrt(width / heads)).softmax(0)
                parts.append(weights @ v[seen, cut])
            added.append(layer.out(torch.cat(parts)))
        tokens = layer.norm_1(tokens + torch.stack(added))
        tokens = layer.norm_2(tokens + layer.mlp(tokens))
    found = method.after(frames, None, None, lambda x: x)
    expected = method.head(tokens[0]).expand(count, -1)
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 0}, "layers=0"),
        ({"heads": 5}, "heads=5"),
        ({"window": 1}, "window=1"),
        ({"positions": 4}, "frames=3: the table has positions=4"),
    ],
)
def test_vtns_impossible_settings(clip, options, message):
    with pytest.raises(ValueError, match=message):
        build("vtn", clip, FRAMES, options)


@torch.no_grad()
def test_vtn_of_more_frames_than_positions(clip):
    method = build("vtn", clip, FRAMES, {"positions": 6})
    with pytest.raises(ValueError, match="5 frames; this model has 4 positions"):
        method.after(torch.randn(1, 5, 1, clip.embed_dim), None, None, lambda x: x)


def test_vtns_starts(clip):
    torch.manual_seed(0)
    method = build("vtn", clip, FRAMES)
    assert (len(method.layers), method.layers[0].reach, len(method.position)) == (3, 9, 288)
    assert 0.7 < method.cls.std() < 1.3 and not method.layers[0].projections.bias.any()
    for weight in (method.layers[0].projections.weight, method.layers[1].mlp[0].weight, method.position):
        assert weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert method.norm.eps == method.layers[0].norm_2.eps == 1e-12 and method.head[0].eps == 1e-5


@torch.no_grad()
def test_the_released_factorised_encoder_by_hand(clip):
    method = of(clip, "factorised_encoder", released=True, layers=1, heads=2, hidden=40)
    (block,), width = method.blocks, clip.embed_dim
    frames = torch.randn(1, FRAMES, width)
    y = torch.cat([method.cls[None], frames[0]]) + method.position
    normed = F.layer_norm(y, (width,), block.norm1.weight, block.norm1.bias, 1e-6)
    y = y + torch.stack([asks(block.self_attn, token, normed) for token in normed])
    normed = F.layer_norm(y, (width,), block.norm2.weight, block.norm2.bias, 1e-6)
    up = block.linear1(normed)
    gelu = up / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (up + 0.044715 * up**3)))
    expected = method.norm((y + block.linear2(gelu))[0])
    found = method.after(frames, None, None, lambda x: x)
    torch.testing.assert_close(found[0], expected.expand(FRAMES, -1), atol=1e-5, rtol=0)
    padded = torch.cat([frames, 9 * torch.ones(1, 1, width)], 1)
    longer = build(
        "factorised_encoder", clip, FRAMES + 1, {"released": True, "layers": 1, "heads": 2, "hidden": 40}
    )
    state = method.state_dict() | {"position": torch.cat([method.position, torch.zeros(1, width)])}
    longer.load_state_dict(state)
    mask = torch.tensor([[True] * FRAMES + [False]])
    masked = longer.eval().after(padded, None, mask, lambda x: x)
    torch.testing.assert_close(masked[0, :FRAMES], expected.expand(FRAMES, -1), atol=1e-5, rtol=0)


def test_scenics_starts(clip):
    torch.manual_seed(0)
    method = build("factorised_encoder", clip, FRAMES, {"released": True})
    block, width = method.blocks[0], clip.embed_dim
    assert not method.cls.any() and method.position.std().item() == pytest.approx(0.02, rel=0.3)
    spreads = {block.self_attn.in_proj_weight: (width, width), block.linear1.weight: (width, 4 * width)}
    maps = build("token_learner", clip, FRAMES, {"released": True, "bottleneck": 48, "tokens": 8}).maps
    spreads |= {maps[1].weight: (WIDTH, 48), maps[3].weight: (48, 8)}
    for weight, sizes in spreads.items():
        assert weight.std().item() == pytest.approx(math.sqrt(2 / sum(sizes)), rel=0.1)
    assert maps[0].eps == block.norm1.eps == method.norm.eps == 1e-6


def test_what_only_the_released_blocks_have(clip):
    with pytest.raises(ValueError, match="heads and hidden are for released=True"):
        build("factorised_encoder", clip, FRAMES, {"heads": 2})
    with pytest.raises(ValueError, match="heads=3: choose"):
        build("factorised_encoder", clip, FRAMES, {"released": True, "heads": 3})


@torch.no_grad()
def test_the_released_token_learner_joins_all_blocks_and_has_no_cls(clip, video):
    method = of(clip, "token_learner", released=True, tokens=3, block=1)
    encoder = VideoEncoder(clip, method)
    patches = encoder.embed(video)[:, :, 1:] + method.position
    y = clip.blocks[0](patches.flatten(1, 2)).unflatten(1, (FRAMES, PATCHES))
    weights = method.maps(y).softmax(2)
    pooled = torch.einsum("btpn,btpd->btnd", weights, y).flatten(1, 2)
    for block in clip.blocks[1:]:
        pooled = block(pooled)
    torch.testing.assert_close(encoder(video).video, clip.visual.project(pooled).mean(1), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="4 frames; this model was built for 3 at most"):
        method.placed(torch.zeros(1, 4, PATCHES, WIDTH))


@torch.no_grad()
def test_a_roll_may_be_left_out(clip, video):
    plain = VideoEncoder(clip, build("mean", clip, FRAMES))(video)
    still = VideoEncoder(clip, build("token_roll", clip, FRAMES, {"share": 0.0}))(video)
    torch.testing.assert_close(still.video, plain.video)


@torch.no_grad()
def test_rolled_tokens_with_times_order_and_pooler(clip, x):
    method = of(clip, "token_roll", times=True, shuffled=True, pooler=True)
    started = method.started(x)
    assert torch.equal(started[:, :, 0], x[:, :, 0])
    timed = x[:, :, 1:] + method.time.weight[:, None]
    same = [
        torch.equal(started[b, t, 1:], timed[b, t]) for b, t in itertools.product(range(2), range(FRAMES))
    ]
    assert not any(same)
    torch.testing.assert_close(started[:, :, 1:].sort(2)[0], timed.sort(2)[0])  # each patch once
    assert not torch.equal(method.started(x), started)  # another order in each pass
    mask = torch.tensor([[True, True, False], [True, True, True]])
    frames = torch.randn(2, FRAMES, clip.embed_dim)
    found = method.pool(frames, x, mask, clip.visual.project)
    pooler = method.pooler.weight, method.pooler.bias
    torch.testing.assert_close(found[0], F.linear(frames[0, :2].mean(0), *pooler).tanh())


def test_patches_in_a_given_order():
    patches = torch.arange(6.0).reshape(1, 2, 3, 1)
    order = torch.tensor([[[2, 0, 1], [0, 2, 1]]])
    assert in_order(patches, order).flatten().tolist() == [2, 0, 1, 3, 5, 4]


@torch.no_grad()
def test_clip_vip_by_hand(clip, video):
    """The CLS token and the proxies ask all tokens; a patch asks them and its own frame, in CLIP's own attention."""
    method, block = of(clip, "clip_vip", proxies=2), clip.blocks[0]
    tokens = clip.visual.tokens(video.flatten(0, 1)).unflatten(0, video.shape[:2])
    x = clip.visual.start(method.before(tokens))
    found = method.inside(0, block, x, None)
    normed = clip.visual.start(tokens[:, :, 1:] + method.time.weight[:, None])
    shared = clip.visual.start(torch.cat([tokens[0, 0, :1], method.proxies]))
    torch.testing.assert_close(x[:, :, 3:], normed)
    for frame in range(FRAMES):
        torch.testing.assert_close(x[0, frame, :3], shared)
    everything = block.ln_1(torch.cat([shared, normed[0].flatten(0, 1)]))
    for i in range(3):
        expected = shared[i] + asks(block.attn, everything[i], everything)
        expected = expected + block.mlp(block.ln_2(expected))
        torch.testing.assert_close(found[0, 1, i], expected, atol=1e-5, rtol=1e-5)
    of_frame = block.ln_1(torch.cat([shared, normed[0, 2]]))
    expected = normed[0, 2, 5] + asks(block.attn, of_frame[3 + 5], of_frame)
    expected = expected + block.mlp(block.ln_2(expected))
    torch.testing.assert_close(found[0, 2, 3 + 5], expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_clip_vips_proxies_end_before_what_follows_the_blocks(clip, video):
    model = DualEncoder(clip, of(clip, "clip_vip")).eval()
    counts = [x.shape[2] for _, x in model.encoder.blocks(video)]
    assert counts == [1 + PATCHES + 3] * (clip.layers - 1) + [1 + PATCHES]


def test_clip_vips_starts(clip):
    torch.manual_seed(0)
    method = build("clip_vip", clip, FRAMES, {"proxies": 400})
    assert not method.time.weight.any()
    drawn = method.proxies.detach() - clip.visual.positional_embedding[0]
    assert drawn.mean().abs() < 0.02 and 0.98 < drawn.std() < 1.02


def test_clip_vip_without_proxies(clip):
    with pytest.raises(ValueError, match="proxies=0: it needs at least one"):
        build("clip_vip", clip, FRAMES, {"proxies": 0})


def asks_beside_zeros(attention, query, keys, zeros):
    """What a token (D) gets of others (N, D) in CLIP's attention beside `zeros` keys and values that are zero."""
    parts = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    q, k, v = (F.linear(*part) for part in zip((query, keys, keys), *parts, strict=True))
    size, heads = attention.head_dim, []
    for h in range(attention.num_heads):
        of_head = slice(h * size, (h + 1) * size)
        logits = torch.cat([k[:, of_head] @ q[of_head] / math.sqrt(size), torch.zeros(zeros)])
        heads.append(logits.softmax(0)[: len(keys)] @ v[:, of_head])
    return attention.out_proj(torch.cat(heads))


@pytest.mark.parametrize("zeros", [True, False])
@pytest.mark.parametrize(("reach", "frame", "asked"), [(1, 1, 3), (1, 0, 2), (1, 2, 2), (2, 0, 3), (2, 2, 3)])
@torch.no_grad()
def test_neighbour_attention_by_hand(clip, x, zeros, reach, frame, asked):
    """Each token asks all tokens of its frame's neighbours, CLS tokens too; beyond the ends are zeros, or nothing."""
    method, block = of(clip, "neighbour_attention", zeros=zeros, reach=reach), clip.blocks[1]
    found = method.inside(1, block, x, None)
    near = x[0, max(frame - reach, 0) : frame + reach + 1]
    assert len(near) == asked
    keys, count = block.ln_1(near.flatten(0, 1)), x.shape[2]
    missing = (2 * reach + 1 - asked) * count if zeros else 0
    for token in (0, 5):
        own = x[0, frame, token]
        expected = own + asks_beside_zeros(block.attn, block.ln_1(own), keys, missing)
        expected = expected + block.mlp(block.ln_2(expected))
        torch.testing.assert_close(found[0, frame, token], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("zeros", [True, False])
@torch.no_grad()
def test_a_padding_frame_is_nobodys_neighbour(clip, x, zeros):
    """Where a padding frame lies between two others, each of them is at an end."""
    method, block = of(clip, "neighbour_attention", zeros=zeros), clip.blocks[1]
    mask = torch.tensor([[True, False, True]]).expand(len(x), -1)
    found, alone = method.inside(1, block, x, mask), method.inside(1, block, x[:, 2:], None)
    torch.testing.assert_close(found[:, 2:], alone, atol=1e-5, rtol=1e-5)
    assert found.isfinite().all(), "what a padding frame becomes is weighed by zero, which no NaN survives"


@torch.no_grad()
def test_neighbour_attention_knows_who_is_beside_whom_and_not_who_comes_first(clip, video):
    model = DualEncoder(clip, of(clip, "neighbour_attention")).eval()
    known = model.encode_video(video)
    reverse, swapped = model.encode_video(video.flip(1)), model.encode_video(video[:, [1, 0, 2]])
    torch.testing.assert_close(reverse.frames.flip(1), known.frames, atol=1e-5, rtol=1e-5)
    assert (swapped.video - known.video).abs().max() > 1e-3
    assert not list(model.temporal.parameters())


@pytest.mark.parametrize("own_values", [True, False])
@torch.no_grad()
def test_trajectory_attention_by_hand(clip, x, own_values):
    """A patch asks each frame's patches; what it found in its own frame asks what it found in all of them."""
    method, block = of(clip, "trajectory_attention", own_values=own_values), clip.blocks[1]
    found, along, heads, size = (
        method.inside(1, block, x, None),
        method.along[1],
        clip.heads,
        WIDTH // clip.heads,
    )
    y = block.ln_1(x[0])
    q, k, v = F.linear(y, block.attn.in_proj_weight, block.attn.in_proj_bias).chunk(3, -1)
    t, p = 2, 5

    def of_head(vectors, head):
        return vectors[..., head * size : (head + 1) * size]

    def mixed(query, keys, values):
        return ((keys @ query) / math.sqrt(size)).softmax(0) @ values

    trajectory = torch.stack(
        [
            torch.cat(
                [
                    mixed(of_head(q[t, 1 + p], h), of_head(k[f, 1:], h), of_head(v[f, 1:], h))
                    for h in range(heads)
                ]
            )
            for f in range(FRAMES)
        ]
    )
    asked, keys = along.query(trajectory[t]), along.key(trajectory)
    values = trajectory if own_values else along.value(trajectory)
    over_time = torch.cat(
        [mixed(of_head(asked, h), of_head(keys, h), of_head(values, h)) for h in range(heads)]
    )
    expected = x[0, t, 1 + p] + block.attn.out_proj(over_time)
    expected = expected + block.mlp(block.ln_2(expected))
    torch.testing.assert_close(found[0, t, 1 + p], expected, atol=1e-5, rtol=1e-5)
    cls = x[0, t, 0] + asks(block.attn, y[t, 0], y[t])
    torch.testing.assert_close(found[0, t, 0], cls + block.mlp(block.ln_2(cls)), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_one_cls_token_reads_all_trajectories_frames(clip, x):
    method, block = of(clip, "trajectory_attention", one_cls=True), clip.blocks[1]
    found = method.inside(1, block, x, None)
    y = block.ln_1(torch.cat([x[0, 0, :1], x[0, :, 1:].flatten(0, 1)]))
    cls = x[0, 0, 0] + asks(block.attn, y[0], y)
    for frame in range(FRAMES):
        torch.testing.assert_close(found[0, frame, 0], cls + block.mlp(block.ln_2(cls)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("last", [False, True])
@torch.no_grad()
def test_in_the_last_block_patches_follow_nothing_but_in_the_source(clip, x, last):
    method = of(clip, "trajectory_attention", last_block=last)
    i, block = clip.layers - 1, clip.blocks[-1]
    assert len(method.along) == i + last
    same = torch.stack([block(clip_of_frames) for clip_of_frames in x])
    assert torch.allclose(method.inside(i, block, x, None), same, atol=1e-5) != last
