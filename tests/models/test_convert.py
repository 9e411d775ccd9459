"""CLIP in other layouts: told apart by names, and the same embeddings as where the weights come from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

import stan
from stan.data.preprocessing import PixelSettings
from stan.models import checkpoint
from stan.models.backbones import load_clip
from stan.models.convert import convert, load_released
from stan.models.layouts.clip import ACTIVATIONS

from open_clip import SimpleTokenizer  # isort: skip
from open_clip.model import CLIP, CustomTextCLIP  # isort: skip

GOLDEN = Path(__file__).parents[1] / "golden" / "stan_released_tiny"
VISION = {"image_size": 32, "patch_size": 8, "width": 64, "layers": 2}
TEXT = {"context_length": 24, "vocab_size": 512, "width": 64, "layers": 2}
IDS = torch.tensor([[510, 3, 4, 511, 0, 0], [510, 5, 511, 0, 0, 0]])


def embedded(model, images: torch.Tensor, ids: torch.Tensor = IDS):
    with torch.no_grad():
        return model.encode_video(images[:, None]).video, model.encode_text(ids).text


def images() -> torch.Tensor:
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", [CLIP, CustomTextCLIP], ids=["openai", "open_clip"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_open_clips_own_embeddings(tmp_path, kind, activation):
    torch.manual_seed(0)
    towers = {"vision_cfg": VISION | {"head_width": 64}, "text_cfg": TEXT | {"heads": 1}}
    theirs = kind(embed_dim=16, quick_gelu=activation == "quick_gelu", **towers).eval()
    state = theirs.state_dict()
    if kind is CLIP:  # what OpenAI's own files hold beside the weights
        state |= {"input_resolution": torch.tensor(32), "context_length": torch.tensor(24)}
    torch.save(state, tmp_path / "clip.pt")
    report = convert(tmp_path / "clip.pt", tmp_path / "ours.safetensors", activation=activation)
    ours = stan.load_model(tmp_path / "ours.safetensors")
    with torch.no_grad():
        ids = F.pad(IDS, (0, 24 - IDS.shape[1]))
        expected = theirs.encode_image(images()), theirs.encode_text(ids)
    torch.testing.assert_close(embedded(ours, images()), expected, rtol=1e-5, atol=1e-5)
    name = "OpenAI's" if kind is CLIP else "open_clip's"
    assert report["layout"] == f"CLIP in {name} layout" and report["branch"] is None
    assert report["parameters"] == sum(p.numel() for p in theirs.parameters())
    assert ours.logit_scale.item() == pytest.approx(theirs.logit_scale.item())


def test_a_converted_clip_is_also_pretrained_weights_of_its_architecture(tmp_path):
    torch.manual_seed(0)
    clip = load_clip("tiny", "random")
    save_file({f"clip.{name}": x for name, x in clip.state_dict().items()}, tmp_path / "no.safetensors")
    with pytest.raises(ValueError, match="of no layout known here"):
        convert(tmp_path / "no.safetensors", tmp_path / "ours.safetensors")
    save_file(clip.state_dict(), tmp_path / "clip.safetensors")
    heads = {tower: {"heads": clip.heads} for tower in ("vision", "text")}
    (tmp_path / "config.json").write_text(json.dumps(heads))
    convert(tmp_path / "clip.safetensors", tmp_path / "ours.safetensors")
    again = load_clip("tiny", str(tmp_path / "ours.safetensors")).state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in clip.state_dict().items())


def huggingface(released: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The golden checkpoint's two towers under the names that Hugging Face gives them."""
    places = {"class_embedding": "embeddings.", "patch_embedding": "embeddings.", "layers": "encoder."}
    places |= {"position_embedding": "embeddings.", "pre_layrnorm": "", "post_layernorm": ""}
    state = {"logit_scale": torch.tensor(1.0)}
    for key, tensor in released.items():
        tower, _, name = key.partition(".")
        part = name.split(".")[0]
        if tower == "text_backbone" or part == "visual_projection":
            state[name] = tensor
        elif part in places:
            state[f"vision_model.{places[part]}{name}"] = tensor
    return state


