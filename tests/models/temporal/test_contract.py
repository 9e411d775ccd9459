"""What every temporal method, every similarity and every row of a study keeps: listed is tested.

A method that works inside CLIP's blocks is held to the same, so everything runs on live video.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric

from stan import experiments
from stan.config import Experiment, ModelConfig, TrainConfig
from stan.data import label_sets
from stan.models import similarity
from stan.models.backbones import load_clip
from stan.models.dual_encoder import DualEncoder, build
from stan.models.similarity import SIMILARITIES
from stan.models.temporal import METHODS
from stan.models.temporal import build as build_method
from stan.models.temporal.base import mean_over_frames
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput
from stan.training.objective import Objective, batch_loss
from stan.training.optim import freeze, parameter_groups
from tests.support.moved_weights import moved

FRAMES = 4
BLIND_TO_ORDER = {"mean"}
STARTS_AS_MEAN = {"mean", "st_adapter", "aim", "divided_space_time"}
READS_ORDER_IN_SCORING = {"tight_transformer"}
CAPTIONS = ["a red square moves to the left", "a circle", "two stars"]


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


@pytest.fixture(params=METHODS)
def name(request):
    return request.param


def started(clip, name: str) -> DualEncoder:
    torch.manual_seed(1)
    return DualEncoder(clip, build_method(name, clip, FRAMES)).eval()


@pytest.fixture
def model(clip, name):
    model = started(clip, name)
    moved(model.temporal)
    return model


@pytest.fixture
def video():
    return torch.randn(2, FRAMES, 3, 48, 48, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def test_padding_frames_change_nothing(model, video):
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]], dtype=torch.bool)
    padded, short = model.encode_video(video, mask), model.encode_video(video[:1, :2])
    torch.testing.assert_close(padded.video[:1], short.video, atol=1e-5, rtol=0)
    torch.testing.assert_close(padded.frames[:1, :2], short.frames, atol=1e-5, rtol=0)
    torch.testing.assert_close(padded.video[1], model.encode_video(video[1:]).video[0], atol=1e-5, rtol=0)
    assert torch.equal(padded.mask, mask) and short.mask.all()


@torch.no_grad()
def test_a_full_mask_is_no_mask(model, video):
    full = model.encode_video(video, torch.ones(2, FRAMES, dtype=torch.bool))
    torch.testing.assert_close(full.video, model.encode_video(video).video, atol=1e-5, rtol=0)


@torch.no_grad()
def test_videos_of_a_batch_do_not_leak(model, video):
    other = video.clone()
    other[1] = torch.randn_like(other[1])
    before, after = model.encode_video(video).video, model.encode_video(other).video
    torch.testing.assert_close(after[0], before[0], atol=1e-6, rtol=0)
    assert (after[1] - before[1]).abs().max() > 1e-3


@torch.no_grad()
def test_texts_of_a_batch_do_not_leak(model):
    together = model.encode_text(CAPTIONS)
    for i, caption in enumerate(CAPTIONS):
        alone = model.encode_text(caption)
        torch.testing.assert_close(together.text[i], alone.text[0], atol=1e-5, rtol=0)
        assert torch.equal(together.mask[i], alone.mask[0])


@torch.no_grad()
def test_padding_of_texts_changes_nothing(model):
    long, short = (model.encode_text(model.clip.tokenize(CAPTIONS, words)) for words in (20, 12))
    torch.testing.assert_close(long.text, short.text, atol=1e-5, rtol=0)
    assert torch.equal(long.mask.sum(1), short.mask.sum(1))
    end = long.mask.sum(1) - 1
    torch.testing.assert_close(long.tokens[torch.arange(len(CAPTIONS)), end], long.text)


@torch.no_grad()
def test_who_knows_the_order(model, name, video):
    shuffled = model.encode_video(video[:, [2, 0, 3, 1]]).video
    difference = (shuffled - model.encode_video(video).video).abs().max()
    seen = 1e-4 if name == "vtn" else 1e-3  # VTN's matrices start from N(0, .02^2), as released
    assert difference < 1e-5 if name in BLIND_TO_ORDER else difference > seen


@torch.no_grad()
def test_who_starts_as_mean_pooling(clip, name, video):
    mean = started(clip, "mean").encode_video(video).video
    difference = (started(clip, name).encode_video(video).video - mean).abs().max()
    assert difference < 1e-5 if name in STARTS_AS_MEAN else difference > 1e-3


@torch.no_grad()
@pytest.mark.parametrize("count", [1, 3])
def test_fewer_frames_than_built_for(model, video, count):
    found = model.encode_video(video[:, :count])
    assert found.frames.shape == (2, count, model.clip.embed_dim) and found.frames.isfinite().all()


def test_gradients_reach_every_parameter(model, video):
    model.requires_grad_(True)
    score = model.similarity(model.encode_text(model.clip.tokenize(CAPTIONS)), model.encode_video(video))
    score.square().sum().backward()
    reached = [n for n, p in model.temporal.named_parameters() if p.grad is not None and p.grad.any()]
    assert reached == [n for n, _ in model.temporal.named_parameters()]
    model.zero_grad(set_to_none=True)


def test_what_is_learned_is_not_clips(clip, name):
    theirs = {id(parameter) for parameter in clip.parameters()}
    assert not any(id(parameter) in theirs for parameter in started(clip, name).temporal.parameters())


# a classifier reads no texts: tests/models/similarity/test_linear_classifier.py
@pytest.fixture(params=sorted(SIMILARITIES.keys() - {"linear_classifier"}))
def score(request, clip):
    torch.manual_seed(1)
    score = similarity.build(request.param, clip)
    moved(score)
    return score


def texts_and_videos(garbage: float = 0.0) -> tuple[TextOutput, VideoOutput]:
    """Three texts and two videos with padding, which holds `garbage`."""
    generator = torch.Generator().manual_seed(3)
    tokens, frames = (torch.randn(*shape, 64, generator=generator) for shape in ((3, 6), (2, 5)))
    words, real = (
        torch.arange(n) < torch.tensor(lengths)[:, None] for n, lengths in ((6, [6, 3, 2]), (5, [2, 5]))
    )
    tokens, frames = (x + garbage * ~mask[..., None] for x, mask in ((tokens, words), (frames, real)))
    text = tokens[torch.arange(3), words.sum(1) - 1]
    return TextOutput(tokens, text, words), VideoOutput(frames, mean_over_frames(frames, real), real)


@torch.no_grad()
def test_padding_does_not_score(score):
    text, video = texts_and_videos()
    found = score(text, video)
    torch.testing.assert_close(score(*texts_and_videos(7.0)), found, atol=1e-5, rtol=0)
    short_text = TextOutput(text.tokens[1:2, :3], text.text[1:2], text.mask[1:2, :3])
    short_video = VideoOutput(video.frames[:1, :2], video.video[:1], video.mask[:1, :2])
    torch.testing.assert_close(score(short_text, short_video)[0, 0], found[1, 0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_pairs_score_by_themselves(score):
    text, video = texts_and_videos()
    found = score(text, video)
    assert found.shape == (3, 2) and found.std() > 1e-4
    for i in range(3):
        for j in range(2):
            one, other = (
                TextOutput(*(x[i : i + 1] for x in text)),
                VideoOutput(*(x[j : j + 1] for x in video)),
            )
            torch.testing.assert_close(score(one, other)[0, 0], found[i, j], atol=1e-5, rtol=0)


@torch.no_grad()
def test_who_scores_by_the_order_of_frames(score):
    text, video = texts_and_videos()
    turned = [2, 4, 0, 1, 3]
    reordered = VideoOutput(video.frames[:, turned], video.video, video.mask[:, turned])
    difference = (score(text, reordered) - score(text, video))[:, 1].abs().max()
    aware = [SIMILARITIES[name] for name in READS_ORDER_IN_SCORING]
    assert difference > 1e-4 if type(score) in aware else difference < 1e-5


def test_a_score_is_the_mean_of_its_parts(score):
    text, video = texts_and_videos()
    parts = torch.stack(score.parts(text, video))
    torch.testing.assert_close(parts.mean(0), score(text, video))


def test_gradients_reach_every_parameter_of_a_score(score):
    text, video = texts_and_videos()
    for x in (text.text, video.video, text.tokens, video.frames):
        x.requires_grad_(True)
    torch.nn.functional.cross_entropy(20 * score(text, video).T, torch.tensor([0, 2])).backward()
    assert [n for n, p in score.named_parameters() if p.grad is None or not p.grad.any()] == []
    read = [x.grad is not None and bool(x.grad.any()) for x in (*text[:2], *video[:2])]
    assert any(read[:2]) and any(read[2:])


def rows(suite: str) -> list[Experiment]:
    """Every training of every study, once."""
    every = [e for study in experiments.STUDIES for e in experiments.study(study, suite)]
    return list({e.training_hash: e for e in every}.values())


def trained(model: DualEncoder) -> list[tuple[str, torch.nn.Parameter]]:
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


@pytest.mark.parametrize("before_projection", [True, False])
@pytest.mark.parametrize("frozen", ["nothing", "text", "vision", "clip"])
def test_a_classifier_trains_only_what_it_reads(video, frozen, before_projection):
    options = {"classes": 3, "before_projection": before_projection}
    config = ModelConfig(
        pretrained="random", temporal="mean", similarity="linear_classifier", similarity_options=options
    )
    recipe = TrainConfig(frozen)
    model = build(config, FRAMES)
    freeze(model, recipe)
    assert not any(p.requires_grad for p in model.clip.text.parameters())
    frozen_projection = before_projection or frozen in ("vision", "clip")
    assert model.clip.visual.proj.requires_grad != frozen_projection
    ids, labels = model.clip.tokenize(CAPTIONS, 12), torch.tensor([2, 0])
    batch = {"text": ids, "video": video, "label": labels}
    batch_loss(Fabric(accelerator="cpu", devices=1), Objective(model), model, batch, recipe).backward()
    assert [n for n, p in trained(model) if p.grad is None] == []


@pytest.mark.slow
@pytest.mark.parametrize("suite", ["retrieval", "motions"])
def test_every_row_trains_one_step(suite, video):
    fabric, ids = Fabric(accelerator="cpu", devices=1), None
    still = []
    for experiment in rows(suite):
        torch.manual_seed(0)
        recipe = replace(experiment.train, lr=1e-3)
        model = build(replace(experiment.model, pretrained="random"), FRAMES)
        freeze(model, recipe)
        ids = model.clip.tokenize(
            (CAPTIONS * 7)[: label_sets.count(suite) or 2], 12
        )  # a text per class or video
        batch = {"text": ids, "video": video}
        if suite == "motions":
            batch |= {"label": torch.tensor([2, 0]), "twin_label": torch.tensor([0, -1])}
        optimizer = torch.optim.SGD(parameter_groups(model, recipe), recipe.lr)
        before = [p.detach().clone() for p in model.parameters()]
        loss = batch_loss(fabric, Objective(model), model, batch, recipe)
        loss.backward()
        optimizer.step()
        assert loss.isfinite() and loss > 0, experiment.id
        # copies of a model on several devices wait for the gradient of every parameter that is trained
        still += [f"{experiment.id} {n}" for n, p in trained(model) if p.grad is None]
        new = [*model.temporal.parameters(), *model.score.parameters()]
        still += [experiment.id for p in new if p.grad is None or not p.grad.isfinite().all()]
        assert any(not torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    assert still == []


def test_every_method_and_similarity_is_a_row():
    structures = experiments.study("structures", "retrieval")
    assert {e.model.temporal for e in structures} == set(METHODS)
    listed = structures + experiments.study("classifiers", "motions")
    assert {e.model.similarity for e in listed} == set(SIMILARITIES)


def test_the_config_of_a_row_builds_what_it_names():
    config = ModelConfig(
        pretrained="random", temporal="mean", similarity="mug_simple", similarity_options={"tau": 5}
    )
    assert build(config, FRAMES).score.tau == 5
