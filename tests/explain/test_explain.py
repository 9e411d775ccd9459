"""Maps are what their docstrings say, follow the score where one patch makes it, and leave the model as it was."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stan.common.recording import recorded
from stan.config import ModelConfig
from stan.explain import explain
from stan.explain.explanation import NOT_BETTER, explain_pixels, leave_one_out
from stan.explain.faithfulness import faithfulness, scorer
from stan.explain.gradient_maps import Layer, Layers, layers_of
from stan.explain.maps import attention, grad_eclip, gradient_attention, maps_of, rollout
from stan.models.attention import attention_weights, weights_of
from stan.models.backbones import load_clip
from stan.models.dual_encoder import DualEncoder, build
from stan.models.temporal import METHODS
from stan.models.temporal import build as build_method
from stan.models.text_tower import TextOutput
from tests.support.moved_weights import moved
from tests.support.small_clips import write_clip
from tests.support.without_maps import WITHOUT_MAPS

FRAMES = 3
QUERY = "a red square moves"


def tiny(temporal: str = "stan", **options) -> DualEncoder:
    torch.manual_seed(0)
    model = build(ModelConfig(pretrained="random", temporal=temporal, options=options), FRAMES).eval()
    moved(model.temporal)
    return model


@pytest.fixture(scope="module")
def model() -> DualEncoder:
    return tiny()


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.randn(FRAMES, 3, 48, 48, generator=torch.Generator().manual_seed(1))


# --- gradients


@pytest.mark.parametrize("part", ["clip", "branch"])
def test_pull_is_what_the_score_gains_when_attention_moves(pixels, part):
    """Against finite differences: a little of one head's attention in one frame, moved from everywhere to one patch."""
    model, frame, head, patch, little = tiny().double(), 1, 2, 5, 1e-5
    block = model.clip.blocks[3] if part == "clip" else model.temporal.layers[1].intra_frame.block
    text = model.encode_text(QUERY)
    layers = layers_of(model, pixels.double(), text)
    layer = layers.clip[3] if part == "clip" else layers.branch[1]
    seen = {}
    block.ln_1.register_forward_hook(lambda module, given, out: seen.update(x=out))

    def move(module, given, out):
        attention, x = block.attn, seen["x"]
        value = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, -1)[2][frame]
        channels = slice(head * value.shape[1] // attention.num_heads, (head + 1) * value.shape[1] // 4)
        change = torch.zeros_like(value[0])
        weights = attention_weights(attention, x)[frame, head, 0]
        change[channels] = value[1 + patch, channels] - weights @ value[:, channels]
        out = out.clone()
        out[frame, 0] += little * change @ attention.out_proj.weight.T
        return out

    block.attn.out_proj.register_forward_hook(move)
    with torch.no_grad():
        score = model.similarity(text, model.encode_video(pixels.double()[None]))[0, 0].item()
    assert (score - layers.score) / little == pytest.approx(
        layer.pull[frame, head, 0, patch].item(), rel=1e-3
    )


def test_the_pull_of_a_query_is_what_the_score_gains_when_it_asks_a_patch(pixels):
    """Against finite differences: a little of one head's attention, moved from all frames to one patch of one frame."""
    model, frame, head, patch, little = tiny("evl", layers=2).double(), 1, 2, 5, 1e-5
    layer, text = model.temporal.layers[0], model.encode_text(QUERY)
    found = layers_of(model, pixels.double(), text)
    with torch.no_grad(), recorded(layer) as passes:
        model.encode_video(pixels.double()[None])
        query, key, value = layer.attention_heads(*passes.given[-1][:2])
    weights = weights_of(query, key)

    def move(module, given):
        mixed = given[0].clone().unflatten(-1, (layer.heads, -1))
        at = frame * model.clip.tokens_per_frame + model.clip.prefix + patch
        mixed[0, 0, head] += little * (value[0, head, at] - weights[0, head, 0] @ value[0, head])
        return (mixed.flatten(-2),)

    layer.out.register_forward_pre_hook(move)
    with torch.no_grad():
        score = model.similarity(text, model.encode_video(pixels.double()[None]))[0, 0].item()
    pull = found.branch[0].pull[frame, head, 0, patch].item()
    assert (score - found.score) / little == pytest.approx(pull, rel=1e-3)
    assert found.branch[0].weights.shape == (FRAMES, layer.heads, 1, model.clip.patches)


def test_the_layers_are_the_models_own(model, pixels):
    layers = layers_of(model, pixels, model.encode_text(QUERY))
    assert (len(layers.clip), len(layers.branch)) == (model.clip.layers, len(model.temporal.layers))
    with torch.no_grad():
        video = model.encode_video(pixels[None])
        score = model.similarity(model.encode_text(QUERY), video)[0, 0].item()
        first = model.clip.attention(0, model.clip.embed(pixels))
    assert layers.score == pytest.approx(score, abs=1e-5)
    torch.testing.assert_close(layers.clip[0].weights, first[:, :, :1, 1:], atol=1e-6, rtol=0)
    torch.testing.assert_close(layers.mixing[0], first.mean(1), atol=1e-6, rtol=0)
    assert torch.equal(layers.read, torch.eye(17)[:1].expand(FRAMES, 17)), "the CLS token is all that is read"


# --- maps, by loops over hand-made layers


@pytest.fixture
def layer() -> Layer:
    """Two frames, three heads, two tokens that are read and four patches."""
    torch.manual_seed(2)
    return Layer(
        torch.randn(2, 3, 2, 5),
        torch.randn(2, 3, 4, 5),
        torch.rand(2, 3, 2, 5).softmax(-1)[..., 1:],
        torch.randn(2, 3, 2, 4),
        torch.rand(2, 2).softmax(-1),
    )


def layers(clip: list[Layer], branch: list[Layer]) -> Layers:
    """Two blocks over five tokens, two of which are read."""
    torch.manual_seed(3)
    mixing = [torch.rand(2, 5, 5).softmax(-1) for _ in range(2)]
    return Layers(clip, branch, 0.0, mixing, torch.tensor([[0.0, 0.0, 0.0, 0.25, 0.75]]).expand(2, 5))


def test_grad_eclip_by_hand(layer):
    expected = np.zeros((2, 4))
    for t in range(2):
        for h in range(3):
            keys, gained = layer.key[t, h].numpy(), np.zeros(4)
            for q in range(2):
                query = layer.query[t, h, q].numpy()
                cosine = keys @ query / np.linalg.norm(query) / np.linalg.norm(keys, axis=1)
                loosened = (cosine - cosine.min()) / (cosine.max() - cosine.min())
                gained += loosened * layer.pull[t, h, q].numpy()
            expected[t] += np.maximum(0, gained)
    np.testing.assert_allclose(grad_eclip(layer), expected, atol=1e-6)


def test_grad_eclip_of_a_mean_by_hand(layer):
    mean = replace(layer, query=None, key=None)
    expected = np.zeros((2, 4))
    for t, h, p in np.ndindex(2, 3, 4):
        expected[t, p] += max(0, layer.pull[t, h, :, p].sum().item())
    np.testing.assert_allclose(grad_eclip(mean), expected, atol=1e-6)


def test_gradient_attention_by_hand(layer):
    other = replace(layer, weights=layer.weights.flip(-1), pull=layer.pull.flip(0))
    expected = np.zeros((2, 4))
    for one in (layer, other):
        for t, h, p in np.ndindex(2, 3, 4):
            expected[t, p] += max(0, sum((one.weights * one.pull)[t, h, q, p].item() for q in range(2)))
    np.testing.assert_allclose(gradient_attention([layer, other]), expected, atol=1e-6)


def test_rollout_of_attention_to_oneself_reaches_no_patch_and_rows_stay_shares(layer):
    cls = torch.eye(5)[:1].expand(2, 5)
    oneself = replace(layers([layer], []), mixing=[torch.eye(5).expand(2, 5, 5)] * 2, read=cls)
    assert not rollout(oneself).any()
    whole = layers([layer], [])
    first, second = ((mixed + torch.eye(5)) / 2 for mixed in whole.mixing)
    torch.testing.assert_close(rollout(replace(whole, read=cls)), (second @ first)[:, 0, 1:])
    rows = 0.25 * (second @ first)[:, 3] + 0.75 * (second @ first)[:, 4]
    torch.testing.assert_close(rollout(whole), rows[:, 1:])


def test_raw_attention_by_hand(layer):
    expected = np.zeros((2, 4))
    for t, h, q, p in np.ndindex(2, 3, 2, 4):
        expected[t, p] += layer.shares[t, q].item() * layer.weights[t, h, q, p].item() / 3
    np.testing.assert_allclose(attention(layer), expected, atol=1e-6)


def test_parts_add_up_and_the_default_comes_first(layer):
    found = {one.name: one.values for one in maps_of(layers([layer], [layer, layer]))}
    assert next(iter(found)) == "grad-eclip-both"
    for method in ("grad-eclip", "gradient-attention"):
        assert torch.equal(found[f"{method}-both"], found[f"{method}-clip"] + found[f"{method}-branch"])
    assert torch.equal(found["attention-clip"], attention(layer))
    alone = [one.name for one in maps_of(layers([layer], []))]
    assert alone == ["grad-eclip-clip", "gradient-attention-clip", "attention-clip", "rollout-clip"]


def test_a_mean_is_no_attention(layer):
    mean = replace(layer, query=None, key=None)
    found = {one.name: one.values for one in maps_of(layers([layer, mean], []))}
    assert torch.equal(found["grad-eclip-clip"], grad_eclip(mean))
    assert torch.equal(found["attention-clip"], attention(layer))
    alone = maps_of(replace(layers([mean], []), mixing=[]))
    assert [one.name for one in alone] == ["grad-eclip-clip"], "there is no attention in the blocks, either"


# --- whole explanations


def test_where_one_patch_makes_the_score_the_maps_peak_there_and_are_faithful():
    """A bright video with one dark patch, and a text that is what this patch changes in the embedding."""
    model = tiny("mean")
    model.clip.visual.positional_embedding.data.zero_()  # or the place of a patch would matter, too
    bright = torch.ones(FRAMES, 3, 48, 48)
    frame, row, column = 1, 2, 3
    pixels = bright.clone()
    pixels[frame, :, 12 * row : 12 * row + 12, 12 * column : 12 * column + 12] = -1.0
    with torch.no_grad():
        change = model.encode_video(pixels[None]).video - model.encode_video(bright[None]).video
    text = TextOutput(change[:, None], change, torch.ones(1, 1, dtype=torch.bool))
    values = {
        one.name: one.values.reshape(FRAMES, 4, 4).numpy()
        for one in maps_of(layers_of(model, pixels, text))
        if one.method in ("grad-eclip", "gradient-attention")
    }
    # none of these draws happens to begin with that patch
    tested = faithfulness(scorer(model, text), pixels, values, steps=48, draws=5, seed=1)
    for name, map in values.items():
        assert np.unravel_index(map.argmax(), map.shape) == (frame, row, column), name
        assert tested[name]["better"], name


@pytest.mark.slow
def test_explaining_leaves_the_model_as_it_was(model, pixels):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        first = model.encode_video(pixels[None])
    explain_pixels(model, pixels, QUERY, steps=2, draws=2)
    with torch.no_grad():
        again = model.encode_video(pixels[None])
    assert torch.equal(first.frames, again.frames) and torch.equal(first.video, again.video)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters()) and not pixels.requires_grad


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_explained_or_says_why_not(pixels, name):
    model = tiny(name)
    if name in WITHOUT_MAPS:
        with pytest.raises(ValueError, match="no attention maps of .*: its tokens are not each frame's own"):
            explain_pixels(model, pixels, QUERY)
        return
    maps = maps_of(layers_of(model, pixels, model.encode_text(QUERY)))
    assert {one.part for one in maps} == (
        {"both", "clip", "branch"} if name in ("stan", "evl", "uniformer_v2") else {"clip"}
    )
    for one in maps:
        assert one.values.shape == (FRAMES, 16) and (one.values >= 0).all()
        assert one.values.max() > 0, f"{one.name} follows nothing"


