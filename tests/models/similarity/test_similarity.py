"""Ways to score texts against videos: Mug against the released heads' outputs, the others by hand."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import stan
from stan.models import checkpoint
from stan.models.backbones import load_clip
from stan.models.convert import convert, load_released
from stan.models.similarity import SIMILARITIES, base, build
from stan.models.temporal.base import mean_over_frames
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput

GOLDEN = Path(__file__).parents[2] / "golden" / "stan_released_tiny"
WIDTH = 64  # of the tiny CLIP


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return load_clip("tiny", "random").eval()


def texts(lengths=(3, 5, 2), seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(len(lengths), max(lengths), WIDTH, generator=generator)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return TextOutput(tokens, tokens[torch.arange(len(lengths)), torch.tensor(lengths) - 1], mask)


def videos(lengths=(4, 2), seed=1):
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randn(len(lengths), max(lengths), WIDTH, generator=generator)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return VideoOutput(frames, mean_over_frames(frames, mask), mask)


@pytest.mark.parametrize("head", ["mug_simple", "mug_full"])
@torch.no_grad()
def test_reproduces_the_released_heads(head):
    model = load_released(GOLDEN / "checkpoint.safetensors", similarity=head)
    io, _ = checkpoint.load(GOLDEN / "io.safetensors")
    score = model.similarity(model.encode_text(io["token_ids"]), model.encode_video(io["video"]))
    torch.testing.assert_close(score, io[head], atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_converted_checkpoint_keeps_its_head(tmp_path):
    convert(GOLDEN / "checkpoint.safetensors", tmp_path / "ours.safetensors", similarity="mug_full")
    model = stan.load_model(tmp_path / "ours.safetensors")
    io, _ = checkpoint.load(GOLDEN / "io.safetensors")
    score = model.similarity(model.encode_text(io["token_ids"]), model.encode_video(io["video"]))
    torch.testing.assert_close(score, io["mug_full"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("head", ["mug_simple", "mug_full"])
@torch.no_grad()
def test_mug_by_hand(clip, head):
    """One pair without padding, in loops."""
    text, video, tau = texts((3,)), videos((2,)), 7.0
    t, v = F.normalize(text.tokens[0], dim=1), F.normalize(video.frames[0], dim=1)
    cosine = t @ v.T
    a = torch.stack([(tau * row).softmax(0) @ row for row in cosine])
    b = torch.stack([(tau * column).softmax(0) @ column for column in cosine.T])
    w, u = (tau * a).softmax(0), (tau * b).softmax(0)
    expected = {"mug_simple": (w @ a + u @ b) / 2, "mug_full": (w @ t) @ (u @ v)}[head]
    torch.testing.assert_close(build(head, clip, {"tau": tau})(text, video)[0, 0], expected)


@torch.no_grad()
def test_token_interaction_by_hand(clip):
    torch.manual_seed(2)
    score = build("token_interaction", clip)
    text, video = texts(), videos()
    found = score(text, video)
    for i, words in enumerate((3, 5, 2)):
        for j, frames in enumerate((4, 2)):
            t, v = text.tokens[i, :words], video.frames[j, :frames]
            w, u = score.text(t)[:, 0].softmax(0), score.video(v)[:, 0].softmax(0)
            cosine = F.normalize(t, dim=1) @ F.normalize(v, dim=1).T
            expected = (w @ cosine.max(1).values + u @ cosine.max(0).values) / 2
            torch.testing.assert_close(found[i, j], expected)


@torch.no_grad()
def test_temporal_alignment_by_hand(clip):
    torch.manual_seed(2)
    score = build("temporal_alignment", clip, {"centres": 3})
    assert score.centre.std().item() == pytest.approx(1 / 8, rel=0.2)

    def aligned(x):
        belongs = (x @ score.weight.T).softmax(1)
        sums = [sum(b[k] * (y - score.centre[k]) for y, b in zip(x, belongs, strict=True)) for k in range(3)]
        return F.normalize(F.normalize(torch.stack(sums), dim=1).mean(0), dim=0)

    text, video = texts(), videos()
    whole, parts = F.cosine_similarity(text.text[1], video.video[1], dim=0), score.parts(text, video)
    centres = aligned(text.tokens[1, 1:5]) @ aligned(video.frames[1, :2])  # without the start token
    torch.testing.assert_close(torch.stack(parts)[:, 1, 1], torch.stack([whole, centres]))
    torch.testing.assert_close(score(text, video)[1, 1], (whole + centres) / 2)


@torch.no_grad()
def test_tight_transformer_by_hand(clip):
    torch.manual_seed(2)
    score = build("tight_transformer", clip, {"layers": 2})
    text, video = texts(), videos()
    x = torch.cat([text.text[2:], video.frames[1, :2]])[None] + clip.text.positional_embedding[:3]
    for block in clip.text.transformer.resblocks[:2]:
        x = block(x)
    pooled = score.pool(score.norm(x[0, 0]))
    logit = score.score(pooled * torch.sigmoid(1.702 * pooled))[0]
    torch.testing.assert_close(score(text, video)[2, 1] * clip.logit_scale.exp(), logit)


def test_tight_transformer_starts_as_clips_text_tower(clip):
    score = build("tight_transformer", clip)
    torch.testing.assert_close(score.position, clip.text.positional_embedding)
    theirs = clip.text.transformer.resblocks[3].mlp.c_fc.weight
    ours = score.blocks[3].mlp.c_fc.weight
    assert len(score.blocks) == 4 and torch.equal(ours, theirs) and ours is not theirs
    assert sum(p is clip.logit_scale for p in score.parameters()) == 0


def test_the_mask_ends_with_the_end_token(clip):
    ids = clip.tokenize(["a red square", "a"], 12)
    mask = clip.encode_text(ids).mask
    assert mask.sum(1).tolist() == [5, 3]
    assert (mask == (ids != 0)).all()


@torch.no_grad()
def test_pairs_are_scored_some_at_a_time_without_gradient(clip, monkeypatch):
    score, text, video = build("token_interaction", clip), texts(), videos()
    asked = []
    whole = score.pairs(text, video)
    monkeypatch.setattr(base, "PAIRS_AT_ONCE", 4)
    monkeypatch.setattr(
        score, "pairs", lambda t, v: asked.append(len(t.text)) or type(score).pairs(score, t, v)
    )
    torch.testing.assert_close(score(text, video), whole)
    assert asked == [2, 1]
    with torch.enable_grad():
        score(text, video)
    assert asked == [2, 1, 3]


def test_unknown_options(clip):
    with pytest.raises(ValueError, match="mug_simple has no option scale; it has tau"):
        build("mug_simple", clip, {"scale": 1})
    with pytest.raises(ValueError, match=f"'dot' is not known; there are {', '.join(SIMILARITIES)}"):
        build("dot", clip)
