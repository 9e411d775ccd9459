"""Options of methods and similarities: each has a kind that is checked, and another value is refused by name."""

from __future__ import annotations

import inspect

import pytest

from stan.common.json_values import KINDS
from stan.models.backbones import load_clip
from stan.models.similarity import SIMILARITIES
from stan.models.similarity import build as build_similarity
from stan.models.temporal import METHODS, build


@pytest.mark.parametrize("name", [*METHODS, *SIMILARITIES])
def test_every_option_has_a_kind_that_is_checked(name):
    """A new annotation needs its kind in `stan.common.json_values.KINDS`."""
    parameters = inspect.signature({**METHODS, **SIMILARITIES}[name]).parameters.values()
    options = [one for one in parameters if one.kind is one.KEYWORD_ONLY]
    assert all(set(one.annotation.split(" | ")) <= KINDS.keys() for one in options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layers": "abc"}, "stan's option layers is 'abc'; it must be a whole number"),
        ({"layers": 2.0}, "stan's option layers is 2.0; it must be a whole number"),
        ({"levels": [1, "x"]}, r"option levels is \[1, 'x'\]; it must be a list of whole numbers or null"),
        ({"drop_path": [0.1]}, r"option drop_path is \[0.1\]; it must be a finite number"),
    ],
)
def test_another_value_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        build("stan", load_clip("tiny"), 4, options)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("stan", {"layers": 99}, "layers=99: this CLIP has 6 blocks"),
        ("stan", {"dropout": 1.5}, "dropout=1.5: it must be at least 0 and below 1"),
        ("evl", {"dropout": -0.5}, "dropout=-0.5"),
        ("vtn", {"hidden": -1}, "vtn: hidden=-1: it must be at least 1"),
        ("vtn", {"hidden": 0}, "vtn: hidden=0: it must be at least 1"),
        ("vtn", {"heads": 0}, "vtn: .*heads=0: choose"),
        ("factorised_encoder", {"released": True, "heads": 0}, "factorised_encoder: .*heads=0: choose"),
        ("factorised_encoder", {"released": True, "hidden": 0}, "factorised_encoder: hidden=0"),
        ("x_clip", {"heads": 0}, "must be greater than 0, .*num_heads=0"),
        ("x_clip", {"heads": 99}, "x_clip can't be built with {'heads': 99}: .*divisible"),
        ("actionclip", {"positions": 3}, "actionclip: frames=4: there are positions=3"),
        ("actionclip", {"eps": -1.0}, "actionclip: eps=-1.0: it must be above 0"),
        ("sequence_transformer", {"eps": 0.0}, "sequence_transformer: eps=0.0: it must be above 0"),
        ("sequence_transformer", {"further": -1}, "sequence_transformer: further=-1"),
        ("temporal_difference", {"eps": -1e-12}, "temporal_difference: eps=-1e-12: it must be above 0"),
        ("tight_transformer", {"eps": -1.0}, "tight_transformer: eps=-1.0: it must be above 0"),
        ("tight_transformer", {"dropout": 1.0}, "dropout=1.0: it must be at least 0 and below 1"),
        ("text_conditioned_pooling", {"dropout": 1.0}, "dropout=1.0: it must be at least 0 and below 1"),
        ("mug_simple", {"tau": -1.0}, "mug: tau=-1.0: it can't be negative"),
        ("mug_full", {"tau": -1.0}, "mug: tau=-1.0: it can't be negative"),
        ("video_prompts", {"layers": -1}, "video_prompts: layers=-1"),
        ("video_prompts", {"heads": -1}, "heads=-1 don't divide the 64 channels"),
        ("video_prompts", {"heads": 0}, "heads=0 don't divide the 64 channels"),
        ("temporal_alignment", {"centres": -1}, "temporal_alignment: centres=-1: it must be at least 1"),
        ("temporal_alignment", {"centres": 0}, "temporal_alignment: centres=0: it must be at least 1"),
        ("temporal_alignment", {"std": -1.0}, "temporal_alignment: std=-1.0: it can't be negative"),
        ("temporal_alignment", {"eps": -1.0}, "temporal_alignment: eps=-1.0: it must be above 0"),
    ],
)
def test_a_value_out_of_range_is_refused(name, options, words):
    clip = load_clip("tiny")
    with pytest.raises(ValueError, match=words):
        build(name, clip, 4, options) if name in METHODS else build_similarity(name, clip, options)