@pytest.mark.parametrize(
    "options",
    [{"branch": False, "multi_level": False}, {"cross_frame": "convolution"}, {"intra_frame": False}],
)
def test_every_kind_of_branch(pixels, options):
    model = tiny("stan", **options)
    layers = layers_of(model, pixels, model.encode_text(QUERY))
    assert len(layers.branch) == (0 if options == {"intra_frame": False} else 4)


def test_a_frozen_model_is_explained_too(pixels):
    model = tiny().requires_grad_(False)
    assert maps_of(layers_of(model, pixels, model.encode_text(QUERY)))[0].values.max() > 0


@pytest.mark.slow
def test_a_real_vit_by_name():
    clip = load_clip("ViT-B-32", "random").eval()
    model = DualEncoder(clip, build_method("stan", clip, 2, {"layers": 1}))
    maps = maps_of(layers_of(model, torch.randn(2, 3, 224, 224), model.encode_text(QUERY)))
    assert maps[0].values.shape == (2, 49) and maps[0].values.max() > 0


def test_leaving_a_word_out(model, pixels):
    with torch.no_grad():
        video = model.encode_video(pixels[None])
        texts = ["a red square moves", "red square moves", "a square moves", "a red moves", "a red square"]
        whole, *without = (model.similarity(model.encode_text(t), video).item() for t in texts)
    found = leave_one_out(model, pixels, " a red  square moves ")
    assert [one["word"] for one in found] == ["a", "red", "square", "moves"]
    assert [one["change"] for one in found] == pytest.approx([score - whole for score in without], abs=1e-5)