def test_hugging_faces_names_give_the_golden_text_and_the_released_frames(tmp_path):
    released, io = (checkpoint.load(GOLDEN / f"{name}.safetensors")[0] for name in ("checkpoint", "io"))
    save_file(huggingface(released), tmp_path / "model.safetensors")
    shutil.copy(GOLDEN / "config.json", tmp_path)
    report = convert(tmp_path / "model.safetensors", tmp_path / "ours.safetensors")
    assert report["layout"] == "CLIP in Hugging Face's layout"
    ours = stan.load_model(tmp_path / "ours.safetensors")
    frames = io["video"][:, 0]
    video, text = embedded(ours, frames, io["token_ids"])
    torch.testing.assert_close(text, io["text_embedding"], rtol=0, atol=1e-5)
    tower = load_released(GOLDEN / "checkpoint.safetensors").clip
    with torch.no_grad():
        torch.testing.assert_close(video, tower.encode_image(frames), rtol=0, atol=1e-5)
    assert ours.logit_scale.item() == 1.0


def test_transformers_own_embeddings(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"num_hidden_layers": 2, "num_attention_heads": 4, "projection_dim": 16}
    text = {"hidden_size": 32, "intermediate_size": 128, "vocab_size": 512, "max_position_embeddings": 24}
    tokens = {"bos_token_id": 510, "eos_token_id": 511, "pad_token_id": 0}
    vision = {"hidden_size": 64, "intermediate_size": 256, "image_size": 32, "patch_size": 8}
    config = transformers.CLIPConfig(
        text_config=text | sizes | tokens, vision_config=vision | sizes, projection_dim=16
    )
    theirs = transformers.CLIPModel(config).eval()
    torch.save(theirs.state_dict(), tmp_path / "model.pth")
    heads = {"num_attention_heads": 4, "hidden_act": "quick_gelu"}
    (tmp_path / "config.json").write_text(json.dumps({"vision_config": heads, "text_config": heads}))
    convert(tmp_path / "model.pth", tmp_path / "ours.safetensors")
    ours = embedded(stan.load_model(tmp_path / "ours.safetensors"), images())
    with torch.no_grad():
        both = theirs(input_ids=IDS, pixel_values=images())
    for mine, expected in zip(ours, (both.image_embeds, both.text_embeds), strict=True):
        torch.testing.assert_close(F.normalize(mine, dim=-1), expected, rtol=1e-5, atol=1e-5)


def test_unknown_and_missing_names_are_said(tmp_path):
    torch.manual_seed(0)
    towers = {"vision_cfg": VISION | {"head_width": 64}, "text_cfg": TEXT | {"heads": 1}}
    state = CLIP(embed_dim=16, **towers).state_dict()
    changes = {
        "novelty has no counterpart: this is not CLIP in OpenAI's layout": state | {"novelty": torch.ones(1)},
        "misses encoder.clip.visual.ln_pre.bias": {
            k: v for k, v in state.items() if k != "visual.ln_pre.bias"
        },
        "has unknown encoder.clip.visual.novelty": state | {"visual.novelty": torch.ones(1)},
        "lacks clip.visual.proj": {k: v for k, v in state.items() if k != "visual.proj"},
    }
    for message, changed in changes.items():
        torch.save(changed, tmp_path / "clip.pth")
        with pytest.raises(ValueError, match=message):
            convert(tmp_path / "clip.pth", tmp_path / "out" / "ours.safetensors")
    assert not (tmp_path / "out").exists()


def test_the_tokenizer_is_open_clips_where_the_vocabulary_is(tmp_path):
    assert SimpleTokenizer().vocab_size == 49408
    torch.manual_seed(0)
    towers = {"vision_cfg": VISION | {"head_width": 64}, "text_cfg": TEXT | {"heads": 1, "vocab_size": 49408}}
    torch.save(CLIP(embed_dim=16, **towers).state_dict(), tmp_path / "clip.pth")
    report = convert(tmp_path / "clip.pth", tmp_path / "ours.safetensors")
    assert (report["end_token"], report["context_length"]) == (49407, 24)
    assert stan.load_model(tmp_path / "ours.safetensors").encode_text("a dog").text.shape == (1, 16)


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    """A CLIP in OpenAI's layout."""
    torch.manual_seed(0)
    towers = {"vision_cfg": VISION | {"head_width": 64}, "text_cfg": TEXT | {"heads": 1}}
    return CLIP(embed_dim=16, **towers).state_dict()


