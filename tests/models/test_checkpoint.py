"""Weight files: never half written, never executed, and the released layout understood."""

import hashlib
import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import stan
from stan.models import checkpoint
from stan.models.convert import convert, load_released, understand

GOLDEN = Path(__file__).parents[1] / "golden" / "stan_released_tiny"


@pytest.fixture(scope="module")
def released():
    return checkpoint.load(GOLDEN / "checkpoint.safetensors")[0]


def embedded(model):
    video = checkpoint.load(GOLDEN / "io.safetensors")[0]["video"]
    with torch.no_grad():
        return model.encode_video(video).video


def test_what_is_saved_is_loaded(tmp_path):
    tensors = {"a": torch.randn(3, 2).T, "b": torch.arange(3), "c": torch.ones(()).half()}
    shared = torch.zeros(4)
    tensors |= {"d": shared, "e": shared}  # shared memory is written twice, not refused
    checkpoint.save(tmp_path / "deep" / "x.safetensors", tensors, {"steps": 3, "names": ["a", "ü"]})
    again, metadata = checkpoint.load(tmp_path / "deep" / "x.safetensors")
    assert metadata == {"steps": 3, "names": ["a", "ü"]}
    assert all(torch.equal(again[name], tensors[name]) for name in tensors) and len(again) == 5
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["x.safetensors"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.safetensors"
    checkpoint.save(path, {"a": torch.ones(1)})

    def half_written(tensors, partial, metadata):
        Path(partial).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint, "save_file", half_written)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(path, {"a": torch.zeros(1)})
    assert checkpoint.load(path)[0]["a"] == 1 and list(tmp_path.iterdir()) == [path]


def test_files_that_are_no_checkpoints(tmp_path):
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    for name in ("torn.safetensors", "absent.safetensors"):
        with pytest.raises(ValueError, match=f"{name} is not a readable checkpoint"):
            checkpoint.load(tmp_path / name)
    save_file({"a": torch.ones(1)}, tmp_path / "foreign.safetensors", {"format": "pt"})
    assert checkpoint.load(tmp_path / "foreign.safetensors")[1] == {}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("null", "its metadata is no JSON object"),
        ("[" * 100_000, "its metadata is no JSON: it is nested too deeply"),
        ('{"converted": {}}', r"its metadata describes no model \(KeyError\('architecture'\)\)"),
        ('{"experiment": 3}', "odd.safetensors: the experiment is 3; it must be an object"),
        (
            '{"experiment": {"study": "a", "row": "b", "data": {"frames": "x"}}}',
            "odd.safetensors: data.frames is 'x'",
        ),
    ],
)
def test_metadata_that_describes_no_model(tmp_path, told, message):
    save_file({"x": torch.ones(1)}, tmp_path / "odd.safetensors", {"stan": told})
    with pytest.raises(ValueError, match=message):
        stan.load_model(tmp_path / "odd.safetensors")


def test_released_as_pth_equals_safetensors(tmp_path, released):
    extra = {"text_backbone.text_model.embeddings.position_ids": torch.arange(24)}
    torch.save({"state_dict": released | extra, "meta": {"epoch": 3}}, tmp_path / "released.pth")
    shutil.copy(GOLDEN / "config.json", tmp_path)
    model = load_released(tmp_path / "released.pth")
    reference = load_released(GOLDEN / "checkpoint.safetensors")
    assert torch.equal(embedded(model), embedded(reference))
    assert (model.frames, model.clip.heads, len(model.temporal.layers)) == (6, 4, 3)


def test_converted_checkpoint_stands_alone(tmp_path):
    convert(GOLDEN / "checkpoint.safetensors", tmp_path / "ours.safetensors")
    model = stan.load_model(tmp_path / "ours.safetensors")
    assert torch.equal(embedded(model), embedded(load_released(GOLDEN / "checkpoint.safetensors")))
    assert torch.equal(embedded(stan.load_model(GOLDEN / "checkpoint.safetensors")), embedded(model))


def test_without_a_config_heads_are_64_wide(tmp_path, released):
    save_file(released, tmp_path / "released.safetensors")
    with pytest.raises(
        ValueError, match="text tower is 48 wide and holds no heads of 64 channels: put a config.json"
    ):
        load_released(tmp_path / "released.safetensors")


class Evil:
    def __reduce__(self):
        return (Path.write_text, (Path("executed"), "yes"))