def test_of_a_file(model, tmp_path):
    counted = []
    found = explain(
        model,
        write_clip(tmp_path / "clip.mp4", (250, 20, 20)),
        QUERY,
        frames=2,
        steps=2,
        draws=2,
        progress=lambda *count: counted.append(count),
    )
    assert found.pixels.shape == (2, 48, 48, 3) and found.times.shape == (2,)
    assert found.default is found.maps["grad-eclip-both"] and counted[-1] == (11, 11)
    maps = found.maps
    assert np.array_equal(found.difference, maps["grad-eclip-branch"].values - maps["grad-eclip-clip"].values)
    assert [name for name, one in maps.items() if not one.is_explanation] == [
        "attention-clip",
        "attention-branch",
        "rollout-clip",
    ]
    written = json.loads(json.dumps(found.document()))
    assert written["query"] == QUERY and written["score"] == found.score and len(written["words"]) == 4
    first = written["maps"][0]
    assert first["name"] == written["default"] == "grad-eclip-both"
    assert np.array(first["values"]).shape == (2, 4, 4)
    assert {"deletion", "insertion", "random_deletion", "random_insertion", "better"} <= set(
        first["faithfulness"]
    )
    assert first["notes"] == ([] if first["faithfulness"]["better"] else [NOT_BETTER])
    assert "not an explanation" in written["maps"][-1]["notes"][0]


def test_no_query_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="the query is empty"):
        explain(model, write_clip(tmp_path / "clip.mp4"), "  ")
