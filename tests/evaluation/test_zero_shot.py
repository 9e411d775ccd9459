"""Labels are weighed as their vectors say: ensembles, none of these, labels too alike, and a strip over time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from stan.config import ModelConfig
from stan.data import label_sets, prompts
from stan.data.video import decoding as video_files
from stan.evaluation import zero_shot
from stan.evaluation.zero_shot import (
    EmbeddedVideo,
    class_vectors,
    distinct,
    none_of_these,
    recognise,
    too_alike,
)
from stan.models.dual_encoder import DualEncoder, build
from tests.support.small_clips import write_clip

WIDTH = 8


@pytest.fixture(scope="module")
def model() -> DualEncoder:
    torch.manual_seed(0)
    return build(ModelConfig(pretrained="random"), frames=4).eval()


@pytest.fixture
def axes(model, monkeypatch):
    """axes(names, bank=...): each sentence is an axis of its own, in the order in which they are given."""

    def given(names: list[str], bank: tuple[str, ...] = ("elsewhere",)) -> DualEncoder:
        places = {sentence: i for i, sentence in enumerate([*names, *bank])}
        monkeypatch.setattr(zero_shot, "unrelated", lambda: bank)
        monkeypatch.setattr(zero_shot, "_VECTORS", {})
        monkeypatch.setattr(
            zero_shot,
            "class_vectors",
            lambda model, names, templates: torch.eye(WIDTH)[[places[name] for name in names]],
        )
        return model

    return given


def seen(video: list[float], frames: list[list[float]] | None = None) -> EmbeddedVideo:
    padded = F.pad(torch.tensor([video, *(frames or [video])]), (0, WIDTH - len(video)))
    return EmbeddedVideo("clip", "clip.mp4", padded[0], padded[1:], np.arange(len(padded) - 1) + 0.5)


def test_probabilities_are_the_softmax_over_all_labels(axes, monkeypatch):
    model = axes(["a", "b", "c"])
    monkeypatch.setattr(model, "temperature", 0.5)
    found = recognise(model, seen([0.1, 0.6, 0.3]), ["a", "b", "c"], top=2)
    total = math.exp(0.2) + math.exp(1.2) + math.exp(0.6)
    assert [item["label"] for item in found["labels"]] == ["b", "c"]
    assert [item["probability"] for item in found["labels"]] == pytest.approx(
        [math.exp(1.2) / total, math.exp(0.6) / total]
    )
    assert [item["score"] for item in found["labels"]] == pytest.approx([0.6, 0.3])
    assert found["calibrated"] and found["temperature"] == 0.5 and found["video"] == "clip"


def test_without_a_fitted_temperature_probabilities_only_compare(axes):
    model = axes(["a", "b"])
    found = recognise(model, seen([0.1, 0.0]), ["a", "b"])
    assert not found["calibrated"]
    assert found["temperature"] == pytest.approx(1 / model.logit_scale.exp().item())


def test_a_model_that_judges_pairs_says_how_well_a_label_fits_by_itself(axes, monkeypatch):
    model = axes(["a", "b"])
    assert "match" not in recognise(model, seen([0.5, 0.1]), ["a", "b"])["labels"][0]
    monkeypatch.setattr(model.clip, "logit_bias", torch.nn.Parameter(torch.tensor(-2.0)))
    monkeypatch.setattr(model, "judges_pairs", True)
    labels = recognise(model, seen([0.5, 0.1]), ["a", "b"])["labels"]
    scale = model.logit_scale.exp().item()
    expected = [1 / (1 + math.exp(2 - scale * score)) for score in (0.5, 0.1)]
    assert [label["match"] for label in labels] == pytest.approx(expected)


def test_the_strip_tells_the_best_label_of_each_moment(axes, monkeypatch):
    model = axes(["a", "b", "c"])
    monkeypatch.setattr(model, "temperature", 1.0)
    found = recognise(
        model, seen([0.5, 0.4, 0], [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]), ["a", "b", "c"], top=2
    )
    strip = found["over_time"]
    assert (strip["of"], strip["times"], strip["labels"]) == ("frames", [0.5, 1.5, 2.5], ["a", "b"])
    assert strip["best"] == ["a", "b", "c"]
    high, low = math.e / (math.e + 2), 1 / (math.e + 2)
    np.testing.assert_allclose(strip["probabilities"], [[high, low], [low, high], [low, low]], rtol=1e-6)


def test_no_label_fits_where_unrelated_sentences_score_more(axes, monkeypatch):
    model = axes(["a", "b"], bank=("elsewhere", "nowhere"))
    monkeypatch.setattr(model, "temperature", 0.1)
    right = recognise(model, seen([0.9, 0.1, 0.3, 0.2]), ["a", "b"])["none"]
    wrong = recognise(model, seen([0.1, 0.1, 0.9, 0.2]), ["a", "b"])["none"]
    assert (right["rejected"], wrong["rejected"], right["bank"]) == (False, True, 2)
    labels, bank = math.exp(1) + math.exp(1), math.exp(9) + math.exp(2)
    assert wrong["probability"] == pytest.approx(bank / (bank + labels), rel=1e-5)


def test_a_label_is_no_evidence_against_itself(axes):
    model = axes(["a"], bank=("elsewhere", "nowhere"))
    assert recognise(model, seen([0.0, 0.9, 0.1]), ["elsewhere"])["none"]["bank"] == 1
    assert not recognise(model, seen([0.0, 0.9, 0.1]), ["elsewhere"])["none"]["rejected"]
    assert recognise(model, seen([0.0, 0.9, 0.1]), ["a"])["none"]["rejected"]


def test_a_larger_bank_or_more_labels_of_the_same_kind_change_nothing():
    scores, bank = torch.tensor([0.3, 0.1]), torch.tensor([0.2, 0.2, 0.0])
    once = none_of_these(scores, bank, 0.05)
    assert none_of_these(scores, bank.repeat(50), 0.05) == pytest.approx(once)
    assert none_of_these(scores.repeat(7), bank, 0.05) == pytest.approx(once)
    assert none_of_these(bank, bank, 0.05) == pytest.approx(0.5)


def test_labels_too_alike_are_those_without_odds():
    def at(cosine: float) -> list:
        vectors = torch.tensor([[1.0, 0.0], [cosine, math.sqrt(1 - cosine**2)], [-1.0, 0.0]])
        return too_alike(["a", "b", "c"], vectors, temperature=0.1)

    edge = 1 - 0.1 * math.log(zero_shot.ALIKE_ODDS)
    assert at(edge - 0.001) == []
    ((a, b, cosine),) = at(edge + 0.001)
    assert (a, b) == ("a", "b") and cosine == pytest.approx(edge + 0.001)


def test_each_pair_is_told_once_at_a_temperature_that_tells_nothing_apart():
    pairs = too_alike(["a", "b"], torch.tensor([[1.0, 0.0], [0.6, 0.8]]), temperature=1.0)
    assert pairs == [["a", "b", pytest.approx(0.6)]]


def test_equal_labels_are_one_and_said_to_be():
    names, repeated = distinct(["A  dog ", "", "cat", "a dog", " ", "cat"])
    assert names == ["A dog", "cat"]
    assert repeated == [["A dog", "a dog", 1.0], ["cat", "cat", 1.0]]


def test_labels_given_twice_are_among_the_alike(axes):
    found = recognise(axes(["a", "b"]), seen([0.1, 0.0]), ["a", "b", "A"])
    assert found["alike"] == [["a", "A", 1.0]] and len(found["labels"]) == 2


def test_a_class_vector_is_the_mean_of_its_sentences(model):
    sentences = ["a video of {}", "{} is seen"]
    found = class_vectors(model, ["a dog", "a cat"], sentences)
    with torch.no_grad():
        each = model.encode_text(["a video of a cat", "a cat is seen"]).text
    expected = F.normalize(F.normalize(each, dim=-1).mean(0), dim=-1)
    torch.testing.assert_close(found[1], expected, atol=1e-5, rtol=0)
    assert class_vectors(model, ["a dog", "a cat"], sentences) is found  # not embedded twice


def test_few_sets_of_vectors_are_kept(model, monkeypatch):
    monkeypatch.setattr(zero_shot, "VECTORS_KEPT", 2)
    first = class_vectors(model, ["one"])
    for name in ("two", "three"):
        class_vectors(model, [name])
    again = class_vectors(model, ["one"])
    assert again is not first and torch.equal(again, first)


def test_an_ensemble_takes_as_many_fewer_sentences_of_the_bank(model, monkeypatch):
    monkeypatch.setattr(zero_shot, "unrelated", lambda: tuple(f"sentence {i}" for i in range(10)))
    video = EmbeddedVideo(
        "clip", "", torch.ones(model.clip.embed_dim), torch.ones(1, model.clip.embed_dim), np.ones(1)
    )
    assert recognise(model, video, ["a"])["none"]["bank"] == 10
    assert recognise(model, video, ["a"], templates=["{}", "a {}", "the {}"])["none"]["bank"] == 4


def test_a_file_is_seen_whole_and_in_pieces(model, monkeypatch, tmp_path):
    monkeypatch.setattr(zero_shot, "unrelated", lambda: ("a still picture",))
    clip = write_clip(tmp_path / "red.mp4", frames=12, rate=6)
    whole = recognise(model, clip, ["red", "green"])
    parts = recognise(model, clip, ["red", "green"], pieces=3)
    assert whole["labels"] == parts["labels"] and whole["over_time"]["of"] == "frames"
    assert len(whole["over_time"]["times"]) == 4
    assert parts["over_time"]["of"] == "pieces"
    np.testing.assert_allclose(parts["over_time"]["times"], [0.25, 0.917, 1.583], atol=0.1)
    pixels, _ = model.decode(clip, 12)
    with torch.no_grad():
        middle = F.normalize(model.encode_video(pixels[None, 4:8]).video[0], dim=-1)
    expected = (class_vectors(model, ["red", "green"]) @ middle * model.logit_scale.exp()).softmax(0)
    got = dict(zip(parts["over_time"]["labels"], parts["over_time"]["probabilities"][1], strict=True))
    assert [got["red"], got["green"]] == pytest.approx(expected.tolist(), abs=1e-4)


def test_what_cannot_be_recognised_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="one per line"):
        recognise(model, tmp_path / "none.mp4", ["", " "])
    with pytest.raises(video_files.VideoError, match="no such file"):
        recognise(model, tmp_path / "none.mp4", ["a"])


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ("dog", {}, "labels is 'dog'; it must be a list of texts"),
        ([None], {}, r"labels is \[None\]; it must be a list of texts"),
        (5, {}, "labels is 5; it must be a list of texts"),
        (["a"], {"templates": "a video of {}"}, "templates is 'a video of {}'; it must be a list of texts"),
        (["a"], {"templates": ["a video"]}, "templates:1: 'a video' has 0 places for a name"),
        (["a"], {"templates": []}, "templates holds no template"),
        (["a"], {"top": 0}, "top is 0; it must be a whole number of at least 1"),
        (["a"], {"top": -1}, "top is -1"),
        (["a"], {"pieces": 0}, "pieces is 0; it must be a whole number of at least 1"),
        (["a"], {"pieces": 1.5}, "pieces is 1.5"),
    ],
)
def test_labels_templates_and_counts_of_another_kind_are_refused(model, labels, options, message):
    with pytest.raises(ValueError, match=message):
        recognise(model, seen([1.0] * WIDTH), labels, **options)


@pytest.mark.parametrize("similarity", ["mug_simple", "token_interaction", "video_prompts"])
def test_other_similarities_score_the_sentences_themselves(tmp_path, similarity):
    torch.manual_seed(0)
    model = build(ModelConfig(pretrained="random", similarity=similarity), frames=4).eval()
    clip = write_clip(tmp_path / "red.mp4", frames=12, rate=6)
    sentences = [f"{place} {name}" for name in ("red", "green") for place in ("a", "the")]
    found = recognise(model, clip, ["red", "green"], templates=["a {}", "the {}"], pieces=2)
    with torch.no_grad():
        scores = model.similarity(model.encode_text(sentences), model.encode_video(clip))[:, 0]
    expected = scores.unflatten(0, (2, 2)).mean(1)
    got = {one["label"]: one["score"] for one in found["labels"]}
    assert [got["red"], got["green"]] == pytest.approx(expected.tolist(), abs=1e-5)
    assert found["alike"] == [] and found["none"]["bank"] > 0
    assert len(found["over_time"]["probabilities"]) == 2


def test_a_classifier_names_its_own_classes(tmp_path):
    torch.manual_seed(0)
    options = {"classes": 3}
    config = ModelConfig(pretrained="random", similarity="linear_classifier", similarity_options=options)
    model = build(config, frames=4).eval()
    clip = write_clip(tmp_path / "red.mp4", frames=12, rate=6)
    found = recognise(model, clip, ["a", "b", "c"], top=3)
    with torch.no_grad():
        expected = model.score.fc(model.encode_video(clip).video)[0].softmax(0)
    got = {one["label"]: one["probability"] for one in found["labels"]}
    assert [got[name] for name in "abc"] == pytest.approx(expected.tolist(), abs=1e-5)
    assert found["none"] is None and len(found["over_time"]["best"]) == 4
    with pytest.raises(ValueError, match="2 names for a classifier of 3 classes: give one name per class"):
        recognise(model, clip, ["a", "b"])


def test_templates_are_read_line_by_line(tmp_path):
    file = tmp_path / "templates.txt"
    file.write_text("a video of {}\n\n  {}, seen {from} afar \n")
    found = prompts.read(file)
    assert found == ("a video of {}", "{}, seen {from} afar")
    assert prompts.fill(found[1], "a {dog}") == "a {dog}, seen {from} afar"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a video of {}\na video\n", r"templates.txt:2: 'a video' has 0 places"),
        ("{} and {}", r"templates.txt:1: '{} and {}' has 2 places"),
        ("\n \n", "holds no template"),
    ],
)
def test_a_template_without_its_place_is_named(tmp_path, text, says):
    file = tmp_path / "templates.txt"
    file.write_text(text)
    with pytest.raises(ValueError, match=says):
        prompts.read(file)


def test_the_label_sets_are_complete():
    counts = {name: len(set(label_sets.named(name))) for name in label_sets.LABEL_SETS}
    assert counts == {"kinetics-400": 400, "something-something-v2": 174, "motions": 19}
    assert "playing guitar" in label_sets.named("kinetics-400")
    with pytest.raises(ValueError, match="there are kinetics-400, something-something-v2, motions"):
        label_sets.named("ucf-101")


def test_the_bank_is_always_the_same_and_holds_no_sentence_twice():
    bank = label_sets.unrelated()
    assert bank == label_sets.unrelated() and len(bank) == len(set(bank)) > 1000


def test_probabilities_of_an_ensemble_may_be_averaged_instead_of_scores(monkeypatch):
    """One sentence of two fits exactly, the other not at all."""
    torch.manual_seed(0)
    model = build(ModelConfig(pretrained="random"), frames=4).eval()
    model.temperature = 0.5
    scores = {("a {}",): [1.0, 0.0], ("the {}",): [0.0, 0.2], ("a {}", "the {}"): [0.5, 0.1]}
    given = lambda model, names, templates, video: torch.tensor(  # noqa: E731
        [[*scores[tuple(templates)]] if len(names) == 2 else [0.0] * len(names)] * len(video.video)
    )
    monkeypatch.setattr(zero_shot, "label_scores", given)
    each = [1 / (1 + math.exp(-2.0)), 1 / (1 + math.exp(0.4))]
    for average, expected in (("scores", 1 / (1 + math.exp(-0.8))), ("probabilities", sum(each) / 2)):
        found = recognise(model, seen([1.0]), ["x", "y"], templates=["a {}", "the {}"], average=average)
        chances = {label["label"]: label["probability"] for label in found["labels"]}
        assert chances["x"] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="the average over templates is 'votes'"):
        recognise(model, seen([1.0]), ["x", "y"], average="votes")
