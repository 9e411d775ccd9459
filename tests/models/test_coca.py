"""open_clip's CoCa as a backbone: its own embeddings, and temporal methods on top of its towers."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F

from stan.models.backbones import from_config, load_clip
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal import METHODS, build
from stan.models.video_encoder import VideoEncoder

from open_clip.coca_model import CoCa  # isort: skip

TEXT = {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {
        "image_size": 16,
        "layers": 3,
        "width": 24,
        "head_width": 12,
        "patch_size": 4,
        "attentional_pool": True,
        "attn_pooler_queries": 5,
        "attn_pooler_heads": 2,
        "output_tokens": True,
    },
    "text_cfg": TEXT | {"embed_cls": True, "output_tokens": True},
    "multimodal_cfg": TEXT | {"attn_pooler_heads": 2},
    "custom_text": True,
}
CAPTIONS = ["a red square", "two blue circles on a very long green background with much more to say", "a"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """open_clip's own model, and the same weights in the wrapper by way of a file."""
    torch.manual_seed(0)
    theirs = CoCa(**{key: value for key, value in CONFIG.items() if key != "custom_text"}).eval()
    path = tmp_path_factory.mktemp("coca") / "weights.pt"
    torch.save(theirs.state_dict(), path)
    return theirs, from_config(CONFIG, weights=path).eval()


@torch.no_grad()
def test_embeddings_are_those_of_open_clip(pair):
    theirs, ours = pair
    images, texts = torch.randn(3, 3, 16, 16), ours.tokenize(CAPTIONS)
    expected = theirs.encode_image(images, normalize=False)
    torch.testing.assert_close(ours.encode_image(images), expected, atol=1e-6, rtol=0)
    text = ours.encode_text(texts)
    torch.testing.assert_close(text.text, theirs.encode_text(texts, normalize=False), atol=1e-6, rtol=0)
    _, tokens = theirs.text(texts)
    expected = theirs.text.ln_final(tokens) @ theirs.text.text_projection
    torch.testing.assert_close(text.tokens, expected, atol=1e-6, rtol=0)


def test_the_last_text_position_is_the_class_tokens(pair, tmp_path, monkeypatch):
    theirs, _ = pair
    torch.save(theirs.state_dict(), tmp_path / "weights.pt")
    monkeypatch.setattr("stan.models.backbones._architecture", lambda name: deepcopy(CONFIG))
    clip = load_clip("coca_ViT-B-32", str(tmp_path / "weights.pt"))
    assert (clip.text.context_length, len(clip.text.positional_embedding)) == (12, 13)


@torch.no_grad()
def test_blocks_pooler_and_projection_make_the_image_embedding(pair):
    _, clip = pair
    images = torch.randn(3, 3, 16, 16)
    x = clip.embed(images)
    for block in clip.blocks:
        x = block(x)
    pooled = clip.visual.pool(x)
    assert pooled.shape == (3, 24) and not pooled[:, 16:].any()
    torch.testing.assert_close(clip.visual.project(pooled), clip.encode_image(images), atol=1e-5, rtol=0)


@torch.no_grad()
def test_text_does_not_depend_on_padding(pair):
    _, clip = pair
    ids = clip.tokenize(["a red square"])
    long, short = clip.encode_text(ids), clip.encode_text(ids[:, :5])
    torch.testing.assert_close(short.text, long.text, atol=1e-6, rtol=0)
    torch.testing.assert_close(short.tokens, long.tokens[:, :5], atol=1e-6, rtol=0)


@torch.no_grad()
def test_mean_of_frames_is_the_tower_itself(pair):
    _, clip = pair
    video = torch.randn(2, 3, 3, 16, 16)
    out = VideoEncoder(clip, build("mean", clip, 3)).eval()(video)
    frames = torch.stack([clip.encode_image(frames) for frames in video])
    torch.testing.assert_close(out.frames, frames, atol=1e-5, rtol=0)


def test_learned_words_are_refused(pair):
    with pytest.raises(ValueError, match="takes no learned words"):
        build("efficient_prompting", pair[1], 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in METHODS if name != "efficient_prompting"])
def test_every_method_works_on_it(pair, name):
    clip = deepcopy(pair[1])
    torch.manual_seed(0)
    with_layers = ("stan", "evl", "uniformer_v2", "sequence_transformer", "temporal_difference")
    options = {"layers": 2} if name in with_layers else {}
    model = DualEncoder(clip, build(name, clip, 4, options))
    text = model.encode_text(clip.tokenize(CAPTIONS[:2]))
    video = model.encode_video(torch.randn(2, 4, 3, 16, 16))
    assert video.frames.shape == (2, 4, 16)
    F.cross_entropy(model.similarity(text, video), torch.arange(2)).backward()
    pooled = clip.visual.attn_pool.query.grad
    read = pooled is not None and bool(pooled.any())
    assert read == (name != "evl"), "EVL's query stands for what the pooling makes of the patches"
    assert clip.text.cls_emb.grad.any()
    learned = [p.grad is not None and bool(p.grad.any()) for p in model.temporal.parameters()]
    assert any(learned) or not learned


def test_a_real_coca_by_name():
    with torch.device("meta"):
        clip = load_clip("coca_ViT-B-32", "random")
    assert (clip.layers, clip.heads, clip.width, clip.grid, clip.embed_dim) == (12, 12, 768, (7, 7), 512)
    assert clip.context_length == 76 and clip.tokenizer("a").shape == (1, 76)
    assert not any("decoder" in name for name, _ in clip.named_parameters())


@torch.no_grad()
def test_an_embedding_wider_than_the_tower():
    """Then what is pooled has more channels than a token."""
    config = CONFIG | {"vision_cfg": CONFIG["vision_cfg"] | {"width": 12}}
    clip, images = from_config(config).eval(), torch.randn(2, 3, 16, 16)
    tower = clip.visual
    assert (tower.width, tower.pooled_width) == (12, 16)
    model = DualEncoder(clip, build("stan", clip, 4, {"layers": 1})).eval()
    assert model.encode_video(images[:, None]).video.shape == (2, 16)


def test_poolers_that_cannot_be_wrapped():
    config = CONFIG | {"vision_cfg": CONFIG["vision_cfg"] | {"attentional_pool": "parallel"}}
    with pytest.raises(ValueError, match="attentional pooler 'parallel' is not supported"):
        from_config(config)
