"""A linear classifier: torch's own linear layer, before or after CLIP's projection, whatever the texts say."""

import pytest
import torch

from stan.models.backbones import load_clip
from stan.models.dual_encoder import DualEncoder
from stan.models.similarity import build
from stan.models.temporal import build as build_method
from stan.models.text_tower import TextOutput


@pytest.fixture(scope="module")
def clip():
    return load_clip()


def texts(count: int) -> TextOutput:
    return TextOutput(
        torch.randn(count, 2, 64), torch.randn(count, 64), torch.ones(count, 2, dtype=torch.bool)
    )


@pytest.mark.parametrize("before", [True, False])
@torch.no_grad()
def test_the_scaled_score_is_the_layers_logit(clip, before):
    torch.manual_seed(0)
    options = {"classes": 3, "before_projection": before}
    model = DualEncoder(clip, build_method("mean", clip, 4), "linear_classifier", options).eval()
    video = torch.randn(2, 4, 3, clip.image_size, clip.image_size)
    frames = model.encode_video(video).frames
    levels = model.encoder.levels(video)[clip.layers - 1][:, :, 0]
    expected = clip.visual.ln_post(levels)
    expected = expected if before else expected @ clip.visual.proj
    torch.testing.assert_close(frames, expected, atol=1e-5, rtol=0)
    logits = model.logit_scale.exp() * model.similarity(texts(3), model.encode_video(video))
    torch.testing.assert_close(logits.T, model.score.fc(expected.mean(1)), atol=1e-5, rtol=0)


def test_needs_a_name_for_each_class(clip):
    with pytest.raises(ValueError, match="linear_classifier needs the option classes"):
        build("linear_classifier", clip)
    with pytest.raises(ValueError, match="classes=0"):
        build("linear_classifier", clip, {"classes": 0})
    model = DualEncoder(clip, build_method("mean", clip, 4), "linear_classifier", {"classes": 3})
    with pytest.raises(ValueError, match="2 names for a classifier of 3 classes"):
        model.similarity(texts(2), model.encode_video(torch.zeros(1, 4, 3, clip.image_size, clip.image_size)))