WRAPPED = {
    "bare": lambda s: s,
    "state_dict": lambda s: {"state_dict": s, "epoch": 3, "optimizer": {"state": {0: torch.ones(1)}}},
    "model_state_dict": lambda s: {"epoch": 3, "model_state_dict": s},
    "model": lambda s: {"model": s, "max_accuracy": 1.5},
    "module": lambda s: {f"module.{key}": value for key, value in s.items()},
    "module in model": lambda s: {"model": {f"module.{key}": value for key, value in s.items()}},
    "compiled": lambda s: {f"_orig_mod.{key}": value for key, value in s.items()},
    "compiled around module": lambda s: {f"_orig_mod.module.{key}": value for key, value in s.items()},
    "a model in a module": lambda s: {"state_dict": {f"model.module.{key}": v for key, v in s.items()}},
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED)
def test_wrappers_of_training_scripts_are_taken_off(tmp_path, state, wrap):
    torch.save(wrap(state), tmp_path / "clip.pth")
    report = convert(tmp_path / "clip.pth", tmp_path / "ours.safetensors")
    assert report["layout"] == "CLIP in OpenAI's layout"
    found = checkpoint.load(tmp_path / "ours.safetensors")[0]
    assert torch.equal(found["visual.proj"], state["visual.proj"])


class Settings:
    """Stands for a training script's own settings, such as a yacs node."""


def test_files_that_hold_no_usable_weights(tmp_path, state):
    whole = tmp_path / "whole.pth"
    torch.save(state, whole)
    (tmp_path / "half.pth").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (tmp_path / "empty.pth").touch()
    (tmp_path / "folder.pth").mkdir()
    torch.save({"model": state, "config": Settings()}, tmp_path / "settings.pth")
    torch.save({"epoch": 3}, tmp_path / "epoch.pth")
    torch.save(state | {"visual.proj": state["visual.proj"] * float("nan")}, tmp_path / "nan.pth")
    torch.save(state | {"visual.class_embedding": torch.ones(3)}, tmp_path / "size.pth")
    torch.save({"encoder.weight": torch.ones(2, 2)}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("# Weights\n\nThey are elsewhere.\n")
    (tmp_path / "half.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{")
    messages = {
        "half.pth": "is not a file of plain tensors.*check that it is complete",
        "empty.pth": "is not a file of plain tensors.*check that it is complete",
        "text.pth": r"is not a file of plain tensors \(no pickle of tensors\): check that it is complete",
        "folder.pth": "is a folder: name the file of weights in it",
        "settings.pth": r"also holds a \S+Settings, and loading that could execute code.*save the dict of tensors",
        "epoch.pth": "holds no state dict: expected names and tensors, at the top or under one of state_dict",
        "nan.pth": "visual.proj holds NaN or infinite values",
        "size.pth": "has another shape of encoder.clip.visual.class_embedding: it belongs to another model",
        "other.pth": "names like encoder.weight are of no layout known here: .*the released STAN; CLIP in",
        "half.safetensors": "is not a readable checkpoint",
        "missing.pth": "is missing: check the path",
    }
    for name, message in messages.items():
        with pytest.raises(ValueError, match=message) as error:
            convert(tmp_path / name, tmp_path / "out" / "ours.safetensors")
        said = str(error.value)
        assert said.count(str(tmp_path / name)) == 1 and "\n" not in said and "\x1b" not in said
    assert not (tmp_path / "out").exists()


def test_a_named_clip_completes_a_file(tmp_path, state):
    """What the file holds counts; what it lacks comes from the CLIP, by file or by name."""
    torch.save(state, tmp_path / "clip.pth")
    tuned = {key: value + 1 for key, value in state.items() if key.startswith("visual.")}
    torch.save(tuned, tmp_path / "visual.pth")
    model = load_released(tmp_path / "visual.pth", clip=str(tmp_path / "clip.pth"))
    assert torch.equal(model.clip.visual.proj, tuned["visual.proj"])
    assert torch.equal(model.clip.text.text_projection, state["text_projection"])
    ours = load_released(tmp_path / "visual.pth")
    assert torch.equal(embedded_video(ours), embedded_video(model))
    with pytest.raises(ValueError, match="no text tower, only videos and its own classes"):
        ours.encode_text(IDS)
    with pytest.raises(
        ValueError, match="backbone 'none' is neither shipped .*tiny-eva.* nor known to open_clip"
    ):
        load_released(tmp_path / "visual.pth", clip="none:openai")
    with pytest.raises(ValueError, match="neither shipped"):
        load_released(tmp_path / "visual.pth", clip="x" * 5000)  # longer than a file's name can be


def embedded_video(model) -> torch.Tensor:
    with torch.no_grad():
        return model.encode_video(images()[:, None]).video


def test_the_tiny_clip_by_name(tmp_path):
    clip = load_clip()
    kept = {name: value for name, value in clip.state_dict().items() if name.startswith("visual.")}
    save_file(kept, tmp_path / "visual.safetensors")
    model = load_released(tmp_path / "visual.safetensors", clip="tiny")
    assert torch.equal(model.clip.encode_text(IDS).text, clip.encode_text(IDS).text)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize(
    ("text", "reason"), [("{half", "is no JSON"), ("[1]", "holds no object of settings")]
)
def test_settings_beside_the_weights_that_cannot_be_read_are_named(tmp_path, state, name, text, reason):
    torch.save(state, tmp_path / "clip.pth")
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=rf"{name} {reason}.*or take it away"):
        convert(tmp_path / "clip.pth", tmp_path / "ours.safetensors")


