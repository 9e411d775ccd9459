"""Every family of image towers is explained from what it reads of a frame, or says what it has not."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stan.common.recording import all_recorded
from stan.evaluation import linear_probe
from stan.explain import attention_of
from stan.explain.attention import Attention
from stan.explain.explanation import explain_pixels
from stan.explain.figures import attention as attention_figure
from stan.explain.gradient_maps import Layer, layers_of
from stan.explain.maps import maps_of
from stan.explain.readout import readout_of
from stan.explain.tour import movement
from stan.models.attention import attention_heads, attention_weights, before_projection
from stan.models.backbones import from_config
from stan.models.clip import Clip
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal import build
from stan.models.text_tower import TextOutput
from tests.models.test_coca import CONFIG as COCA
from tests.support import towers
from tests.support.moved_weights import moved

pytestmark = pytest.mark.slow

FRAMES = 2
FAMILIES = [*towers.FAMILIES, "CoCa"]
POOLED = ["SigLIP", "Perception Encoder", "Perception Encoder G", "register", "CoCa"]
"""Families read through an attention pool."""
MEAN = ["mean", "mean of normalised", "ViTamin", "ViTamin XL", "no class token"]
"""Families read at the mean of their patches, beside the staged ones."""


def clip_of(family: str) -> Clip:
    if family == "CoCa":
        torch.manual_seed(0)
        return from_config(COCA).eval()
    return towers.clip_of(family)


def stan_on(clip: Clip) -> DualEncoder:
    torch.manual_seed(3)
    model = DualEncoder(clip, build("stan", clip, FRAMES, {"layers": 2})).eval()
    moved(model.temporal)
    return model


@pytest.fixture(scope="module", params=FAMILIES)
def explained(request):
    return request.param, stan_on(clip_of(request.param))


def pixels_for(clip: Clip) -> Tensor:
    shape = FRAMES, 3, clip.image_size, clip.image_size
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def text_for(clip: Clip, dtype: torch.dtype = torch.float32) -> TextOutput:
    vector = torch.randn(1, clip.embed_dim, generator=torch.Generator().manual_seed(2)).to(dtype)
    return TextOutput(vector[:, None], vector, torch.ones(1, 1, dtype=torch.bool))


def last_tokens(clip: Clip) -> Tensor:
    x = clip.embed(pixels_for(clip))
    for block in clip.blocks:
        x = block(x)
    return x


# --- what is read


def test_who_reads_what(explained):
    family, model = explained
    kinds = {"first": [], "pool": POOLED, "mean": [*MEAN, *towers.STAGED]}
    tower = model.clip.visual
    with all_recorded([tower.pooler] if tower.pooler else []) as read:
        tower(pixels_for(model.clip))
    readout = readout_of(tower, read, FRAMES)
    kind = "first" if readout.first else "mean" if readout.heads is None else "pool"
    assert family in kinds[kind] or (kind == "first" and family not in [*POOLED, *MEAN, *towers.STAGED])
    torch.testing.assert_close(readout.weights.sum(-1), torch.ones(readout.weights.shape[:2]))
    whole = readout.of_all(model.clip.tokens_per_frame)
    torch.testing.assert_close(whole.sum(-1), torch.ones(FRAMES))
    if kind == "mean":
        even = torch.zeros(model.clip.tokens_per_frame)
        even[model.clip.prefix :] = 1 / model.clip.patches
        torch.testing.assert_close(whole, even.expand(FRAMES, -1))


@pytest.mark.parametrize("family", [one for one in POOLED if one != "CoCa"])
@torch.no_grad()
def test_weights_of_an_attention_pool_by_hand(family):
    """Head by head from the pool's own parameters, and what follows them gives the pool's own output."""
    clip = clip_of(family)
    tower, pool = clip.visual, clip.visual.pooler
    with all_recorded([pool]) as read:
        pooled = tower.pool(last_tokens(clip))
    tokens, size = read[pool].last_argument, pool.head_dim
    keys, values = pool.kv(tokens).chunk(2, -1)
    query = pool.q(pool.latent)[0, 0]
    expected, mixed = [], []
    for head in range(pool.num_heads):
        channels = slice(head * size, (head + 1) * size)
        logits = pool.k_norm(keys[..., channels]) @ pool.q_norm(query[channels]) / size**0.5
        expected.append(logits.exp() / logits.exp().sum(-1, keepdim=True))
        mixed.append((expected[-1][:, :, None] * values[..., channels]).sum(1))
    found = readout_of(tower, read, FRAMES).weights
    torch.testing.assert_close(found, torch.stack(expected, 1))
    x = pool.proj(torch.cat(mixed, -1))
    x = x if pool.mlp is None else x + pool.mlp(pool.norm(x))
    torch.testing.assert_close(x, pooled, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_weights_of_a_coca_are_torchs_own():
    clip = clip_of("CoCa")
    pool = clip.visual.pooler
    with all_recorded([pool]) as read:
        clip.visual.pool(last_tokens(clip))
    keys = pool.ln_k(read[pool].last_argument)
    query = pool.ln_q(pool.query).expand(FRAMES, -1, -1)
    expected = pool.attn(query, keys, keys, average_attn_weights=False)[1][:, :, 0]
    torch.testing.assert_close(readout_of(clip.visual, read, FRAMES).weights, expected)


# --- raw attention


def test_shapes_of_attention(explained):
    family, model = explained
    clip, (maps, output) = model.clip, attention_of(model, pixels_for(model.clip))
    staged = family in towers.STAGED
    space = (FRAMES, clip.heads, *clip.grid)
    if staged:
        assert maps["clip"] is None and maps["branch"] is None
    else:
        assert maps["clip"].shape == (clip.layers, *space) and maps["branch"].shape == (2, *space)
        assert (maps["clip"].sum((-1, -2)) < 1 + 1e-5).all() and (maps["clip"] >= 0).all()
    assert maps["temporal"].shape == (2, clip.heads, *clip.grid, FRAMES, FRAMES)
    np.testing.assert_allclose(maps["temporal"].sum(-1), 1, atol=1e-5)
    assert (maps["pooling"] is not None) == (family in POOLED)
    with torch.no_grad():
        assert torch.equal(output.video, model.encode_video(pixels_for(clip)[None]).video)
    pictures = np.zeros((FRAMES, 8, 8, 3), np.uint8)
    figure = attention_figure(Attention(pictures, np.arange(2.0), clip.grid, **maps))
    plt.close(figure)
    assert len(figure.axes) == FRAMES * (1 if staged else 3 + (family in POOLED))


@torch.no_grad()
def test_attention_in_blocks_is_of_the_tokens_that_are_read(explained):
    family, model = explained
    if family in towers.STAGED:
        pytest.skip("its blocks have no attention")
    clip, prefix = model.clip, model.clip.prefix
    maps, _ = attention_of(model, pixels_for(clip))
    weights = clip.attention(1, clip.blocks[0](clip.embed(pixels_for(clip))))[..., prefix:]
    if family in MEAN:
        expected = weights[:, :, prefix:].mean(2)
    elif family in POOLED:
        with all_recorded([clip.visual.pooler]) as read:
            clip.visual.pool(last_tokens(clip))
        shares = readout_of(clip.visual, read, FRAMES).weights.mean(1)
        rows = weights[:, :, -shares.shape[1] :]
        expected = sum(shares[:, None, q, None] * rows[:, :, q] for q in range(shares.shape[1]))
    else:
        expected = weights[:, :, 0]
    found = torch.tensor(maps["clip"][1]).flatten(-2)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_attention_of_the_branch_is_what_the_branch_says(explained):
    """The branch's copies know where patches lie, though its CLS token takes the place of the tower's prefix."""
    family, model = explained
    video = pixels_for(model.clip)[None]
    maps, _ = attention_of(model, video[0])
    for k, expected in enumerate(model.temporal.attention(model.encoder.levels(video))):
        if family not in towers.STAGED:
            rows = expected["intra_frame"][0, :, :, 0, 1:]
            torch.testing.assert_close(
                torch.tensor(maps["branch"][k]).flatten(-2), rows, atol=1e-6, rtol=1e-5
            )
        over_time = torch.tensor(maps["temporal"][k]).flatten(1, 2).transpose(0, 1)
        torch.testing.assert_close(over_time, expected["cross_frame"][0], atol=1e-6, rtol=1e-5)


# --- gradients


def gained(model: DualEncoder, module: nn.Module, changed: Callable[[Tensor], Tensor]) -> float:
    """What the score gains if `changed` changes what `module` reads."""
    pixels, text = pixels_for(model.clip).double(), text_for(model.clip, torch.float64)
    scores = []
    for change in (False, True):
        hook = module.register_forward_pre_hook(
            lambda _, given, on=change: (changed(given[0]),) if on else None
        )
        with torch.no_grad():
            scores.append(model.similarity(text, model.encode_video(pixels[None]))[0, 0].item())
        hook.remove()
    return scores[1] - scores[0]


def layers_in_double(family: str) -> tuple[DualEncoder, list[Layer], list[Layer]]:
    model = stan_on(clip_of(family)).double()
    layers = layers_of(model, pixels_for(model.clip).double(), text_for(model.clip, torch.float64))
    return model, layers.clip, layers.branch


LITTLE, FRAME, HEAD, PATCH = 1e-5, 1, 1, 2


@pytest.mark.parametrize("family", POOLED)
def test_pull_of_an_attention_pool_is_what_the_score_gains(family):
    """A little of one head's weight in one frame, moved from all tokens to one patch."""
    model, layers, _ = layers_in_double(family)
    tower, pool = model.clip.visual, model.clip.visual.pooler
    end = pool.attn.out_proj if family == "CoCa" else pool.proj
    with all_recorded([pool, end]) as read, torch.no_grad():
        model.encode_video(pixels_for(model.clip).double()[None])
    value = readout_of(tower, read, FRAMES).heads.value[FRAME, HEAD, -model.clip.patches + PATCH]
    channels = slice(HEAD * len(value), (HEAD + 1) * len(value))
    mixed = read[end].last_argument.reshape(FRAMES, -1)[FRAME, channels]

    def changed(given: Tensor) -> Tensor:
        flat = given.clone()
        if len(given) == FRAMES:
            flat.view(FRAMES, -1)[FRAME, channels] += LITTLE * (value - mixed)
        return flat

    # levels that the branch reads before are pooled by the same module, and must stay as they are
    calls = pooled_calls(model, end)
    only_last = on_call(changed, calls)
    found = gained(model, end, only_last) / LITTLE
    assert found == pytest.approx(layers[-1].pull[FRAME, HEAD, 0, PATCH].item(), rel=1e-3, abs=1e-9)


