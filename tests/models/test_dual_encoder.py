"""Videos and captions into one space, and models by name, run or file."""

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import stan
from stan.config import Experiment, ModelConfig, TrainConfig
from stan.models import checkpoint, factory
from stan.models.dual_encoder import DualEncoder, build
from stan.models.temporal import METHODS

WIDTH = 64  # of the tiny CLIP

RANDOM = ModelConfig(pretrained="random", options={"layers": 2})


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build(RANDOM, 4).eval()


@pytest.mark.parametrize("temporal", METHODS)
@torch.no_grad()
def test_similarity_is_the_cosine_of_text_and_video(temporal):
    model = build(ModelConfig(pretrained="random", temporal=temporal), 4).eval()
    text, video = model.encode_text(["a", "b c", "d"]), model.encode_video(torch.randn(2, 4, 3, 48, 48))
    score = model.similarity(text, video)
    assert (
        score.shape == (3, 2) and video.frames.shape == (2, 4, WIDTH) and text.tokens.shape == (3, 77, WIDTH)
    )
    expected = F.cosine_similarity(text.text[1], video.frames.mean(1)[0], dim=0)
    torch.testing.assert_close(score[1, 0], expected, atol=1e-6, rtol=0)


def test_words_and_their_ids_are_the_same(model):
    ids = model.clip.tokenize(["a red square"])
    torch.testing.assert_close(model.encode_text("a red square").text, model.encode_text(ids).text)
    assert model.encode_text(ids).text.requires_grad and not model.encode_text("a").text.requires_grad


def test_every_parameter_learns(model):
    text = model.encode_text(model.clip.tokenize(["a red square", "a green circle"]))
    video = model.encode_video(torch.randn(2, 4, 3, 48, 48))
    logits = model.similarity(text, video) * model.logit_scale.exp()
    with torch.no_grad():  # the zero at which temporal_fc starts stops gradients once
        for layer in model.temporal.layers:
            layer.cross_frame.temporal_fc.weight.normal_(std=0.1)
    logits = (
        model.similarity(text, model.encode_video(torch.randn(2, 4, 3, 48, 48))) * model.logit_scale.exp()
    )
    F.cross_entropy(logits, torch.arange(2)).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert video.video.requires_grad
    model.zero_grad(set_to_none=True)


def test_files_are_decoded_and_prepared(model, monkeypatch, tmp_path):
    """The decoder and the transforms have their own tests: here only what is asked of them."""
    from stan.data.video import decoding as video
    from stan.data.video import transforms

    asked = []

    class Decoded:
        frames = np.full((4, 60, 80, 3), 127, np.uint8)
        times = [0.5, 1.5, 2.5, 3.5]

    def decode(path, frames, scaling):
        assert scaling == model.clip.pixels.scaling
        asked.append((path, frames))
        return Decoded

    monkeypatch.setattr(video, "decode", decode)
    out = model.encode_video((tmp_path / "a.mp4", tmp_path / "b.mp4"))
    assert asked == [(tmp_path / "a.mp4", 4), (tmp_path / "b.mp4", 4)] and not out.video.requires_grad
    prepared = transforms.evaluation(model.clip.pixels)(Decoded.frames)
    expected = model.encode_video(torch.as_tensor(prepared)[None]).video[0]
    torch.testing.assert_close(out.video[1], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(model.encode_video(tmp_path / "a.mp4").video[0], expected, atol=1e-5, rtol=0)
    pixels, times = model.decode(tmp_path / "a.mp4", 2)
    assert asked[-1] == (tmp_path / "a.mp4", 2) and pixels.shape == (4, 3, 48, 48)
    assert times.tolist() == Decoded.times


@pytest.mark.parametrize("count", ["3", 2.9, [3], True, 0, -1])
def test_a_number_of_frames_is_no_frame(model, count, tmp_path):
    """The decoder takes a number that isn't whole, and text, for the frames' own numbers."""
    with pytest.raises(ValueError, match="number of frames is .* a whole number of at least 1"):
        model.decode(tmp_path / "a.mp4", count)


@pytest.mark.parametrize(
    ("video", "message"),
    [
        ([], r"\[\] is no video: give a file's path"),
        (np.zeros((1, 4, 3, 48, 48)), "is no video: .* as a torch tensor"),
        (None, "None is no video"),
        ([torch.zeros(4, 3, 48, 48)], "is no video"),
        (torch.zeros(0, 4, 3, 48, 48), r"shape \(0, 4, 3, 48, 48\): expected \(videos"),
        (torch.zeros(1, 4, 3, 48, 48, dtype=torch.uint8), "torch.uint8: expected floating-point numbers"),
        (
            torch.full((1, 4, 3, 48, 48), 60.0),
            "values up to 60: expected prepared frames, where white is 2.1",
        ),
    ],
)
def test_what_is_no_video_is_refused(model, video, message):
    with pytest.raises(ValueError, match=message), torch.no_grad():
        model.encode_video(video)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "texts is None; it must be text or a list of texts"),
        (["a", 1], r"texts is \['a', 1\]"),
        (torch.zeros(77, dtype=torch.long), r"ids of shape \(77,\), torch.int64: expected \(texts, tokens\)"),
        (torch.zeros(1, 0, dtype=torch.long), r"ids of shape \(1, 0\)"),
        (torch.zeros(1, 77), "torch.float32: expected .* in torch.long"),
        (torch.tensor([[5, -1]]), "token id -1: this CLIP's ids are from 0 to 49407"),
        (torch.tensor([[5, 49408]]), "token id 49408: this CLIP's ids are from 0 to 49407"),
    ],
)
def test_what_is_no_text_is_refused(model, text, message):
    with pytest.raises(ValueError, match=message):
        model.encode_text(text)


