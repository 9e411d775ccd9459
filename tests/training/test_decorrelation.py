"""DRL's decorrelation in its released forms, and the contrastive loss as a mean, by loops."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from stan.config import ModelConfig, TrainConfig
from stan.models.backbones import load_clip
from stan.models.similarity import build
from stan.models.temporal.base import mean_over_frames
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput
from stan.training.checks import check
from stan.training.losses import contrastive_mean, cross_correlation, info_nce, redundancy
from stan.training.objective import channel_decorrelation
from tests.support.tiny_experiment import tiny


def test_the_mean_of_both_directions_is_half_their_sum():
    similarity = torch.tensor([[2.0, 0.0], [0.5, 3.0]])
    same = torch.eye(2, dtype=torch.bool)
    torch.testing.assert_close(contrastive_mean(similarity, same), info_nce(similarity, same) / 2)


def test_cross_correlation_by_loops():
    x, y = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    weight = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5])
    found = cross_correlation(x, y, weight)
    for i in range(3):
        for j in range(3):
            a, b = ((z - z.mean()) / z.std() for z in (x[:, i], y[:, j]))
            torch.testing.assert_close(
                found[i, j], sum(w * p * q for w, p, q in zip(weight, a, b, strict=True))
            )


def test_redundancy_weighs_the_diagonal_and_the_rest():
    correlation = torch.tensor([[0.5, 0.1], [0.2, 1.5]])
    assert redundancy(correlation, 2.0, 10.0).item() == pytest.approx(2 * (0.25 + 0.25) + 10 * (0.01 + 0.04))


@pytest.fixture(scope="module")
def pairs():
    torch.manual_seed(0)
    tokens, frames = torch.randn(4, 3, 64), torch.randn(4, 2, 64)
    words, real = torch.ones(4, 3, dtype=torch.bool), torch.ones(4, 2, dtype=torch.bool)
    return TextOutput(tokens, tokens[:, 2], words), VideoOutput(frames, mean_over_frames(frames, real), real)


@pytest.fixture(scope="module")
def score():
    return build("token_interaction", load_clip("tiny", "random"))


@torch.no_grad()
def test_embeddings_as_released_are_a_little_less_correlated(score, pairs):
    text, video = pairs
    found = channel_decorrelation(
        score, text, video, TrainConfig(decorrelation=1.0, decorrelated="released-embeddings")
    )
    x, y = (torch.nn.functional.normalize(z, dim=1) for z in (text.text, video.video))
    pearson = torch.stack([torch.corrcoef(torch.stack([x[:, k], y[:, k]]))[0, 1] for k in range(64)])
    torch.testing.assert_close(found, (3 / 4 * pearson - 1).square().sum())


@torch.no_grad()
def test_tokens_are_alike_or_weighed(score, pairs):
    sides = score.matches(*pairs)
    alike = (
        sum(cross_correlation(own, best, torch.full((len(own),), 1 / len(own))) for own, best, _ in sides) / 2
    )
    weighed = sum(cross_correlation(own, best, weight / 4) for own, best, weight in sides) / 2
    for form, correlation in (("tokens", alike), ("weighed-tokens", weighed)):
        recipe = TrainConfig(decorrelation=0.3, decorrelation_off_diagonal=0.1, decorrelated=form)
        torch.testing.assert_close(
            channel_decorrelation(score, *pairs, recipe), redundancy(correlation, 0.3, 0.1)
        )
    assert channel_decorrelation(score, *pairs, TrainConfig()) == 0


@pytest.mark.parametrize(
    ("train", "similarity", "message"),
    [
        ({"decorrelated": "channels"}, "cosine", "train.decorrelated is 'channels'; it can be embeddings"),
        ({"decorrelated": "tokens"}, "cosine", "needs the similarity token_interaction, not cosine"),
        ({"decorrelation_off_diagonal": 0.1}, "token_interaction", "compares a channel with itself only"),
        ({"decorrelation": 0.1}, "linear_classifier", "compares videos with texts, and .* reads none"),
    ],
)
def test_settings_that_do_not_go_together_are_named(train, similarity, message):
    options = {"classes": 3} if similarity == "linear_classifier" else {}
    model = ModelConfig(similarity=similarity, similarity_options=options)
    experiment = replace(tiny("retrieval", **train), model=model)
    with pytest.raises(ValueError, match=message):
        check(experiment)


def test_added_settings_leave_the_hash_of_older_rows():
    assert tiny("retrieval").hash == tiny("retrieval", decorrelated="embeddings", loss="cross-entropy").hash
    assert tiny("retrieval").hash != tiny("retrieval", loss="contrastive-mean").hash
