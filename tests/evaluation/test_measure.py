"""What a model with known embeddings scores; which tricks suit; a stored run measured again."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stan.config import DataConfig
from stan.data.datasets import VideoItem, VideoSet
from stan.data.loader import Loader
from stan.data.preprocessing import PixelSettings, Preprocessing
from stan.data.prompts import TEMPLATES
from stan.evaluation import metrics
from stan.evaluation.measure import Measured, class_scores, measure
from stan.evaluation.templates import mean_probabilities
from stan.evaluation.test_time import check_tricks, description, dual_softmax, query_bank_norm, views_of
from stan.models.similarity.cosine import Cosine
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput


class Known(nn.Module):
    """Embeds text ids and videos by looking them up: texts[id] and videos[first pixel]."""

    def __init__(self, texts: torch.Tensor, videos: torch.Tensor):
        super().__init__()
        self.texts, self.videos, self.similarity = texts, videos, Cosine(None)
        self.device = torch.device("cpu")

    def encode_text(self, ids):
        return TextOutput(self.texts[ids[:, :1]], self.texts[ids[:, 0]], torch.ones(len(ids), 1).bool())

    def encoder(self, video):
        found = self.videos[video[:, 0, 0, 0, 0].long()]
        return VideoOutput(found[:, None], found, torch.ones(len(found), 1).bool())


def known_loader(
    clips: list[VideoItem],
    classes: tuple[str, ...] = (),
    views: int = 1,
    templates: str = "plain",
    template_average: str = "scores",
) -> Loader:
    """Caption or class i has the token i; view v of clip i has the pixels i * views + v."""
    texts = [c for clip in clips for c in clip.captions]
    texts = texts or [t.format(name) for t in TEMPLATES[templates] for name in classes]
    tokens = {text: i for i, text in enumerate(texts)}
    reads = Preprocessing(
        PixelSettings(size=1), lambda names, words: torch.tensor([[tokens[n]] for n in names])
    )
    task = "recognition" if classes else "retrieval"
    loader = Loader(
        VideoSet("known", "test", task, tuple(clips), classes),
        reads,
        DataConfig(templates=templates, template_average=template_average),
        views=views,
    )
    loader._video = lambda i, rng=None: (
        torch.arange(i * views, (i + 1) * views)[:, None, None, None, None] * torch.ones(1)
    )
    return loader


def retrieval_clips() -> list[VideoItem]:
    """Two twins, one of unseen concepts; a third clip with two captions."""
    return [
        VideoItem("a", Path("a"), ("left",), seen=True, twin="b", kind="moves"),
        VideoItem("b", Path("b"), ("right",), seen=False, twin="a", kind="moves"),
        VideoItem("c", Path("c"), ("one", "two"), seen=True),
    ]


def test_a_perfect_model_is_perfect_everywhere():
    texts = F.one_hot(torch.tensor([0, 1, 2, 2])).float()
    found = measure(Known(texts, torch.eye(3)), known_loader(retrieval_clips()))
    assert found.metrics["t2v"]["R@1"] == found.metrics["v2t"]["R@1"] == 100
    assert (found.metrics["t2v"]["N"], found.metrics["v2t"]["N"]) == (4, 3)
    assert (found.metrics["seen"]["t2v"]["N"], found.metrics["unseen"]["t2v"]["N"]) == (3, 1)
    assert found.metrics["order"] == {"accuracy": 100.0, "N": 2}
    assert found.arrays["query_ids"].tolist() == ["a", "b", "c#0", "c#1"]
    assert found.arrays["seen"].tolist() == [True, False, True, True]
    assert found.arrays["captions"].tolist() == ["left", "right", "one", "two"]
    assert found.arrays["owner"].tolist() == [0, 1, 2, 2]
    assert found.arrays["answers"][:, 0].tolist() == [0, 1, 2, 2]
    assert found.arrays["order_kinds"].tolist() == ["moves", "moves"]
    assert found.headline("retrieval") == 100


def test_a_model_blind_to_order_is_right_on_half():
    texts = F.one_hot(torch.tensor([0, 1, 2, 2])).float()
    same = torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]])
    found = measure(Known(texts, same), known_loader(retrieval_clips()))
    assert found.metrics["order"]["accuracy"] == 50
    assert found.arrays["t2v"].tolist() == [1.5, 1.5, 1, 1]


def test_recognition_ranks_classes_and_tells_twins_apart():
    clips = [
        VideoItem("a", Path("a"), label=0, seen=True, twin="b"),
        VideoItem("b", Path("b"), label=1, seen=False, twin="a"),
        VideoItem("c", Path("c"), label=1, seen=True, twin="elsewhere"),
    ]
    videos = torch.tensor([[1.0, 0.5, 0], [1, 0.5, 0], [0, 1, 0]])
    found = measure(Known(torch.eye(3), videos), known_loader(clips, ("up", "down", "still")))
    assert found.arrays["ranks"].tolist() == [1, 2, 1]
    assert found.arrays["classes"].tolist() == ["up", "down", "still"]
    assert found.arrays["labels"].tolist() == [0, 1, 1]
    assert found.arrays["answers"].tolist() == [[0, 1, 2], [0, 1, 2], [1, 0, 2]]
    assert found.metrics["top-1"] == pytest.approx(200 / 3)
    assert (found.metrics["seen"]["top-1"], found.metrics["unseen"]["top-1"]) == (100, 0)
    assert found.metrics["order"] == {"accuracy": 50.0, "N": 2}
    assert found.metrics["seen"]["order"] == {"accuracy": 100.0, "N": 1}
    assert found.metrics["unseen"]["order"] == {"accuracy": 0.0, "N": 1}
    assert found.arrays["order_seen"].tolist() == [True, False]


def test_views_are_averaged_before_ranking():
    clips = [VideoItem("a", Path("a"), label=0)]
    views = torch.tensor([[0.0, 1], [1, 0.1], [1, 0.1]])  # one of three is wrong
    classes = ("up", "down")
    with_views = measure(Known(torch.eye(2), views), known_loader(clips, classes, views=3), ("views-1x3",))
    assert with_views.metrics["top-1"] == 100
    assert measure(Known(torch.eye(2), views), known_loader(clips, classes)).metrics["top-1"] == 0
    assert "seen" not in with_views.metrics and "order" not in with_views.metrics


def test_templates_are_averaged_before_ranking(monkeypatch):
    monkeypatch.setitem(TEMPLATES, "two", ("{}", "a {}"))
    texts = torch.tensor([[0.0, 1], [1, 0.1], [1, 0], [0, 1]])  # up, down, a up, a down
    clips = [VideoItem("a", Path("a"), label=0)]
    loader = known_loader(clips, ("up", "down"), templates="two")
    scores = F.normalize(texts, dim=1) @ F.normalize(torch.tensor([1.0, 0.2]), dim=0)
    found = measure(Known(texts, torch.tensor([[1.0, 0.2]])), loader)
    assert (scores[::2].mean() > scores[1::2].mean()).item() == (found.metrics["top-1"] == 100)
    assert found.metrics["top-1"] == 0 and scores[2] > scores[3]  # the second template alone is right


def test_probabilities_of_templates_may_be_averaged(monkeypatch):
    """Two templates each prefer "up" a little, the third "down" by far: the mean score is down's, the vote is up's."""
    monkeypatch.setitem(TEMPLATES, "three", ("{}", "a {}", "the {}"))
    texts = F.normalize(torch.tensor([[1, 1.0], [1, 1.2], [1, 1.0], [1, 1.2], [0, 1.0], [1, 0.0]]), dim=1)
    clips, video = [VideoItem("a", Path("a"), label=0)], torch.tensor([[1.0, 0.0]])
    for over, right in (("scores", 0), ("probabilities", 100)):
        loader = known_loader(clips, ("up", "down"), templates="three", template_average=over)
        assert measure(Known(texts, video), loader).metrics["top-1"] == right
        found, _ = class_scores(Known(texts, video), loader)  # calibration fits the temperature of scores
        torch.testing.assert_close(found[0].float(), (texts @ video[0]).reshape(3, 2).mean(0))
    scores = torch.tensor([[[0.02], [0.01]], [[0.0], [0.03]]])
    by_hand = [(1 / (1 + math.exp(-x))) for x in (1.0, -3.0)]
    assert mean_probabilities(scores)[0].item() == pytest.approx(sum(by_hand) / 2, rel=1e-5)
    with pytest.raises(
        ValueError, match="the average over templates is 'ranks'; it can be scores, probabilities"
    ):
        known_loader(clips, ("up", "down"), template_average="ranks")


def test_dual_softmax_is_used_in_both_directions():
    hub = torch.tensor([[0.30, 0.32, 0.1], [0.1, 0.50, 0.1], [0.1, 0.40, 0.38], [0.1, 0.40, 0.38]])
    model = Known(F.normalize(hub, dim=1), torch.eye(3))
    plain = measure(model, known_loader(retrieval_clips()))
    dual = measure(model, known_loader(retrieval_clips()), ("dsl",))
    assert dual.metrics["t2v"]["R@1"] > plain.metrics["t2v"]["R@1"]
    both = dual_softmax(F.normalize(hub, dim=1).double().numpy())
    for direction, expected in enumerate(("t2v", "v2t")):
        ranks = metrics.retrieval_ranks(both[direction], np.array([0, 1, 2, 2]))[direction]
        assert dual.arrays[expected].tolist() == ranks.tolist()


def test_query_bank_norm_has_training_captions_and_training_videos_as_banks():
    hub = F.normalize(torch.tensor([[0.30, 0.32, 0.1], [0.1, 0.50, 0.1], [0.1, 0.40, 0.38]] * 2), dim=1)
    model = Known(hub, torch.eye(3))
    bank = known_loader(
        [VideoItem("t", Path("t"), ("left", "right", "one")), VideoItem("u", Path("u"), ("two",))]
    )
    found = measure(model, known_loader(retrieval_clips()), ("qbnorm",), bank=bank)
    scores = hub[[0, 1, 2, 3]].double().numpy()
    both = query_bank_norm(scores, scores, scores[:, :2])
    for direction, expected in enumerate(("t2v", "v2t")):
        ranks = metrics.retrieval_ranks(both[direction], np.array([0, 1, 2, 2]))[direction]
        assert found.arrays[expected].tolist() == ranks.tolist()
    assert found.arrays["t2v"].tolist() != metrics.retrieval_ranks(scores, np.array([0, 1, 2, 2]))[0].tolist()


def test_a_score_that_is_not_finite_names_its_query():
    texts = F.one_hot(torch.tensor([0, 1, 2, 2])).float()
    texts[2] = torch.nan
    with pytest.raises(ValueError, match="c#0"):
        measure(Known(texts, torch.eye(3)), known_loader(retrieval_clips()))
    with pytest.raises(ValueError, match="c#0"):
        measure(Known(texts, torch.eye(3)), known_loader(retrieval_clips()), ("dsl",))


def test_tricks_that_do_not_exist_or_suit():
    with pytest.raises(
        ValueError, match="not known; there are dsl, qbnorm, views-1x3, views-4x3, views-10x3"
    ):
        check_tricks(("magic",), "retrieval")
    with pytest.raises(ValueError, match="'dsl' is for retrieval, and this is recognition"):
        check_tricks(("dsl",), "recognition")
    with pytest.raises(ValueError, match="dsl and qbnorm exclude each other"):
        check_tricks(("dsl", "qbnorm"), "retrieval")
    with pytest.raises(ValueError, match="views-1x3 and views-4x3 exclude each other"):
        check_tricks(("views-1x3", "views-4x3"), "recognition")


def test_tricks_say_what_they_do_and_warn():
    said = description("retrieval", ("dsl",))
    assert "temperature 100" in said["tricks"][0] and "uses all test queries" in said["warnings"][0]
    said = description("retrieval", ("qbnorm",))
    assert (
        "beta 20" in said["tricks"][0]
        and "all training captions" in said["tricks"][0]
        and not said["warnings"]
    )
    assert description("recognition", ()) | {"headline": ""} == {
        "task": "recognition", "headline": "", "test_time": [], "tricks": [], "warnings": [],
    }  # fmt: skip
    assert [views_of(tricks) for tricks in ((), ("views-1x3",), ("views-10x3",))] == [1, 3, 30]


def test_measuring_leaves_the_mode_as_it_was():
    texts = F.one_hot(torch.tensor([0, 1, 2, 2])).float()
    model = Known(texts, torch.eye(3)).train()
    assert isinstance(measure(model, known_loader(retrieval_clips())), Measured) and model.training


def test_class_scores_are_of_every_clip_and_name_the_right_one():
    texts, videos = torch.eye(4), torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0.6, 0.8]])
    scores, right = class_scores(Known(texts, videos), known_loader(retrieval_clips()))
    # Of clip c, which has two captions, the first stands for its class.
    torch.testing.assert_close(scores.float(), videos[:, :3])
    assert right.tolist() == [0, 1, 2]
    labelled = [VideoItem("a", Path("a"), label=1), VideoItem("b", Path("b"), label=0)]
    scores, right = class_scores(Known(texts, videos), known_loader(labelled, ("x", "y")))
    torch.testing.assert_close(scores.float(), videos[:2, :2])
    assert right.tolist() == [1, 0]
