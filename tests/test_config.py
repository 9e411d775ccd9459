"""Configs: identity is what trains and tests, nothing else."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from stan.common.json_values import KINDS
from stan.config import DataConfig, Experiment, ModelConfig, TrainConfig, from_dict, to_dict, with_parts

BASE = Experiment("components", "stan")


@pytest.mark.parametrize(
    "same",
    [
        replace(BASE, study="other"),
        replace(BASE, row="other"),
        replace(BASE, seed=3),
        with_parts(BASE, data={"root": "elsewhere"}),
        with_parts(BASE, train={"chunk": 4, "checkpointing": True, "compile": True}),
        with_parts(BASE, train={"logger": "mlflow,wandb"}),
    ],
    ids=["study", "row", "seed", "root", "how computed", "logger"],
)
def test_what_is_no_part_of_the_identity(same):
    assert same.hash == BASE.hash and same.training_hash == BASE.training_hash


@pytest.mark.parametrize(
    "part", [{"data": {"frames": 4}}, {"model": {"options": {"layers": 2}}}, {"train": {"lr": 1e-4}}], ids=str
)
def test_what_changes_both_identities(part):
    changed = with_parts(BASE, **part)
    assert changed.hash != BASE.hash
    assert changed.training_hash != BASE.training_hash


def test_testing_changes_only_the_whole_identity():
    changed = replace(BASE, test_time=("dsl",))
    assert changed.hash != BASE.hash
    assert changed.training_hash == BASE.training_hash


def test_a_setting_at_its_default_leaves_the_identity_as_it_is():
    named = with_parts(BASE, train={"twins": 0.0}, data={"frames": 8})
    assert named.hash == BASE.hash == "d1a81a52cc"


def test_id_names_the_folder():
    assert replace(BASE, seed=2).id == f"components/stan/{BASE.hash}-s2"


def test_order_of_options_does_not_matter():
    one, other = ({"options": options} for options in ({"a": 1, "b": 2}, {"b": 2, "a": 1}))
    assert with_parts(BASE, model=one).hash == with_parts(BASE, model=other).hash


def test_dict_and_back():
    experiment = replace(with_parts(BASE, model={"options": {"levels": [3, 5]}}), test_time=("dsl",), seed=7)
    assert from_dict(to_dict(experiment)) == experiment


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": {"rate": 1}}, "TrainConfig has no rate"),
        ({"colour": "red"}, "Experiment has no colour"),
    ],
)
def test_unknown_keys_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        from_dict(to_dict(BASE) | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": {"batch": "abc"}}, "train.batch is 'abc'; it must be a whole number"),
        ({"train": {"epochs": 1.5}}, "train.epochs is 1.5; it must be a whole number"),
        ({"train": {"epochs": True}}, "train.epochs is True; it must be a whole number"),
        ({"train": {"warmup": float("nan")}}, "train.warmup is nan; it must be a finite number"),
        ({"train": {"learned_scale": 1}}, "train.learned_scale is 1; it must be true or false"),
        ({"train": None}, "train is None; it must be an object"),
        ({"data": {"suite": []}}, r"data.suite is \[\]; it must be text"),
        ({"data": {"root": 3}}, "data.root is 3; it must be text or null"),
        ({"model": {"options": 3}}, "model.options is 3; it must be an object"),
        ({"row": "\ud800"}, "row is .*; it must be text"),
        ({"seed": None}, "seed is None; it must be a whole number"),
        ({"test_time": ["dsl", 1]}, "test_time is .*; it must be a list of texts"),
        ({"data": {"suite": ["x" * 999]}}, r"data.suite is \['x{70,80}; it must be text"),
    ],
)
def test_values_of_another_kind_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        from_dict(to_dict(BASE) | change)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "the experiment is None; it must be an object"),
        ({"study": "s"}, "row is None; it must be text"),
        ({"row": "r"}, "study is None; it must be text"),
    ],
)
def test_what_is_no_experiment_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        from_dict(values)


def test_whole_numbers_are_numbers():
    assert from_dict({"study": "s", "row": "r", "train": {"lr": 1}}).train.lr == 1


@pytest.mark.parametrize("kind", [Experiment, DataConfig, ModelConfig, TrainConfig])
def test_every_setting_has_a_kind_that_is_checked(kind):
    """A new annotation needs its kind in `stan.common.json_values.KINDS`."""
    for field in fields(kind):
        if field.name not in ("data", "model", "train"):
            assert set(field.type.split(" | ")) <= KINDS.keys()
