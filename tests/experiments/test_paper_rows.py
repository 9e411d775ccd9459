"""The paper's benchmark rows: each printed row of STAN is there, is told apart by its settings, and can be built."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from stan.config import from_dict, to_dict
from stan.data.datasets import SETS, task
from stan.experiments import published
from stan.experiments.paper_rows import BENCHMARKS
from stan.experiments.recipes import experiment
from stan.experiments.recipes import recipe as benchmark
from stan.models.dual_encoder import build
from stan.training.trainer import check


def test_every_printed_row_of_stan_is_there_once():
    tables = {name: published.tables()[name] for name in ("retrieval", "recognition")}
    methods = {name: set(table["method"][table["group"] == "STAN"]) for name, table in tables.items()}
    wanted = {
        (item["table"], item["benchmark"], item["row"])
        for item in published.numbers()
        if item["row"].split(",")[0] in methods.get(item["table"], ())
    }
    rows = [(b.table, b.benchmark, b.row) for b in BENCHMARKS.values() if b.settings == "paper"]
    assert len(rows) == len(set(rows)) and set(rows) == wanted


@pytest.mark.parametrize(
    ("name", "metric", "value"),
    [
        ("msrvtt-self-b32", "R@1", 46.9),
        ("msrvtt-self-b16-dsl", "R@1", 55.1),
        ("didemo-conv-b16", "R@5", 74.9),
        ("lsmdc-self-b16", "MdR", 6.0),
        ("kinetics-self-b16-16", "top-1", 84.9),
        ("something-conv-b16-8", "GFLOPs", 845),
        ("msrvtt-self-b16-released", "R@1", 50.0),
    ],
)
def test_printed_numbers_stand_with_their_row(name, metric, value):
    assert {item["metric"]: item["value"] for item in benchmark(name).printed}[metric] == value


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_row_is_a_config_that_can_be_trained_and_built(name):
    row = benchmark(name)
    assert row.name == name and row.experiment.data.suite in SETS
    assert from_dict(to_dict(row.experiment)) == row.experiment
    check(row.experiment)
    assert task(row.experiment.data.suite) == row.table
    with torch.device("meta"):
        model = build(replace(row.experiment.model, pretrained="random"), row.experiment.data.frames)
    assert model.clip.patches == (49 if "b32" in name else 196) and model.clip.layers == 12
    assert len(model.temporal.layers) == (6 if "something" in name else 4)


def test_rows_differ_in_what_they_train_or_test():
    assert len({row.experiment.hash for row in BENCHMARKS.values()}) == len(BENCHMARKS)


def test_what_the_released_code_does_otherwise():
    """Weight decay, batch, temperature, words and CLIP's rate as in its configs, a tenth of the branch's."""
    recipes = {n: b.experiment for n, b in BENCHMARKS.items() if b.settings == "released"}
    found = {
        name: (
            one.train.batch,
            one.train.lr * one.train.clip_lr_ratio,
            one.train.weight_decay,
            one.train.temperature,
        )
        for name, one in recipes.items()
    }
    assert found == {
        "msrvtt-self-b32-released": (128, pytest.approx(2e-6), 0.05, 0.01),
        "msrvtt-self-b16-released": (64, pytest.approx(2e-6), 0.05, 0.02),
        "didemo-self-b32-released": (64, pytest.approx(2e-6), 0.01, 0.05),
        "lsmdc-self-b32-released": (128, pytest.approx(1e-6), 0.2, 0.01),
    }
    assert [one.train.epochs for one in recipes.values()] == [10, 10, 20, 100]
    assert recipes["didemo-self-b32-released"].data.words == 77
    assert {one.model.options["merge"] for one in recipes.values()} == {"sum"}


def test_a_row_that_is_not_there():
    with pytest.raises(ValueError, match="no recipe 'charades'; there are msrvtt-self-b32"):
        benchmark("charades")


def test_a_row_is_trained_on_its_own_set():
    found = experiment("didemo-conv-b16", "didemo", "there", seed=2)
    assert (found.data.root, found.seed, found.hash) == (
        "there",
        2,
        benchmark("didemo-conv-b16").experiment.hash,
    )
    for suite, root in (("msrvtt", "there"), ("didemo", None)):
        with pytest.raises(ValueError, match="give --data didemo:ROOT"):
            experiment("didemo-conv-b16", suite, root)
