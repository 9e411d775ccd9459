"""Made-up runs in; the lines of the run table, what stands in them, and what files hold of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dashboard.tables import run_lines
from stan import results
from stan.bench.fake_runs import experiment
from stan.results import grouping
from tests.support.made_up_runs import write_run


@pytest.fixture
def runs(runs_root, monkeypatch) -> pd.DataFrame:
    """Two rows with two seeds each, one of them at another rate as well, and a run that died."""
    monkeypatch.setenv("STAN_RUNS", str(runs_root))
    monkeypatch.setattr("sys.argv", ["app.py"])
    for row in ("baseline", "stan"):
        for seed in (0, 1):
            write_run(runs_root, experiment(row, seed))
    fast = experiment("stan", 0)
    write_run(runs_root, replace(fast, train=replace(fast.train, lr=0.03)))
    write_run(runs_root, experiment("branch", 0), "died")
    return results.load(runs_root)


def every(runs: pd.DataFrame) -> pd.Series:
    return pd.Series(True, runs.index)


def test_without_groups_and_baseline_the_lines_are_the_runs(runs):
    kept = runs["row"] == "stan"
    found = run_lines.lines(runs, kept, [], "t2v.R@1", None, False)
    assert found.table["line"].tolist() == runs.loc[kept, "id"].tolist() and found.changes is None
    table = run_lines.shown(found, ["seed", "t2v.R@1"])
    assert list(table) == ["id", "seed", "t2v.R@1"] and len(table) == 3
    assert found.summary["mean"].tolist() == runs.loc[kept, "t2v.R@1"].tolist()


def test_groups_stand_best_first_and_the_baseline_before_all(runs):
    found = run_lines.lines(runs, every(runs), ["row", "train.lr"], "t2v.R@1", "baseline · 0.001", False)
    assert found.table["line"].iloc[0] == "baseline · 0.001"
    assert found.table["mean"].iloc[1:].is_monotonic_decreasing
    table = run_lines.shown(found, [])
    assert list(table) == [
        *(
            "row",
            "train.lr",
            "difference",
            "difference, 95 %",
            "taken",
            "configs",
            "runs",
            "mean",
            "± sd",
            "95 %",
        )
    ]
    assert table["taken"].tolist() == ["the baseline", "paired", "paired"]
    same = grouping.groups(runs, ["row", "train.lr"], "t2v.R@1").set_index("line")
    stan = table[(table["row"] == "stan") & (table["runs"] == 2)].iloc[0]
    line = same.loc["stan · 0.001"]
    assert stan["95 %"] == f"{line['low']:.1f} to {line['high']:.1f}" and stan["mean"] == line["mean"]
    assert stan["difference"] == pytest.approx(line["mean"] - same.loc["baseline · 0.001", "mean"])
    assert stan["difference, 95 %"].startswith("+")
    assert found.paired["row"].tolist() == found.table["line"].tolist()[1:]


def test_a_baseline_stays_although_the_filter_leaves_it_out(runs):
    base = runs.loc[runs["row"] == "baseline", "id"].iloc[1]
    found = run_lines.lines(runs, runs["row"] == "stan", [], "t2v.R@1", base, False)
    assert found.table["line"].tolist() == [base, *runs.loc[runs["row"] == "stan", "id"]]
    table = run_lines.shown(found, ["seed"])
    assert table["id"].tolist() == found.table["line"].tolist()
    assert table["difference"].iloc[0] == 0 and pd.isna(table["difference, 95 %"].iloc[0])


def test_the_filter_decides_which_runs_of_a_baseline_count(runs):
    seed = runs["seed"] == 0
    found = run_lines.lines(runs, seed, ["row"], "t2v.R@1", "baseline", False)
    assert found.table.set_index("line").loc["baseline", "n"] == 1
    without = run_lines.lines(runs, seed & (runs["row"] == "stan"), ["row"], "t2v.R@1", "baseline", False)
    assert without.table.set_index("line").loc["baseline", "n"] == 2


def test_runs_that_are_not_done_have_no_difference(runs):
    base = runs.loc[runs["row"] == "baseline", "id"].iloc[0]
    found = run_lines.lines(runs, every(runs), [], "t2v.R@1", base, False)
    table = run_lines.shown(found, ["status"]).set_index("id")
    [died] = runs.loc[runs["status"] == "died", "id"]
    assert np.isnan(table.loc[died, "difference"]) and pd.isna(table.loc[died, "taken"])
    with pytest.raises(ValueError, match="no done run"):
        run_lines.lines(runs, every(runs), [], "t2v.R@1", died, False)


def test_the_cache_tells_values_and_groups_apart(runs):
    computed = runs.assign(mine=np.arange(len(runs), dtype=float))
    before = run_lines.lines(computed, every(runs), ["row"], "mine", None, False).table["mean"]
    computed["mine"] *= 2
    after = run_lines.lines(computed, every(runs), ["row"], "mine", None, False).table["mean"]
    assert after.tolist() == (2 * before).tolist()


def test_files_hold_settings_and_numbers_of_any_size_to_four_digits(runs):
    found = run_lines.lines(runs, every(runs), ["train.lr"], "seconds", None, False)
    table = run_lines.printed(found, [], [])
    assert table["train.lr"].tolist() == ["0.001", "0.03"] and table["mean"].tolist() == ["62", "62"]
    assert run_lines.reasons(found) == ["seconds has no values per query: no 'seconds' in ranks.npz"]


@pytest.mark.parametrize(
    ("name", "is_so"), [("t2v.R@1", True), ("t2v.MdR", False), ("seconds", False), ("N", False)]
)
def test_only_shares_are_in_percent(name, is_so):
    assert run_lines.in_percent(name) is is_so