def test_nothing_in_a_file_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open("evil.pth", "wb") as file:
        pickle.dump({"state_dict": Evil()}, file)
    torch.save({"state_dict": Evil()}, "newer.pth")
    for name in ("evil.pth", "newer.pth"):
        with pytest.raises(ValueError, match="is not a file of plain tensors"):
            load_released(name)
    assert not Path("executed").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("backbone.layers.4.mlp.fc1.bias"), "misses encoder.clip.visual.*4.mlp.c_fc.bias"),
        (lambda s: s.pop("text_backbone.text_projection.weight"), "lacks clip.text.text_projection"),
        (lambda s: s.update({"backbone.novelty": torch.ones(1)}), "backbone.novelty has no counterpart"),
        (
            lambda s: s.update({"backbone.STAN_T_layers.0.conv.weight": torch.ones(1)}),
            "STAN_T_layers.0.conv.weight has no counterpart",
        ),
        (lambda s: s.update({"loss.temperature": torch.ones(1)}), "loss.temperature has no counterpart"),
        (
            lambda s: s.pop("backbone.layers.0.self_attn.k_proj.bias"),
            "lacks backbone.layers.0.self_attn.k_proj.bias",
        ),
        (
            lambda s: s.pop("backbone.layers.0.self_attn.q_proj.bias"),
            "lacks backbone.layers.0.self_attn.q_proj.bias",
        ),
        (lambda s: s.pop("backbone.STAN_time_embed.weight"), "lacks temporal.time.weight"),
        (
            lambda s: s.update({"backbone.class_embedding": torch.ones(3)}),
            "has another shape of .*class_embedding",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, released, change, message):
    state = dict(released)
    change(state)
    save_file(state, tmp_path / "checkpoint.safetensors")
    shutil.copy(GOLDEN / "config.json", tmp_path)
    with pytest.raises(ValueError, match=message):
        load_released(tmp_path / "checkpoint.safetensors")


def test_a_head_and_what_is_no_weight_are_reported_and_left_out(tmp_path, released):
    extra = {
        "adapter.text_weight_fc.weight": torch.ones(1, 32),
        "data_preprocessor.mean": torch.ones(3),
        "text_backbone.text_model.embeddings.position_ids": torch.arange(24),
    }
    save_file(released | extra, tmp_path / "checkpoint.safetensors")
    shutil.copy(GOLDEN / "config.json", tmp_path)
    report = convert(tmp_path / "checkpoint.safetensors", tmp_path / "ours.safetensors")
    assert set(report["left_out"]) == set(extra)
    assert "drl_wti" in report["left_out"]["adapter.text_weight_fc.weight"]
    assert torch.equal(
        embedded(stan.load_model(tmp_path / "ours.safetensors")),
        embedded(load_released(GOLDEN / "checkpoint.safetensors")),
    )


def test_the_report_says_what_the_golden_config_says(tmp_path):
    source, config = GOLDEN / "checkpoint.safetensors", json.loads((GOLDEN / "config.json").read_text())
    report = convert(source, tmp_path / "ours.safetensors")
    sizes, vision, text = report["sizes"], config["vision"], config["text"]
    assert sizes["image"] == {name: vision[name] for name in ("image_size", "patch_size", "width", "layers")}
    assert sizes["text"] == {name: text[name] for name in ("width", "layers")}
    assert sizes["embedding"] == config["embed_dim"] and report["heads"] == {"image": 4, "text": 4}
    assert (report["context_length"], report["vocabulary"], report["end_token"]) == (24, 512, 511)
    assert report["branch"] == {"layers": 3, "max_frames": 64} and report["frames"] == 6
    assert report["activation"] == "quick_gelu" and report["layout"] == "the released STAN"
    assert report["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    tensors, metadata = checkpoint.load(tmp_path / "ours.safetensors")
    assert report["parameters"] == sum(tensor.numel() for tensor in tensors.values())
    assert metadata["sha256"] == report["sha256"] and report["dtypes"] == ["float32"]


def test_the_activation_is_that_of_the_config_unless_given(tmp_path, released):
    save_file(released, tmp_path / "checkpoint.safetensors")
    config = json.loads((GOLDEN / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"activation": "gelu"}))
    said = [
        understand(tmp_path / "checkpoint.safetensors", activation=given).report["activation"]
        for given in (None, "quick_gelu")
    ]
    assert said == ["gelu", "quick_gelu"]
    with pytest.raises(ValueError, match="activation 'relu' is not known; choose quick_gelu or gelu"):
        load_released(tmp_path / "checkpoint.safetensors", activation="relu")


def test_a_conversion_that_fails_leaves_nothing_behind(tmp_path, released, monkeypatch):
    save_file({**released, "backbone.novelty": torch.ones(1)}, tmp_path / "odd.safetensors")
    with pytest.raises(ValueError, match="odd.safetensors: backbone.novelty has no counterpart"):
        convert(tmp_path / "odd.safetensors", tmp_path / "new" / "deep" / "ours.safetensors")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        convert(GOLDEN / "checkpoint.safetensors", tmp_path / "new" / "deep" / "ours.safetensors")
    assert [path.name for path in tmp_path.iterdir()] == ["odd.safetensors"]


def test_a_file_without_a_state_dict(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="holds no state dict"):
        load_released(tmp_path / "list.pth")


def test_golden_config_names_what_weights_cannot_tell():
    assert json.loads((GOLDEN / "config.json").read_text())["vision"]["heads"] == 4
