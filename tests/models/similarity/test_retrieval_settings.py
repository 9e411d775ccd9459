"""What DRL, BIKE, CLIP4Clip, CLIP2Video and Mug-STAN set otherwise than our defaults, by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from stan.models.backbones import load_clip
from stan.models.dual_encoder import DualEncoder
from stan.models.similarity import build
from stan.models.temporal import build as build_method
from stan.models.temporal.base import mean_over_frames
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput

WIDTH = 64  # of the tiny CLIP


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


def padded(lengths: list[int], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(len(lengths), max(lengths), WIDTH, generator=generator)
    return x, torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]


@pytest.fixture
def text():
    tokens, mask = padded([3, 5], 0)
    return TextOutput(tokens, tokens[torch.arange(2), mask.sum(1) - 1], mask)


@pytest.fixture
def video():
    frames, mask = padded([4, 2], 1)
    return VideoOutput(frames, mean_over_frames(frames, mask), mask)


@torch.no_grad()
def test_padding_may_count_as_a_cosine_of_zero(clip, text, video):
    torch.manual_seed(2)
    score = build("token_interaction", clip, {"padded_as_zero": True})
    words, frames = (F.normalize(x, dim=-1) for x in (text.tokens, video.frames))
    cosine = words[1] @ frames[1].T
    cosine[:, 2:] = 0  # the second video has two frames
    w = score.text(text.tokens[1])[:, 0].softmax(0)
    u = score.video(video.frames[1, :2])[:, 0].softmax(0)
    expected = (w @ cosine.max(1).values + u @ cosine.max(0).values[:2]) / 2
    torch.testing.assert_close(score(text, video)[1, 1], expected)
    assert (cosine[:, :2].max(1).values < 0).any()  # so that it matters here


@torch.no_grad()
def test_weighers_have_as_many_layers_as_asked_for(clip, text, video):
    names = {n: sorted(build("token_interaction", clip, {"layers": n}).state_dict()) for n in (0, 1, 3)}
    assert names[0] == [] and names[1] == ["text.0.weight", "video.0.weight"]
    assert [name for name in names[3] if name.startswith("text.4")] == ["text.4.weight"]
    score = build("token_interaction", clip, {"layers": 1, "bias": True})
    assert not score.text[0].bias.any() and score.text[0].bias.shape == (1,)
    alike = build("token_interaction", clip, {"layers": 0})(text, video)
    cosine = F.normalize(text.tokens[0, :3], dim=1) @ F.normalize(video.frames[1, :2], dim=1).T
    torch.testing.assert_close(alike[0, 1], (cosine.amax(1).mean() + cosine.amax(0).mean()) / 2)
    with pytest.raises(ValueError, match="layers=4: choose 0 to 3"):
        build("token_interaction", clip, {"layers": 4})


@torch.no_grad()
def test_matches_are_the_best_of_the_pair(clip, text, video):
    score = build("token_interaction", clip)
    of_tokens, of_frames = score.matches(text, video)
    own, best, weights = [], [], []
    for i, (words, frames) in enumerate(((3, 4), (5, 2))):
        t, v = F.normalize(text.tokens[i, :words], dim=1), F.normalize(video.frames[i, :frames], dim=1)
        own += [*t]
        best += [v[(v @ word).argmax()] for word in t]
        weights += [*score.text(text.tokens[i, :words])[:, 0].softmax(0)]
    torch.testing.assert_close(of_tokens.own, torch.stack(own))
    torch.testing.assert_close(of_tokens.best, torch.stack(best))
    torch.testing.assert_close(of_tokens.weight, torch.stack(weights))
    assert of_frames.own.shape == of_frames.best.shape == (6, WIDTH)
    assert of_frames.weight.sum().item() == pytest.approx(2)


@torch.no_grad()
@pytest.mark.parametrize("padded", [False, True])
def test_words_choose_among_frames(clip, text, video, padded):
    """Of the first text and the second video, which has two frames; padding is a word where it counts."""
    score = build("concept_spotting", clip, {"padded": padded, "temperature": 0.2})
    score.context_length = 5
    words, frames = text.tokens[0, : 5 if padded else 3], F.normalize(video.frames[1, :2], dim=1)
    chosen = [(F.normalize(word, dim=0) @ frames.T / 0.2).softmax(0) for word in words]
    weights = torch.stack(chosen).mean(0)
    expected = F.normalize(text.text[0], dim=0) @ (weights @ frames)
    torch.testing.assert_close(score(text, video)[0, 1], expected)
    torch.testing.assert_close(score.weights(text, video)[0, 1], torch.tensor([*weights, 0, 0]))


def test_padding_that_counts_has_to_be_there(clip, text, video):
    score = build("concept_spotting", clip, {"padded": True})
    with pytest.raises(ValueError, match="5 tokens per text; with padded=True .* hand over all 77"):
        score(text, video)
    own = load_clip("tiny", "random")
    model = DualEncoder(own, build_method("mean", own, 2), "concept_spotting", {"padded": True})
    assert model.clip.tokenize(["a red square"], 20).shape == (1, 77)
    with pytest.raises(ValueError, match="concept_spotting: temperature=0: it must be above 0"):
        build("concept_spotting", clip, {"temperature": 0})


def test_the_tight_transformer_drops_values_in_training_only(clip, text, video):
    torch.manual_seed(3)
    score = build("tight_transformer", clip, {"dropout": 0.5, "eps": 1e-12})
    score.load_state_dict(build("tight_transformer", clip).state_dict())
    assert {block.ln_1.eps for block in score.blocks} == {1e-12}
    score.eval()
    torch.testing.assert_close(score(text, video), score(text, video), atol=0, rtol=0)
    score.train()
    assert (score(text, video) - score(text, video)).abs().max() > 1e-5


@torch.no_grad()
def test_a_bias_moves_all_scores_alike(clip, text, video):
    torch.manual_seed(3)
    score = build("tight_transformer", clip, {"bias": True}).eval()
    before = score(text, video)
    assert not score.score.bias.any()
    score.score.bias.fill_(2.0)
    expected = before + 2 / clip.logit_scale.exp()
    torch.testing.assert_close(score(text, video), expected)


@pytest.fixture
def resampling(clip):
    torch.manual_seed(4)
    method = build_method("temporal_difference", clip, 5, {"first_frame_mask": True})
    return DualEncoder(clip, method, "temporal_alignment", {"centres": 3, "resampled": True}).eval()


@torch.no_grad()
def test_alignment_reads_clips_frames_and_every_second_one_mixed(clip, resampling):
    video = torch.randn(1, 5, 3, 48, 48, generator=torch.Generator().manual_seed(5))
    alone = DualEncoder(clip, build_method("mean", clip, 5)).encode_video(video).frames
    shared, own = resampling.temporal, resampling.score.blocks
    third = alone[:, [0, 2, 4]]
    position, kind = shared.position, shared.kind
    changes = shared.difference[0](third[:, 1:] - third[:, :-1] + position[1:3])
    changes = 2 * torch.sigmoid(shared.norm(changes)) - 1
    turns = [third[0, 0], changes[0, 0], third[0, 1], changes[0, 1], third[0, 2]]
    turns = torch.stack(turns) + position[[0, 0, 1, 1, 2]] + kind[[1, 0, 1, 0, 1]]
    mixed = own[0](turns[None])[:, ::2] + third
    every = torch.cat([alone, mixed], 1)
    expected = resampling.score.aligned(every, torch.ones(1, 8, dtype=torch.bool))
    found = resampling.encode_video(video)
    torch.testing.assert_close(found.context, expected, atol=1e-5, rtol=0)
    caption = resampling.encode_text(["a red square"])
    _, aligned = resampling.score.parts(caption, found)
    words = resampling.score.aligned(caption.tokens[:, 1:], caption.mask[:, 1:])
    torch.testing.assert_close(aligned, words @ expected.T, atol=1e-5, rtol=0)


def test_alignment_shares_the_differences_and_owns_its_block(clip, resampling):
    own = {name.split(".")[0] for name, _ in resampling.score.named_parameters()}
    assert own == {"weight", "centre", "blocks"}
    video = resampling.encode_video(torch.randn(1, 5, 3, 48, 48))
    caption = resampling.encode_text(clip.tokenize("a red square"))
    resampling.score.parts(caption, video)[1].square().sum().backward()
    assert resampling.score.blocks[0].attn.in_proj_weight.grad.any()
    assert resampling.temporal.difference[0].attn.in_proj_weight.grad.any()
    resampling.zero_grad(set_to_none=True)
    with pytest.raises(ValueError, match="the method temporal_difference: choose it"):
        DualEncoder(clip, build_method("mean", clip, 5), "temporal_alignment", {"resampled": True})


@torch.no_grad()
def test_frames_that_are_all_padding_but_one_are_numbers(resampling):
    mask = torch.tensor(
        [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]], dtype=torch.bool
    )  # none of every second one is real
    assert resampling.encode_video(torch.randn(2, 5, 3, 48, 48), mask).context.isfinite().all()


@torch.no_grad()
def test_the_whole_text_may_weigh_the_frames(clip, text, video):
    score = build("mug_simple", clip, {"tau": 7.0, "whole_text": True})
    cosine = F.normalize(video.frames[1, :2], dim=1) @ F.normalize(text.text[0], dim=0)
    torch.testing.assert_close(score(text, video)[0, 1], (7 * cosine).softmax(0) @ cosine)
