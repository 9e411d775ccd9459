"""X-CLIP's video-specific prompts: by hand, under padding, in chunks, and what they learn from."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric

from stan.config import ModelConfig, TrainConfig
from stan.models.backbones import load_clip
from stan.models.dual_encoder import build
from stan.models.similarity import base
from stan.models.similarity.video_prompts import VideoPrompts
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput
from stan.training.objective import Objective, batch_loss
from stan.training.optim import freeze, parameter_groups
from tests.support.moved_weights import moved

WIDTH = 64  # of the tiny CLIP


@pytest.fixture
def prompts():
    torch.manual_seed(0)
    prompts = VideoPrompts(load_clip("tiny", "random")).eval()
    moved(prompts, by=0.2)  # large enough to be seen
    return prompts


def texts(count: int) -> TextOutput:
    return TextOutput(
        torch.randn(count, 5, WIDTH), torch.randn(count, WIDTH), torch.ones(count, 5, dtype=torch.bool)
    )


def videos(count: int, frames: int = 4) -> VideoOutput:
    x = torch.randn(count, frames, WIDTH)
    return VideoOutput(x, x.mean(1), torch.ones(count, frames, dtype=torch.bool))


@torch.no_grad()
def test_one_pair_by_hand(prompts):
    text, video = texts(3), videos(2)
    prompt, frames = text.text[2], prompts.norm(video.frames[1])
    for layer in prompts.layers:
        weights = (layer.key(frames) @ layer.query(layer.norm_1(prompt)) / WIDTH**0.5).softmax(0)
        prompt = prompt + layer.out(weights @ layer.value(frames))
        hidden = layer.up(layer.norm_2(prompt))
        prompt = prompt + layer.down(hidden * torch.sigmoid(1.702 * hidden))
    expected = F.cosine_similarity(text.text[2] + prompts.alpha * prompt, video.video[1], dim=0)
    assert len(prompts.layers) == 2
    torch.testing.assert_close(prompts(text, video)[2, 1], expected, atol=1e-5, rtol=0)


def test_starts_near_the_cosine():
    torch.manual_seed(0)
    start = VideoPrompts(load_clip("tiny", "random"))
    assert start.alpha.tolist() == pytest.approx([0.1] * WIDTH)
    text, video = texts(3), videos(2)
    plain = F.normalize(text.text, dim=-1) @ F.normalize(video.video, dim=-1).T
    torch.testing.assert_close(start(text, video), plain, atol=0.02, rtol=0)


@torch.no_grad()
def test_a_pairs_score_depends_on_its_own_text_and_video_only(prompts):
    text, video = texts(3), videos(2)
    scores = prompts(text, video)
    alone = prompts(TextOutput(*(x[1:2] for x in text)), VideoOutput(*(x[:1] for x in video)))
    torch.testing.assert_close(alone[0, 0], scores[1, 0], atol=1e-6, rtol=0)


@torch.no_grad()
def test_padding_frames_change_nothing(prompts):
    text, video = texts(3), videos(2)
    padded = torch.cat([video.frames, torch.full((2, 2, WIDTH), 7.0)], 1)
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]] * 2, dtype=torch.bool)
    found = prompts(text, VideoOutput(padded, video.video, mask))
    torch.testing.assert_close(found, prompts(text, video), atol=1e-6, rtol=0)


def test_chunks_are_the_whole(prompts, monkeypatch):
    text, video = texts(7), videos(2)
    with torch.no_grad():
        whole = prompts.pairs(text, video)
        monkeypatch.setattr(base, "PAIRS_AT_ONCE", 6)
        torch.testing.assert_close(prompts(text, video), whole, atol=1e-6, rtol=0)


def test_one_step_reaches_every_parameter():
    torch.manual_seed(0)
    model = build(ModelConfig(pretrained="random", temporal="x_clip", similarity="video_prompts"), 4)
    recipe = TrainConfig(lr=1e-3)
    freeze(model, recipe)
    before = {name: tensor.clone() for name, tensor in model.score.named_parameters()}
    optimizer = torch.optim.AdamW(parameter_groups(model, recipe))
    ids = model.clip.tokenize(["a red square", "a green circle moves"], 8)
    batch = {"video": torch.randn(2, 4, 3, 48, 48), "text": ids}
    fabric = Fabric(accelerator="cpu", devices=1)
    batch_loss(fabric, Objective(model), model, batch, recipe).backward()
    assert [name for name, p in model.score.named_parameters() if not p.grad.any()] == []
    optimizer.step()
    assert all(not torch.equal(p, before[name]) for name, p in model.score.named_parameters())


@torch.no_grad()
def test_patches_are_averaged_over_real_frames_and_read_instead_of_frames():
    torch.manual_seed(0)
    clip = load_clip("tiny", "random")
    prompts = VideoPrompts(clip, reads="patches", heads=4).eval()
    moved(prompts, by=0.2)
    tokens, real = torch.randn(2, 3, 6, WIDTH), torch.tensor([[True] * 3, [True, True, False]])
    context = prompts.read(tokens[:, :, 0], tokens, real, clip.visual.project)
    embedded = prompts.patch_norm(tokens[1, :2, 1:]) @ prompts.patch_proj
    torch.testing.assert_close(context[1], embedded.mean(0), atol=1e-5, rtol=0)
    text, video = texts(3), videos(2, 3)._replace(mask=real, context=context)
    scores = prompts(text, video)
    assert torch.equal(prompts(text, video._replace(frames=torch.randn_like(video.frames))), scores)
    assert (prompts(text, video._replace(context=context.flip(0))) - scores).abs().max() > 1e-3
    added = prompts.prompts(text, video)
    expected = F.cosine_similarity(text.text[2] + added[1, 2], video.video[1], dim=0)
    torch.testing.assert_close(scores[2, 1], expected, atol=1e-5, rtol=0)


def test_what_cannot_be_read():
    clip = load_clip("tiny", "random")
    with pytest.raises(ValueError, match="reads='words': choose one of"):
        VideoPrompts(clip, reads="words")
    with pytest.raises(ValueError, match="heads=5 don't divide the 64 channels"):
        VideoPrompts(clip, heads=5)
    model = build(
        ModelConfig(
            pretrained="random",
            temporal="center_clip",
            similarity="video_prompts",
            similarity_options={"reads": "patches"},
        ),
        4,
    )
    with pytest.raises(ValueError, match="this method merges frames: choose reads='frames'"):
        model.encode_video(torch.zeros(1, 4, 3, 48, 48))


def test_a_loss_reaches_the_patches_projection():
    torch.manual_seed(0)
    options = {"reads": "patches"}
    config = ModelConfig(
        pretrained="random", temporal="x_clip", similarity="video_prompts", similarity_options=options
    )
    model = build(config, 4)
    freeze(model, TrainConfig())
    ids = model.clip.tokenize(["a red square", "a green circle moves"], 8)
    batch = {"video": torch.randn(2, 4, 3, 48, 48), "text": ids}
    fabric = Fabric(accelerator="cpu", devices=1)
    batch_loss(fabric, Objective(model), model, batch, TrainConfig()).backward()
    assert [name for name, p in model.score.named_parameters() if not p.grad.any()] == []
