"""Runs grouped by columns: means, sd and bands over runs, and every line's difference from a pinned baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stan import results
from stan.config import ModelConfig
from stan.results import grouping
from tests.support.written_runs import EXPERIMENT, QUERIES, done

RATE = "train.lr"


def write(root: Path, row: str, share: float, seed: int, lr: float = 1e-3, **changes) -> np.ndarray:
    """Write a run that answers about this share right, and return what it answered right."""
    places = np.where(np.random.default_rng([seed, int(100 * share)]).random(QUERIES) < share, 1.0, 7.0)
    wanted = replace(EXPERIMENT, row=row, seed=seed, train=replace(EXPERIMENT.train, lr=lr))
    done(root, replace(wanted, model=ModelConfig(options={"row": row}), **changes), places)
    return places == 1


@pytest.fixture
def right(runs_root) -> dict[tuple[str, float], np.ndarray]:
    """What two rows at two rates answered right with two seeds, as (seeds, queries), by row and rate."""
    return {
        (row, lr): np.stack([write(runs_root, row, share + 100 * lr, seed, lr) for seed in (0, 1)])
        for row, share in (("baseline", 0.2), ("stan", 0.5))
        for lr in (1e-3, 2e-3)
    }


def test_groups_are_means_over_their_runs_with_the_band_of_the_summary(runs_root, right):
    table = results.load(runs_root)
    found = grouping.groups(table, ["row", RATE], "t2v.R@1", repeats=500)
    assert found["mean"].is_monotonic_decreasing
    lines = found.set_index("line")
    assert sorted(lines.index) == [f"{row} · {lr}" for row in ("baseline", "stan") for lr in (0.001, 0.002)]
    for (row, lr), answered in right.items():
        line, scores = lines.loc[f"{row} · {lr}"], 100 * answered.mean(axis=1)
        assert (line["n"], line["configs"], line["row"], line[RATE]) == (2, 1, row, lr)
        assert (line["mean"], line["sd"]) == pytest.approx((scores.mean(), scores.std(ddof=1)))
        alone = table[(table["row"] == row) & (table[RATE] == lr)]
        [same] = results.summary(alone, "t2v.R@1", repeats=500).itertuples()
        assert (line["low"], line["high"], line["reason"]) == (same.low, same.high, "")


def test_a_coarser_group_averages_over_configs(runs_root, right):
    found = grouping.groups(results.load(runs_root), ["row"], "t2v.R@1", repeats=50).set_index("line")
    every = np.concatenate([right["stan", 1e-3], right["stan", 2e-3]])
    assert (found.loc["stan", "n"], found.loc["stan", "configs"]) == (4, 2)
    assert found.loc["stan", "mean"] == pytest.approx(100 * every.mean())
    assert found.loc["stan", "low"] < found.loc["stan", "mean"] < found.loc["stan", "high"]


def test_only_done_runs_count_and_one_that_is_there_twice_counts_once(runs_root, tmp_path):
    write(runs_root, "stan", 0.5, 0)
    write(tmp_path / "again", "stan", 0.5, 0)
    table = results.load([runs_root, tmp_path / "again"])
    table["shipped"] = [True, False]
    died = table.iloc[:1].assign(status="died", seed=3)
    found = grouping.groups(pd.concat([table, died]).reset_index(drop=True), ["row"], "t2v.R@1", repeats=50)
    assert found["n"].tolist() == [1] and np.isnan(found["sd"].iloc[0])
    kept = grouping.members(table, grouping.line_names(table, ["row"]), "t2v.R@1")
    assert kept["id"].tolist() == [table["id"].iloc[1]]


def test_groups_without_a_band_say_why(runs_root, right):
    table = results.load(runs_root)
    for name, band in (("validation.t2v.R@1", "no values per query"), ("seconds", "no values per query")):
        found = grouping.groups(table, ["row"], name, repeats=50)
        assert found["low"].isna().all() and found["reason"].str.contains(band).all()
    few = grouping.groups(table, ["row", RATE], "t2v.R@1", most=5, repeats=50)
    assert few["low"].notna().tolist() == [True, True, False, False]
    assert "filter" in few["reason"].iloc[2]


def test_lower_ranks_come_first_and_missing_values_are_a_group_of_their_own(runs_root, right):
    table = results.load(runs_root)
    table["model.options.row"] = table["model.options.row"].where(table["row"] == "stan", None)
    found = grouping.groups(table, ["model.options.row"], "t2v.MnR", repeats=50)
    assert found["mean"].is_monotonic_increasing and set(found["line"]) == {"stan", "none"}
    assert grouping.groups(table.iloc[:0], ["row"], "t2v.R@1").empty


def test_differences_are_paired_with_the_baseline(runs_root, right):
    table = results.load(runs_root)
    lines = grouping.line_names(table, ["row", RATE])
    found = grouping.differences(table, lines, "t2v.R@1", "baseline · 0.001", repeats=500)
    base, other = right["baseline", 1e-3], right["stan", 2e-3]
    line = found.loc["stan · 0.002"]
    gain = other.mean(axis=0) - base.mean(axis=0)
    assert (line["how"], line["reason"]) == ("paired", "")
    assert line["change"] == pytest.approx(100 * gain.mean())
    assert (line["won"], line["lost"]) == ((gain > 0).sum(), (gain < 0).sum())
    sides = [table[lines == name] for name in ("baseline · 0.001", "stan · 0.002")]
    same = results.change_between(*sides, "t2v.R@1", repeats=500)
    assert (line["low"], line["high"]) == (same.low, same.high)
    assert found.loc["baseline · 0.001", ["change", "how"]].tolist() == [0.0, "the baseline"]
    assert np.isnan(found.loc["baseline · 0.001", "low"])


def test_differences_without_common_queries_are_plain_and_beyond_the_first_runs_too(runs_root, right):
    table = results.load(runs_root)
    lines = grouping.line_names(table, ["row", RATE])
    found = grouping.differences(table, lines, "validation.t2v.R@1", "baseline · 0.001", repeats=50)
    mean = table["validation.t2v.R@1"].groupby(lines).mean()
    assert found.loc["stan · 0.001", "change"] == pytest.approx(
        mean["stan · 0.001"] - mean["baseline · 0.001"]
    )
    assert found.loc["stan · 0.001", "how"] == "plain"
    assert "no values per query" in found.loc["stan · 0.001", "reason"] and found["low"].isna().all()
    few = grouping.differences(table, lines, "t2v.R@1", "baseline · 0.001", most=5, repeats=50)
    assert (few["how"] == "plain").sum() == 1 and few["change"].notna().all()
    assert few.loc[few["how"] == "plain", "reason"].str.contains("5 runs are paired").all()


def test_another_protocol_is_refused_until_it_is_allowed(runs_root, right):
    write(runs_root, "stan+testing", 0.6, 0, test_time=("dsl",))
    table = results.load(runs_root)
    lines = grouping.line_names(table, ["row"])
    refused = grouping.differences(table, lines, "t2v.R@1", "baseline", repeats=50).loc["stan+testing"]
    assert (refused["how"], refused["reason"]) == ("not compared", "test_time none against dsl")
    assert np.isnan(refused["change"])
    allowed = grouping.differences(table, lines, "t2v.R@1", "baseline", allow=True, repeats=50)
    assert allowed.loc["stan+testing", "how"] == "paired"
    everything = lines.where(lines == "stan", "others")
    mixed = grouping.differences(table, everything, "t2v.R@1", "others", repeats=50).loc["stan"]
    assert mixed["reason"] == "the baseline's runs are of several protocols"
    turned = grouping.differences(table, everything, "t2v.R@1", "stan", repeats=50).loc["others"]
    assert turned["reason"] == "its runs are of several protocols"


def test_a_baseline_without_a_done_run_is_an_error(runs_root, right):
    table = results.load(runs_root)
    with pytest.raises(ValueError, match="the baseline gone has no done run with t2v.R@1 here"):
        grouping.differences(table, table["id"], "t2v.R@1", "gone")


def test_a_column_that_groups_have_themselves_is_refused(runs_root, right):
    with pytest.raises(ValueError, match="can't be grouped by reason"):
        grouping.groups(results.load(runs_root), ["row", "reason"], "t2v.R@1")
