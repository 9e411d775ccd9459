"""The wrapper is open_clip's model: same embeddings, and levels, attention and tokens besides."""

import socket
from copy import deepcopy

import pytest
import torch
from huggingface_hub import constants

from stan.data.preprocessing import PixelSettings
from stan.models import hub
from stan.models.attention import attend
from stan.models.backbones import from_config, load_clip

import open_clip  # isort: skip
from open_clip.model import CLIP  # isort: skip

QUICK = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {
        "image_size": 16,
        "layers": 2,
        "width": 24,
        "head_width": 12,
        "patch_size": 8,
        "ls_init_value": 0.5,
    },
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 20, "heads": 2, "layers": 2},
}


def reference(config, path):
    """open_clip's own class (text tower not apart), and the same weights in our wrapper by way of a file."""
    theirs = CLIP(**config).eval()
    torch.save(theirs.state_dict(), path)
    return theirs, from_config(config, weights=path).eval()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return reference(QUICK, tmp_path_factory.mktemp("clip") / "weights.pt")


def test_embeddings_are_those_of_open_clip(pair):
    theirs, ours = (deepcopy(model).double() for model in pair)  # in which rounding hides no difference
    images = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    texts = ours.tokenize(
        ["a red square", "two blue circles on a very long green background with much more to say"]
    )
    with torch.no_grad():
        torch.testing.assert_close(ours.encode_image(images), theirs.encode_image(images), atol=1e-12, rtol=0)
        torch.testing.assert_close(
            ours.encode_text(texts).text, theirs.encode_text(texts), atol=1e-12, rtol=0
        )


@torch.no_grad()
def test_pixels_that_fill_no_patch_are_left_out(tmp_path):
    config = QUICK | {"vision_cfg": QUICK["vision_cfg"] | {"image_size": 21}}
    theirs, ours = reference(config, tmp_path / "weights.pt")
    images = torch.randn(2, 3, 21, 21)
    assert ours.grid == (2, 2)
    torch.testing.assert_close(ours.encode_image(images), theirs.encode_image(images), atol=1e-6, rtol=0)


def test_the_towers_gradients_are_open_clips_own(pair):
    images = torch.randn(3, 3, 16, 16)
    gradients = []
    for model in pair:
        model.visual.zero_grad()
        model.visual(images).square().sum().backward()
        gradients.append({name: parameter.grad for name, parameter in model.visual.named_parameters()})
    theirs, ours = gradients
    assert list(theirs) == list(ours)
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, atol=1e-5, rtol=1e-4, msg=name)


@torch.no_grad()
def test_weights_in_half_precision_read_images_as_they_come(pair):
    clip, images = pair[1], torch.randn(3, 3, 16, 16)
    rounded = deepcopy(clip).bfloat16().encode_image(images)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), clip.encode_image(images), atol=0.1, rtol=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B-32-quickgelu"])
def test_real_architecture_by_name(name):
    clip = load_clip(name, "random").eval()
    assert (clip.layers, clip.heads, clip.width, clip.grid, clip.embed_dim) == (12, 12, 768, (7, 7), 512)
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        x = clip.embed(images)
        for block in clip.blocks:
            x = block(x)
        torch.testing.assert_close(clip.visual.project(x[:, 0]), clip.encode_image(images), atol=1e-5, rtol=0)
    assert type(clip.blocks[0].mlp.gelu).__name__ == ("QuickGELU" if "quick" in name else "GELU")


def test_tiny_attributes():
    clip = load_clip("tiny", "random")
    assert (clip.image_size, clip.grid, clip.patches, clip.context_length) == (48, (4, 4), 16, 77)
    assert clip.pixels == PixelSettings(open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD, size=48)
    assert clip.text.width == clip.embed_dim


def test_text_does_not_depend_on_padding(pair):
    _, clip = pair
    whole = clip.tokenize(["a red square"])
    with torch.no_grad():
        long, short = clip.encode_text(whole), clip.encode_text(whole[:, :5])
    assert short.tokens.shape == (1, 5, 16)
    torch.testing.assert_close(short.text, long.text, atol=1e-6, rtol=0)
    torch.testing.assert_close(short.tokens, long.tokens[:, :5], atol=1e-6, rtol=0)
    torch.testing.assert_close(long.tokens[0, 4], long.text[0], atol=0, rtol=0)  # pooled at the end token


