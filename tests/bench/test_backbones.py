"""open_clip's architectures: every one is built without values or refused with its reason, and the counts are kept."""

import json

import pytest

from stan import cli
from stan.bench import backbones as listing
from stan.bench.backbones import COUNTS, backbones, count
from stan.models.backbones import _architecture, architectures, tags

REFUSED = [
    *("RN50", "RN50-quickgelu", "RN50x4", "RN50x4-quickgelu", "RN50x16", "RN50x16-quickgelu"),
    *("RN50x64", "RN50x64-quickgelu", "RN101", "RN101-quickgelu"),
]


@pytest.fixture(scope="module")
def counts():
    return json.loads(COUNTS.read_text())


def test_all_but_the_residual_networks_can_be_used(counts):
    assert list(counts) == architectures()
    assert [name for name, one in counts.items() if one["refused"]] == REFUSED
    assert all("residual network" in counts[name]["refused"] for name in REFUSED)
    usable = [name for name, one in counts.items() if not one["refused"]]
    assert (len(counts), len(usable)) == (144, 134)
    assert (sum(len(tags(name)) for name in counts), sum(len(tags(name)) for name in usable)) == (196, 180)


@pytest.mark.slow
@pytest.mark.parametrize("name", architectures())
def test_each_is_built_without_values_or_refused_as_kept(name, counts):
    if "hf_model_name" in _architecture(name)["text_cfg"]:
        pytest.importorskip("transformers")
    assert count(name) == counts[name]


def test_a_vit_by_hand(counts):
    """ViT-B/32 of 224 pixels: 12 blocks 768 wide, 49 patches and a class token, 512 channels of embedding."""
    d, blocks, patches = 768, 12, 49
    block = 12 * d * d + 13 * d
    found = counts["ViT-B-32"]
    assert found["params_image"] == 3 * 32 * 32 * d + (patches + 2) * d + blocks * block + 4 * d + 512 * d
    linear = patches * 3 * 32 * 32 * d + (patches + 1) * blocks * 12 * d * d + 512 * d
    assert found["gmacs_frame"] == {
        "linear": round(linear / 1e9, 3),
        "all": round((linear + blocks * 2 * (patches + 1) ** 2 * d) / 1e9, 3),
    }
    assert found["tower"] == {
        "kind": "OpenClipVit",
        "prefix": 1,
        "grid": [7, 7],
        "width": d,
        "blocks": blocks,
        "embedding": 512,
        "context_length": 77,
    }


def test_names_parts_and_patterns():
    def of(*names):
        return [one["name"] for one in backbones(names)["architectures"]]

    assert of("ViT-B-32") == ["ViT-B-32"]
    assert of("pe-CORE-b-1") == ["PE-Core-B-16"]
    assert of("PE-*-14-*") == ["PE-Core-bigG-14-448", "PE-Core-L-14-336"]
    assert of("RN50x64", "EVA01") == ["EVA01-g-14", "EVA01-g-14-plus", "RN50x64"]
    with pytest.raises(ValueError, match="no architecture of open_clip is called nobody"):
        backbones(["nobody"])


def test_tags_say_where_their_weights_are(monkeypatch):
    here = {("timm/ViT-B-16-SigLIP2", "open_clip_pytorch_model.bin"): "cache/model.bin"}
    monkeypatch.setattr(
        listing, "try_to_load_from_cache", lambda repository, file: here.get((repository, file))
    )
    (one,) = backbones(["ViT-B-16-SigLIP2"])["architectures"]
    assert one["tags"] == [
        {
            "tag": "webli",
            "model": "clip:ViT-B-16-SigLIP2/webli",
            "repository": "timm/ViT-B-16-SigLIP2",
            "files": ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"],
            "licence": None,
            "zero_shot": None,
            "cached": "cache/model.bin",
        }
    ]
    assert [one["name"] for one in backbones(cached=True)["architectures"]] == ["ViT-B-16-SigLIP2"]
    (vitamin,) = backbones(["ViTamin-S-LTT"])["architectures"]
    assert vitamin["tags"][0]["files"] == ["pytorch_model.bin"]


def test_the_command_line(capsys):
    def said(*arguments: str) -> str:
        assert cli.run(["backbones", *arguments]) == 0
        return capsys.readouterr().out

    everything = said()
    assert max(map(len, everything.splitlines())) <= 100
    rows = [line for line in everything.splitlines() if line.startswith(("architecture", "ViT-", "vit_"))]
    assert max(map(len, rows)) <= 80
    assert "134 of 144 architectures can be used, with 180 tags" in everything
    assert "not supported, residual network: RN50, RN50-quickgelu" in everything
    assert "134 of 134" in said("--supported")
    assert "not stated by open_clip" in said("ViT-B-32")
    assert "clip:ViT-B-32/openai" in said("ViT-B-32")
    assert json.loads(said("ViT-B-32", "--json"))["architectures"][0]["image_size"] == 224
    assert cli.run(["backbones", "nobody"]) == 2