def test_unknown_similarity(model):
    with pytest.raises(ValueError, match="similarity 'euclid' is not known; there are cosine"):
        DualEncoder(model.clip, model.temporal, "euclid")


@pytest.mark.slow
def test_importing_stan_is_light():
    check = "import sys, stan; print('torch' in sys.modules, 'load_model' in dir(stan)); stan.load_model"
    said = subprocess.run([sys.executable, "-c", check], check=True, capture_output=True, text=True)
    assert said.stdout.split() == ["False", "True"]


def test_a_name_that_stan_does_not_have():
    with pytest.raises(
        AttributeError, match="module 'stan' has no attribute 'lode_model'; it has load_model"
    ):
        stan.lode_model  # noqa: B018


def test_presets_by_name():
    model = stan.load_model("clip-tiny", pretrained="random")
    assert (model.frames, type(model.temporal).__name__, model.training) == (8, "Temporal", False)
    with pytest.raises(ValueError, match="no model 'clip-huge' .*: name a preset .*clip-tiny"):
        stan.load_model("clip-huge")
    for name in (None, 3, ["stan-tiny"]):
        with pytest.raises(ValueError, match="names no model: give text or a Path, such as 'stan-tiny'"):
            stan.load_model(name)
    with pytest.raises(ValueError, match="stan-tiny brings its own weights"):
        stan.load_model("stan-tiny", pretrained="openai")


def trained(model_config, frozen=()):
    """A model as after training: everything moved, but not what is frozen."""
    torch.manual_seed(1)
    model = build(model_config, 8).eval()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(tuple(frozen)))
        if parameter.requires_grad:
            parameter.data.add_(0.01 * torch.randn_like(parameter))
    return model


@torch.no_grad()
def test_a_run_on_a_random_backbone_comes_back_whole(tmp_path):
    model = trained(RANDOM, ["encoder.clip.visual"])
    experiment = Experiment("components", "stan", model=RANDOM, train=TrainConfig(epochs=1))
    stan.save_model(tmp_path / "checkpoint.safetensors", model, experiment)
    again = stan.load_model(tmp_path)
    video = torch.randn(1, 8, 3, 48, 48)
    assert torch.equal(again.encode_video(video).video, model.encode_video(video).video)
    assert torch.equal(again.encode_text("a dog").text, model.encode_text("a dog").text)
    assert again.frames == 8 and not again.training


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A backbone whose weights lie in a file, as the shipped ones do."""
    from stan.models.backbones import load_clip

    weights = tmp_path / "backbone.pt"
    torch.manual_seed(2)
    torch.save(load_clip("tiny", "random").state_dict(), weights)
    return weights


@torch.no_grad()
def test_a_run_keeps_only_what_it_changed_and_exports_it_in_half_the_size(tmp_path, shipped):
    config = ModelConfig(pretrained=str(shipped), options={"layers": 2})
    model = trained(config, ["encoder.clip.visual", "encoder.clip.text.token_embedding"])
    path, small = tmp_path / "run.safetensors", tmp_path / "small.safetensors"
    stan.save_model(path, model, Experiment("components", "stan", model=config))
    factory.export(path, small)
    assert path.stat().st_size < 6 * 2**20  # the token embedding alone has 12 MiB
    assert small.stat().st_size < 0.51 * path.stat().st_size
    video = torch.randn(1, 8, 3, 48, 48)
    expected = model.encode_video(video).video
    for file, tolerance in ((path, 0), (small, 0.02)):
        found = stan.load_model(file).encode_video(video).video
        torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def test_a_run_refuses_another_backbone(tmp_path, shipped):
    from stan.models.backbones import load_clip

    config = ModelConfig(pretrained=str(shipped), options={"layers": 2})
    stan.save_model(
        tmp_path / "run.safetensors", trained(config, ["encoder.clip"]), Experiment("a", "b", model=config)
    )
    torch.save(load_clip("tiny", "random").state_dict(), shipped)
    with pytest.raises(ValueError, match="was trained on other weights of tiny than those at hand"):
        stan.load_model(tmp_path / "run.safetensors")


def test_digest_tells_names_and_values_apart():
    a = {"x": torch.ones(2), "y": torch.zeros(2)}
    assert checkpoint.digest(a) == checkpoint.digest({"y": torch.zeros(2), "x": torch.ones(2)})
    assert checkpoint.digest(a) != checkpoint.digest({"x": torch.zeros(2), "y": torch.ones(2)})
    assert checkpoint.digest(a) != checkpoint.digest({"x": torch.ones(2).half(), "y": torch.zeros(2)})
