"""Every tag's frames are prepared as open_clip prepares them; files bring their settings, and keys tell them apart."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import stan
from stan.config import Experiment, ModelConfig
from stan.data.preprocessing import OPENAI, PixelSettings
from stan.data.video import transforms
from stan.models import checkpoint, level_cache, pixel_settings
from stan.models.backbones import from_config, load_clip
from stan.models.clip import Clip
from stan.models.convert import convert, load_released
from stan.models.dual_encoder import build

import open_clip  # isort: skip
from open_clip.pretrained import get_pretrained_cfg  # isort: skip
from open_clip.transform import PreprocessCfg, image_transform_v2, merge_preprocess_dict  # isort: skip

SMALL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 24, "head_width": 12, "patch_size": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 20, "heads": 2, "layers": 1},
}
CONVERTIBLE = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 64, "layers": 2},
    "text_cfg": {"context_length": 24, "vocab_size": 512, "width": 64, "heads": 1, "layers": 2},
}
LONGEST = PixelSettings((0.5, 0.4, 0.3), (0.2, 0.3, 0.4), "bilinear", "longest", 90)
FRAMES = [
    np.random.default_rng(0).integers(0, 256, (1, *shape, 3), np.uint8) for shape in ((90, 160), (161, 91))
]


def clip_of(settings: PixelSettings) -> Clip:
    torch.manual_seed(0)
    return from_config(SMALL, settings)


def test_every_tag_is_prepared_as_open_clip_prepares_it():
    """The settings of all 196 tags are open_clip's; the 18 there are at all, at 25 sizes in all, give its pixels."""
    seen: Counter[PixelSettings] = Counter()
    for backbone, pretrained in open_clip.list_pretrained():
        tag = get_pretrained_cfg(backbone, pretrained)
        size = open_clip.get_model_config(backbone)["vision_cfg"]["image_size"]
        theirs = PreprocessCfg(**merge_preprocess_dict(PreprocessCfg(size), tag))
        ours = replace(pixel_settings.told(tag), size=size)
        assert asdict(ours) == {name: value for name, value in asdict(theirs).items() if name != "mode"}
        seen[ours] += 1
    assert seen.total() == 196 and len(seen) == 25
    for settings in seen:
        reference = image_transform_v2(PreprocessCfg(**asdict(settings)), is_train=False)
        for frames in FRAMES:
            expected = reference(Image.fromarray(frames[0])).numpy()
            np.testing.assert_array_equal(transforms.evaluation(settings)(frames)[0], expected)
    assert Counter(ours.resize_mode for ours in seen.elements()) == {"shortest": 148, "squash": 48}


@pytest.fixture
def small(monkeypatch, tmp_path) -> Path:
    """Makes every architecture a small one; returns a file of weights, which is also what every tag fetches."""
    monkeypatch.setattr(open_clip, "get_model_config", lambda name: json.loads(json.dumps(SMALL)))
    file = tmp_path / "weights" / "open_clip_model.safetensors"
    file.parent.mkdir()
    save_file(clip_of(OPENAI).state_dict(), file)
    monkeypatch.setattr(open_clip, "download_pretrained", lambda tag: file)
    return file


@pytest.mark.parametrize(
    ("backbone", "pretrained", "expected"),
    [
        ("ViT-B-32", "openai", OPENAI),
        ("ViT-L-14", "laion2b_s32b_b82k", PixelSettings((0.5,) * 3, (0.5,) * 3)),
        ("ViT-H-14", "dfn5b", PixelSettings(resize_mode="squash")),
        ("ViT-H-14", "random", OPENAI),  # its tags disagree
        ("ViT-B-16-SigLIP2", "random", PixelSettings((0.5,) * 3, (0.5,) * 3, resize_mode="squash")),
        ("ViT-M-16", "random", OPENAI),  # it has no tags
    ],
)
def test_a_clip_has_the_settings_of_its_tag(small, monkeypatch, backbone, pretrained, expected):
    assert load_clip(backbone, pretrained).preprocessing.pixels == replace(expected, size=16)


def test_a_local_file_is_read_as_the_architectures_tags_or_as_told_beside_it(small):
    squashed = PixelSettings((0.5,) * 3, (0.5,) * 3, resize_mode="squash", size=16)
    assert load_clip("ViT-B-16-SigLIP2", str(small)).pixels == squashed
    hugging_face = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4], "resample": 2}
    processor = small.with_name("preprocessor_config.json")
    processor.write_text(json.dumps(hugging_face | {"size": {"height": 16, "width": 16}}))
    expected = replace(LONGEST, resize_mode="squash", fill_color=0, size=16)
    assert load_clip("ViT-B-16-SigLIP2", str(small)).pixels == expected
    processor.write_text(json.dumps(hugging_face | {"size": {"shortest_edge": 16}}))
    expected = replace(expected, resize_mode="shortest")
    assert load_clip("ViT-B-16-SigLIP2", str(small)).pixels == expected


