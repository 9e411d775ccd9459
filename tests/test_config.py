"""Configs: identity is what trains and tests, nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stan.config import Experiment, from_dict, to_dict, with_parts

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