def pooled_calls(model: DualEncoder, module: nn.Module) -> int:
    """How often one run calls `module`."""
    seen = []
    hook = module.register_forward_pre_hook(lambda *_: seen.append(1))
    with torch.no_grad():
        model.encode_video(pixels_for(model.clip).double()[None])
    hook.remove()
    return len(seen)


def on_call(changed: Callable[[Tensor], Tensor], last: int) -> Callable[[Tensor], Tensor]:
    calls = iter(range(1, last + 1))
    return lambda given: changed(given) if next(calls) == last else given


@pytest.mark.parametrize("family", [*MEAN, *towers.STAGED])
def test_pull_of_a_mean_is_what_the_score_gains(family):
    model, layers, _ = layers_in_double(family)
    pooler = model.clip.visual.pooler

    def changed(tokens: Tensor) -> Tensor:
        """Tokens whose mean moves a little towards one of them."""
        tokens = tokens.clone()
        flat = tokens.view(-1, *tokens.shape[-2:])
        flat[FRAME] += LITTLE * (flat[FRAME, PATCH] - flat[FRAME].mean(0))
        return tokens

    found = gained(model, pooler, on_call(changed, pooled_calls(model, pooler))) / LITTLE
    assert found == pytest.approx(layers[-1].pull[FRAME, 0, 0, PATCH].item(), rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("part", ["clip", "branch"])
@pytest.mark.parametrize("family", [one for one in FAMILIES if one not in towers.STAGED])
def test_pull_in_a_block_is_what_the_score_gains(family, part):
    """Whatever lies between the mixed values and the tokens, such as EVA02's inner norm."""
    model, clip, branch = layers_in_double(family)
    branch_layer = model.temporal.layers[0].intra_frame
    block = model.clip.blocks[1] if part == "clip" else branch_layer.block
    layer, places = (clip[1], None) if part == "clip" else (branch[0], branch_layer.places)
    seen = {}
    hook = block.ln_1.register_forward_hook(lambda _, given, out: seen.update(x=out))
    with torch.no_grad():
        model.encode_video(pixels_for(model.clip).double()[None])
    hook.remove()
    _, _, value = (heads[FRAME, HEAD] for heads in attention_heads(block.attn, seen["x"], places))
    weights = attention_weights(block.attn, seen["x"], places=places)[FRAME, HEAD]
    size = value.shape[-1]
    query = layer.pull.shape[2] - 1  # the last of the tokens that are read
    row = 0 if query == 0 else len(weights) - 1
    to = len(value) - model.clip.patches + PATCH

    def changed(mixed: Tensor) -> Tensor:
        mixed = mixed.clone()
        change = value[to] - weights[row] @ value
        mixed[FRAME, row, HEAD * size : (HEAD + 1) * size] += LITTLE * change
        return mixed

    found = gained(model, before_projection(block.attn), changed) / LITTLE
    assert found == pytest.approx(layer.pull[FRAME, HEAD, query, PATCH].item(), rel=1e-3, abs=1e-9)


def test_maps_of_every_tower(explained):
    family, model = explained
    maps = maps_of(layers_of(model, pixels_for(model.clip), text_for(model.clip)))
    parts = ["both", "clip", "branch"]
    expected = [f"{method}-{part}" for method in ("grad-eclip", "gradient-attention") for part in parts]
    expected += ["attention-clip", "attention-branch", "rollout-clip"]
    assert [one.name for one in maps] == (["grad-eclip-clip"] if family in towers.STAGED else expected)
    for one in maps:
        assert one.values.shape == (FRAMES, model.clip.patches) and (one.values >= 0).all()
        assert one.values.max() > 0, f"{one.name} follows nothing"


@pytest.mark.parametrize("family", ["mean", "SigLIP", "ConvNeXt"])
def test_maps_peak_at_the_one_patch_that_makes_the_score(family):
    """A bright video with one dark patch, and a text that is what this patch changes in the embedding."""
    clip = clip_of(family)
    model = DualEncoder(clip, build("mean", clip, FRAMES)).eval()
    bright = torch.ones_like(pixels_for(clip))
    frame, row, column = 1, 1, 0
    pixels, (height, width) = bright.clone(), (clip.image_size // n for n in clip.grid)
    pixels[frame, :, height * row : height * (row + 1), width * column : width * (column + 1)] = -1.0
    with torch.no_grad():
        change = model.encode_video(pixels[None]).video - model.encode_video(bright[None]).video
    text = TextOutput(change[:, None], change, torch.ones(1, 1, dtype=torch.bool))
    default = maps_of(layers_of(model, pixels, text))[0].values.reshape(FRAMES, *clip.grid)
    assert np.unravel_index(default.argmax(), default.shape) == (frame, row, column)


def test_whole_explanations():
    """Maps are tested by taking patches away, whatever makes them: one tower without a class token, one of stages."""
    for family, count in (("SigLIP", 9), ("ConvNeXt", 1)):
        with pytest.MonkeyPatch.context() as patch:
            clip = from_config(towers.small(patch, family)).eval()
        model = stan_on(clip)
        maps, score = explain_pixels(model, pixels_for(clip), "a red square", steps=2, draws=2)
        assert len(maps) == count and np.isfinite(score)
        assert all(one.values.shape == (FRAMES, *clip.grid) for one in maps.values())


# --- levels


@torch.no_grad()
def test_movement_of_every_tower(explained):
    _, model = explained
    clip, still = model.clip, pixels_for(model.clip)[:1].expand(FRAMES, -1, -1, -1)
    for video, moves in ((still, False), (pixels_for(clip), True)):
        shown = movement(model, video[None])
        assert list(shown) == [f"block {i + 1}" for i in range(clip.layers)]
        for values in shown.values():
            assert values.shape == (FRAMES, *clip.grid)
            assert (values.max() > 1e-3) == moves


@pytest.mark.slow
def test_a_linear_probe_of_every_tower(explained):
    _, model = explained
    found = linear_probe.place(model.clip, torch.device("cpu"), stills=32)
    assert {len(scores) for part in found.values() for scores in part.values()} == {model.clip.layers + 1}


def test_a_cocas_pooler_keeps_its_weights_names():
    clip = clip_of("CoCa")
    names = {name for name in clip.visual.state_dict() if name.startswith("attn_pool")}
    assert {"attn_pool.query", "attn_pool.attn.out_proj.weight", "attn_pool.ln_k.weight"} <= names