def test_a_folder_of_open_clip_is_read_as_open_clip_reads_it(small):
    config = {"model_cfg": SMALL | {"custom_text": True}, "preprocess_cfg": asdict(replace(LONGEST, size=16))}
    small.with_name("open_clip_config.json").write_text(json.dumps(config))
    small.with_name("preprocessor_config.json").write_text("{}")
    _, _, reference = open_clip.create_model_and_transforms(f"local-dir:{small.parent}")
    clip = load_clip("ViT-B-32", str(small))
    assert clip.pixels == replace(LONGEST, size=16)
    for frames in FRAMES:
        expected = reference(Image.fromarray(frames[0])).numpy()
        np.testing.assert_array_equal(transforms.evaluation(clip.pixels)(frames)[0], expected)


def test_what_open_clip_draws_in_training_it_does_not_draw_in_testing():
    assert pixel_settings.told({"interpolation": "random", "size": [8, 8], "mean": None}) == OPENAI


@pytest.mark.parametrize(("name", "value"), [("interpolation", "cubic"), ("resize_mode", "middle")])
def test_settings_that_do_not_exist(name, value):
    with pytest.raises(ValueError, match=f"{name} '{value}': choose one of .*(bicubic|squash)"):
        pixel_settings.told({name: value})


def test_a_converted_file_keeps_its_settings_under_every_name(tmp_path, monkeypatch):
    state = from_config(CONVERTIBLE).state_dict()
    save_file(state, tmp_path / "clip.safetensors")
    told = {
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.2, 0.3, 0.4],
        "resample": 2,
        "size": {"height": 32},
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(told))
    converted = tmp_path / "converted" / "ours.safetensors"
    convert(tmp_path / "clip.safetensors", converted)
    expected = replace(LONGEST, resize_mode="squash", fill_color=0, size=32)
    assert stan.load_model(converted).clip.pixels == expected
    monkeypatch.setattr(open_clip, "get_model_config", lambda name: json.loads(json.dumps(CONVERTIBLE)))
    assert load_clip("ViT-B-32", str(converted)).pixels == expected
    images = {name: tensor for name, tensor in state.items() if name.startswith("visual.")}
    save_file(images, tmp_path / "converted" / "visual.safetensors")
    completed = load_released(
        tmp_path / "converted" / "visual.safetensors", clip=str(tmp_path / "clip.safetensors")
    )
    assert completed.clip.pixels == expected
    tensors, metadata = checkpoint.load(converted)
    metadata["converted"]["pixels"] = metadata["converted"]["pixels"][:2]  # as before there was more to say
    checkpoint.save(converted, tensors, metadata)
    assert stan.load_model(converted).clip.pixels == PixelSettings(expected.mean, expected.std, size=32)


def test_keys_hold_whatever_changes_pixels_and_nothing_of_it_for_openais():
    clip = clip_of(OPENAI)
    assert (OPENAI.mean, OPENAI.std) == (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    state = clip.state_dict()
    assert checkpoint.digest(state, clip.unlike_openai) == checkpoint.digest(state)
    key = hashlib.sha256(json.dumps(["clips", 2, 4, OPENAI.mean, OPENAI.std]).encode())
    key.update(repr(clip.visual).encode())  # towers of equal weights may differ in their activation
    for name, tensor in sorted(clip.visual.state_dict().items()):  # an open_clip ViT has no other buffers
        key.update(name.encode() + tensor.numpy().tobytes())
    assert level_cache._key(clip, "clips", (2, 4)) == key.hexdigest()[:16]
    others = [
        OPENAI,
        LONGEST,
        *(replace(OPENAI, **{name: getattr(LONGEST, name)}) for name in pixel_settings.NAMES),
    ]
    clips = [clip_of(settings) for settings in others]
    assert len({level_cache._key(one, "clips", (2, 4)) for one in clips}) == len(others) == 7
    assert len({checkpoint.digest(state, one.unlike_openai) for one in clips}) == 7


def test_frames_of_another_size_have_keys_of_their_own_where_the_weights_do_not_show_it():
    """A network in stages has the same weights at every size; a ViT has a position for each patch."""
    staged = [
        {"timm_model_name": "convnext_atto", "timm_model_pretrained": False, "image_size": s}
        for s in (64, 96)
    ]
    clips = [from_config(SMALL | {"vision_cfg": vision, "text_cfg": None}) for vision in staged]
    clips[1].load_state_dict(clips[0].state_dict())
    assert [clip.unlike_openai for clip in clips] == [[64], [96]]
    assert len({level_cache._key(clip, "clips", (2, 4)) for clip in clips}) == 2


def test_a_checkpoint_is_read_as_it_was_trained(small, tmp_path):
    config = ModelConfig("ViT-H-14", "dfn5b", "mean")
    file = tmp_path / "checkpoint.safetensors"
    stan.save_model(file, build(config, 2), Experiment("own", "mine", model=config))
    squashed = replace(OPENAI, resize_mode="squash", size=16)
    assert stan.load_model(file).clip.pixels == squashed
    tensors, metadata = checkpoint.load(file)
    del metadata["pixels"]  # as before resize modes were read: every tag had the short side
    checkpoint.save(file, tensors, metadata)
    assert stan.load_model(file).clip.pixels == replace(squashed, resize_mode="shortest")