def test_truncation_keeps_the_end_token():
    clip = load_clip("tiny", "random")
    ids = clip.tokenize("one two three four five six seven eight", words=5)
    assert ids.shape == (1, 5) and ids[0, -1] == clip.tokenizer.eot_token_id
    assert ids[0].tolist()[:4] == clip.tokenize("one two three")[0, :4].tolist()


@pytest.mark.parametrize("words", [1, 78])
def test_words_out_of_range(words):
    with pytest.raises(ValueError, match="reads 2 to 77 tokens"):
        load_clip("tiny", "random").tokenize("a", words)


def test_attention_weights_reproduce_the_block(pair):
    theirs, clip = pair
    x = torch.randn(2, 5, 24)
    block = clip.blocks[1]
    with torch.no_grad():
        normed = block.ln_1(x)
        expected, weights = block.attn(normed, normed, normed, average_attn_weights=False)
        torch.testing.assert_close(clip.attention(1, x), weights, atol=1e-6, rtol=0)
        torch.testing.assert_close(attend(block.attn, normed), expected, atol=1e-6, rtol=0)
        torch.testing.assert_close(attend(block.attn, normed, queries=1), expected[:, :1], atol=1e-6, rtol=0)


def test_attention_in_half_precision_agrees_with_the_fused_one(pair):
    _, clip = pair
    x, keys = (
        torch.randn(2, 5, 24),
        torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=bool)[:, None, None],
    )
    with torch.no_grad():
        exact = attend(clip.blocks[0].attn, x, keys)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = attend(clip.blocks[0].attn, x, keys)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), exact, atol=0.03, rtol=0)


@pytest.mark.parametrize(
    ("backbone", "pretrained", "message"),
    [
        ("ViT-B-33", None, "close: .*ViT-B-32"),
        ("ViT-B-32", None, "needs pretrained=: one of .*openai.*'random'"),
        ("ViT-B-32", "nobody", "no file and no tag of ViT-B-32"),
        ("RN50", "random", "residual network"),
        ("RN50", "openai", "residual network"),
    ],
)
def test_what_cannot_be_loaded(backbone, pretrained, message):
    with pytest.raises(ValueError, match=message):
        load_clip(backbone, pretrained)


def test_weights_that_cannot_be_fetched(monkeypatch):
    def offline(tag):
        raise OSError("no route")

    monkeypatch.setattr(open_clip, "download_pretrained", offline)
    with pytest.raises(
        ValueError,
        match="fetch open_clip_model.safetensors or .* of the repository timm/vit_base_patch32_clip_224.openai",
    ):
        load_clip("ViT-B-32", "openai")


def test_without_a_network_only_the_cache_is_looked_into(monkeypatch, tmp_path, caplog):
    """The hub's client would try each file six times, for most of a minute."""

    def no_address(*_: object) -> None:
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    monkeypatch.setattr(hub, "getproxies", dict)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(
        ValueError, match=r"the weights 'openai' of ViT-B-32 are not here and could not be fetched"
    ):
        load_clip("ViT-B-32", "openai")
    with pytest.raises(ValueError, match="cannot be reached, and it was not fetched before"):
        hub.fetched("hf:USER/NAME", "model.safetensors")
    assert "Retrying" not in caplog.text and not constants.HF_HUB_OFFLINE


@pytest.mark.slow
def test_a_tag_brings_its_own_activation(monkeypatch, tmp_path):
    torch.save(load_clip("ViT-B-32-quickgelu", "random").state_dict(), tmp_path / "openai.pt")
    monkeypatch.setattr(open_clip, "download_pretrained", lambda tag: tmp_path / "openai.pt")
    assert type(load_clip("ViT-B-32", "openai").blocks[0].mlp.gelu).__name__ == "QuickGELU"


def test_weights_of_another_architecture(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "w.pt")
    with pytest.raises(ValueError, match="does not hold weights of tiny"):
        load_clip("tiny", str(tmp_path / "w.pt"))
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(ValueError, match="torn.safetensors is not a readable checkpoint"):
        load_clip("tiny", str(tmp_path / "torn.safetensors"))
