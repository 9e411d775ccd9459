"""Order counts for a model that reads it, not for one that doesn't, and p is a permutation test's."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stan.config import ModelConfig
from stan.explain.frame_order import permutation_test, probe
from stan.models.backbones import architecture, from_config
from stan.models.dual_encoder import DualEncoder, build
from stan.models.similarity.cosine import Cosine
from stan.models.temporal import build as build_temporal
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput
from tests.support.small_clips import write_clip

FRAMES = 6


class Rising(nn.Module):
    """Scores `rising` by how well frames rise from first to last, `falling` by the reverse, `any` by their mean."""

    def __init__(self):
        super().__init__()
        self.logit_scale, self.temperature, self.device = torch.zeros(()), None, torch.device("cpu")
        self.similarity = Cosine(None)
        self.encoder = SimpleNamespace(
            levels=lambda video: {0: video[..., :1, :1, 0]},
            picked=lambda frames, levels, indices: self._read({0: levels[0][0, indices]}),
        )

    def _read(self, levels):
        shown = levels[0].flatten(1)  # (N, T)
        slope = (shown * torch.linspace(-1, 1, shown.shape[1])).sum(1)
        video = torch.stack([slope, -slope, 10 + shown.mean(1)], 1)
        return VideoOutput(video[:, None], video, torch.ones(len(video), 1, dtype=torch.bool))

    def encode_text(self, texts):
        text = F.one_hot(torch.tensor([["rising", "falling", "any"].index(t) for t in texts]), 3).float()
        return TextOutput(text[:, None], text, torch.ones(len(text), 1, dtype=torch.bool))


@pytest.fixture
def rising() -> torch.Tensor:
    """Frames (T, 3, 1, 1) with values 0 to 5."""
    return torch.arange(FRAMES).float().reshape(FRAMES, 1, 1, 1).expand(FRAMES, 3, 1, 1)


def test_the_true_order_stands_out_for_a_model_that_reads_it(rising):
    found = probe(Rising(), rising, ["rising", "falling"], draws=199)
    up, down = found["queries"]
    assert (up["sure"], up["blind"], up["change"] > 0, down["change"] < 0) == (True, False, True, True)
    assert up["forwards"] == pytest.approx(-up["reversed"]) == pytest.approx(-down["forwards"])
    assert up["frozen"] == pytest.approx(0, abs=1e-6)
    assert up["shuffled"]["interval"][0] <= up["shuffled"]["mean"] <= up["shuffled"]["interval"][1]
    assert len(up["shuffled"]["scores"]) == found["draws"] == 199 and found["frames"] == FRAMES
    assert "Time matters" in up["says"] and "higher" in up["says"] and "lower" in down["says"]


def test_an_ordinary_order_does_not_stand_out(rising):
    (found,) = probe(Rising(), rising[[2, 0, 4, 5, 1, 3]], "rising")["queries"]
    assert not found["sure"] and not found["blind"] and "doesn't stand out" in found["says"]


def test_labels_under_each_order(rising):
    rows = {row["order"]: row for row in probe(Rising(), rising, labels=["rising", "falling"])["labels"]}
    assert list(rows) == ["forwards", "reversed", "frozen", "shuffled"]
    assert (rows["forwards"]["label"], rows["reversed"]["label"]) == ("rising", "falling")
    assert rows["forwards"]["probability"] > 0.5 and rows["forwards"]["share"] == 1
    assert 0.5 <= rows["shuffled"]["share"] < 1


def test_mean_pooling_is_blind_and_its_scores_are_those_of_the_file(tmp_path):
    torch.manual_seed(0)
    model = build(ModelConfig(pretrained="random", temporal="mean"), 4).eval()
    clip = write_clip(tmp_path / "clip.mp4")
    found = probe(model, clip, "a red square", draws=19)
    (query,) = found["queries"]
    assert query["forwards"] != pytest.approx(query["frozen"], abs=1e-4)  # other frames, not another order
    assert query["blind"] and query["p"] == 1 and not query["sure"] and "blind" in query["says"]
    with torch.no_grad():
        score = model.similarity(model.encode_text("a red square"), model.encode_video(clip))
    assert (
        query["forwards"]
        == pytest.approx(float(score), abs=1e-5)
        == pytest.approx(query["reversed"], abs=1e-5)
    )


@pytest.mark.parametrize("temporal", ["stan", "x_clip", "sequence_transformer"])
def test_scores_in_an_order_are_the_models_own(temporal):
    torch.manual_seed(0)
    model = build(ModelConfig(pretrained="random", temporal=temporal), 4).eval()
    for parameter in model.temporal.parameters():
        nn.init.normal_(parameter, std=0.2)
    frames = torch.randn(4, 3, model.clip.image_size, model.clip.image_size)
    (query,) = probe(model, frames, "a red square", draws=19)["queries"]
    with torch.no_grad():
        text = model.encode_text("a red square")
        shown = {"forwards": frames, "reversed": frames.flip(0), "frozen": frames[[1] * 4]}
        expected = {
            name: float(model.similarity(text, model.encode_video(f[None]))) for name, f in shown.items()
        }
    assert {name: query[name] for name in expected} == pytest.approx(expected, abs=2e-6)
    assert abs(expected["forwards"] - expected["reversed"]) > 1e-5


def test_p_counts_all_orders_that_lie_as_far_from_their_mean():
    assert permutation_test(10.0, np.zeros(19)) == 1 / 20
    assert permutation_test(0.0, np.array([-3.0, -2.0, 2.0, 3.0])) == 1
    assert permutation_test(3.0, np.array([-3.0, -1.0, 1.0])) == 0.5
    assert permutation_test(1.0, np.ones(5) + 1e-9) == 1


def test_the_same_seed_draws_the_same_orders(rising):
    first, again, other = (
        probe(Rising(), rising, "rising", seed=seed)["queries"][0]["shuffled"]["scores"] for seed in (0, 0, 1)
    )
    assert first == again != other


@pytest.mark.parametrize(("asked", "says"), [({}, "nothing is asked"), ({"draws": 10}, "at least 19")])
def test_what_cannot_be_told_is_refused(rising, asked, says):
    with pytest.raises(ValueError, match=says):
        probe(Rising(), rising, ["rising"] if asked else [" "], **asked)


@torch.no_grad()
def test_other_orders_are_other_tubelets():
    torch.manual_seed(0)
    config = architecture("tiny")
    clip = from_config(config | {"vision_cfg": config["vision_cfg"] | {"tubelet": 2}})
    model = DualEncoder(clip, build_temporal("mean", clip, FRAMES)).eval()
    model.encode_text = lambda texts: TextOutput(
        *(torch.ones(1, *shape, 64) for shape in ((1,), ())), torch.ones(1, 1, dtype=torch.bool)
    )
    frames = torch.randn(FRAMES, 3, 48, 48)
    (found,) = probe(model, frames, ["any"], draws=19)["queries"]
    for name, shown in {"forwards": frames, "reversed": frames.flip(0)}.items():
        expected = model.similarity(model.encode_text([]), model.encode_video(shown[None]))
        assert found[name] == pytest.approx(expected.item(), abs=1e-5)
    assert found["forwards"] != pytest.approx(found["reversed"], abs=1e-4)