@pytest.mark.parametrize(
    ("name", "told", "message"),
    [
        ("config.json", {"vision_config": 3}, "vision_config is 3; it must be an object"),
        ("config.json", {"flags": []}, r"flags is \[\]; it must be an object"),
        ("config.json", {"frames": "8"}, "frames is '8'; it must be a whole number"),
        ("config.json", {"heads": "four"}, "number of heads of the image tower is 'four'"),
        (
            "preprocessor_config.json",
            {"image_mean": 1, "image_std": [1, 1, 1]},
            "mean is 1; it must be a list",
        ),
        ("open_clip_config.json", {"preprocess_cfg": True}, "preprocess_cfg is True; it must be an object"),
        (
            "open_clip_config.json",
            {"preprocess_cfg": {"interpolation": 1}},
            "interpolation is 1; it must be text",
        ),
    ],
)
def test_settings_of_another_kind_beside_the_weights_are_named(tmp_path, state, name, told, message):
    torch.save(state, tmp_path / "clip.pth")
    (tmp_path / name).write_text(json.dumps(told))
    with pytest.raises(ValueError, match=message) as refused:
        convert(tmp_path / "clip.pth", tmp_path / "ours.safetensors")
    assert str(tmp_path) in str(refused.value)


def test_settings_beside_the_weights_may_be_null(tmp_path, state):
    torch.save(state, tmp_path / "clip.pth")
    (tmp_path / "config.json").write_text(
        '{"vision_config": null, "text": null, "flags": null, "frames": null}'
    )
    assert convert(tmp_path / "clip.pth", tmp_path / "ours.safetensors")["frames"] == 12


def test_hugging_faces_mean_and_std_beside_the_weights_count(tmp_path, state):
    torch.save(state, tmp_path / "clip.pth")
    told = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.2, 0.1]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    convert(tmp_path / "clip.pth", tmp_path / "out" / "ours.safetensors")
    clip = stan.load_model(tmp_path / "out" / "ours.safetensors").clip
    assert clip.pixels == PixelSettings((0.5, 0.4, 0.3), (0.2, 0.2, 0.1), size=32)
