"""Small tables in; what the dashboard's figures, joined tables and exported files hold."""

from functools import cache
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pandas as pd
import pytest

from dashboard import labels
from dashboard.charts import bench_charts, run_charts, study_charts
from dashboard.tables import queries, reproduction, speed, study_tables
from demo.service.search_request import SearchRequest
from stan import experiments, report
from stan.experiments import published
from stan.report.reproduction import cells as printed_and_own

CHANGES = pd.DataFrame(
    {
        "row": ["up", "down", "open"],
        "hash": ["a" * 10, "b" * 10, "c" * 10],
        "change": [5.0, -4.0, 0.5],
        "low": [2.0, -6.0, -1.0],
        "high": [8.0, -2.0, 2.0],
        "won": [10, 1, 3],
        "lost": [2, 9, 2],
    }
)
SUMMARY = pd.DataFrame(
    {
        "row": ["baseline", "up"],
        "hash": ["0" * 10, "a" * 10],
        "n": [3, 3],
        "mean": [30.0, 35.0],
        "sd": [1.0, np.nan],
        "low": [27.0, 31.0],
        "high": [33.0, 39.0],
    }
)


def trace(figure, name: str):
    return next(part for part in figure.data if part.name == name)


def test_forest_sorts_rows_by_what_their_interval_says():
    figure = study_charts.forest(CHANGES, "R@1")
    assert list(trace(figure, "better").y) == ["up"]
    assert list(trace(figure, "worse").y) == ["down"]
    assert list(trace(figure, "undecided").y) == ["open"]
    assert list(trace(figure, "better").error_x.array) == [3.0]
    assert list(trace(figure, "better").error_x.arrayminus) == [3.0]
    assert figure.layout.yaxis.categoryarray == ("open", "down", "up"), "the first row stands on top"


@pytest.mark.parametrize(
    ("low", "high", "says"), [(0.1, 1, "better"), (-1, -0.1, "worse"), (0, 1, "undecided")]
)
def test_an_interval_that_touches_zero_decides_nothing(low, high, says):
    assert study_charts.verdict(low, high) == says


def test_growth_draws_a_line_for_whoever_was_timed_at_several_sizes():
    times = {1: 2.0, 4: 9.0, 2: 4.0}
    who = {"preset": "tiny", "precision": "fp32", "spread": 0.5}
    rows = [
        who | {"by": by, "clips": n, "median": factor * ms}
        for n, ms in times.items()
        for by, factor in (("stan", 1), ("tower", 2))
    ]
    rows += [{"name": "matrix product", "median": 1.0, "spread": 0.1, "precision": "fp32"}]
    rows += [who | {"by": "absent", "clips": 1, "median": None}]
    figure = bench_charts.growth_over_size(speed.growth({"bench": "encode", "rows": rows}), "clips")
    assert [line.name for line in figure.data] == ["tiny, stan, fp32", "tiny, tower, fp32"]
    assert list(figure.data[0].x) == [1, 2, 4] and list(figure.data[1].y) == [4, 8, 18]


def test_names_from_folders_are_no_html_in_figures():
    hostile = CHANGES.assign(row=["<a href='https://example.org'>x</a>", "down", "open"])
    assert list(trace(study_charts.forest(hostile, "R@1"), "better").y)[0].startswith("&lt;a href")


def test_a_name_in_two_lines_stands_in_two_lines():
    assert study_charts.printable(["11: above /\nagainst", 3]) == ["11: above /<br>against", "3"]


def test_rows_show_every_seed_and_the_mean():
    runs = pd.DataFrame(
        {"row": ["baseline", "baseline", "up"], "seed": [0, 1, 0], "value": [29.0, 31.0, 35.0]}
    )
    figure = study_charts.rows(SUMMARY, runs, "R@1")
    assert list(trace(figure, "one seed").x) == [29.0, 31.0, 35.0]
    assert list(trace(figure, "mean, 95 % interval").x) == [30.0, 35.0]


def test_order_has_the_line_of_chance_within_its_range():
    figure = study_charts.order(SUMMARY)
    assert figure.layout.shapes[0].x0 == 50.0
    assert figure.layout.xaxis.range[0] < 27.0


def test_order_by_kind_puts_rows_against_kinds():
    table = pd.DataFrame(
        {
            "row": ["a", "a", "b", "b"],
            "kind": ["rises", "grows"] * 2,
            "accuracy": [50.0, 60.0, 100.0, 90.0],
            "N": [8] * 4,
        }
    )
    figure = study_charts.order_by_kind(table)
    heat = figure.data[0]
    assert heat.z.tolist() == [[50.0, 60.0], [100.0, 90.0]]
    assert heat.y == ("a", "b") and figure.layout.yaxis.categoryarray is None
    assert (heat.zmin, heat.zmax) == (0, 100), "so that the middle of the scale is chance"


def test_seen_unseen_has_one_mark_each():
    figure = study_charts.seen_unseen(pd.DataFrame({"row": ["a"], "seen": [40.0], "unseen": [20.0]}), "R@1")
    assert list(trace(figure, "seen concepts").x) == [40.0]
    assert list(trace(figure, "unseen concepts").x) == [20.0]


@cache
def items_without_runs() -> list[dict]:
    return printed_and_own(pd.DataFrame(columns=["status", "suite", "path"]))


def lines_of(name: str, own: dict | None = None) -> pd.DataFrame:
    """The dashboard's lines of a printed table; own: what the first item gets of one's own."""
    items = [item for item in items_without_runs() if item["table"] == name]
    return reproduction.lines([items[0] | (own or {}), *items[1:]], published.tables()[name])


def test_accuracy_over_cost_leaves_out_what_prints_a_dash():
    lines = lines_of("recognition")
    figure = study_charts.accuracy_over_cost(lines, "top-1")
    assert sum(len(part.x) for part in figure.data) == int(
        (lines["GFLOPs"].notna() & lines["top-1"].notna()).sum()
    )
    assert figure.layout.xaxis.type == "log"


@pytest.mark.parametrize("name", list(published.SOURCES))
def test_every_printed_number_stands_once_in_the_lines(name):
    lines = lines_of(name)
    printed = [item for item in published.numbers() if item["table"] == name]
    assert lines[reproduction.metrics(lines)].notna().sum().sum() == len(printed)
    assert not lines.duplicated(["benchmark", "row"]).any()
    assert lines[[column for column in lines if column.startswith(reproduction.OWN)]].isna().all(axis=None)
    assert not any(column.startswith(reproduction.STATUS) for column in reproduction.filled(lines))


def test_lines_tell_what_print_tells():
    lines = lines_of("retrieval").set_index(["benchmark", "row"])
    told = lines.loc[("MSR-VTT", "A-STA-B/16, DSL/QB-Norm")]
    assert told[["group", "backbone", "tricks", "R@1"]].tolist() == ["STAN", "ViT-B-16", "DSL/QB-Norm", 55.1]
    assert lines.loc[("MSR-VTT", "ClipBERT"), "backbone"] == "not stated"
    components = lines_of("ablation_components").set_index(["benchmark", "row"])
    assert components.loc[("MSR-VTT", "no-cross-frame"), ["cross_frame", "branch"]].tolist() == [False, True]
    assert components.loc[("MSR-VTT", "stan+testing"), "tricks"] == "DSL or 1x3 views"


@pytest.mark.slow
def test_an_own_number_never_moves_the_printed_one():
    own = {"own": 12.3, "status": "outside the interval", "interval": [10.0, 14.0], "runs": ["s/r/h-s0"]}
    plain, with_own = lines_of("retrieval"), lines_of("retrieval", own)
    metric = published.numbers()[0]["metric"]
    assert with_own[metric].equals(plain[metric]) and with_own[f"own {metric}"].dropna().tolist() == [12.3]
    figure = study_charts.printed_and_own(with_own[with_own["benchmark"] == "MSR-VTT"], metric)
    assert list(trace(figure, "your runs").x) == [12.3]


def test_lines_are_narrowed_and_ranked():
    lines = reproduction.narrowed(lines_of("retrieval"), "MSR-VTT", {"tricks": ["none"], "backbone": []})
    assert set(lines["tricks"]) == {"none"} and set(lines["benchmark"]) == {"MSR-VTT"}
    assert reproduction.ranked(lines, "R@1")["R@1"].is_monotonic_decreasing
    assert reproduction.ranked(lines, "MdR")["MdR"].dropna().is_monotonic_increasing
    assert reproduction.ranked(lines, None) is lines


def test_curves_are_drawn_for_every_run_along_any_clock():
    steps = pd.DataFrame({"epoch": [0.0, 0.5], "step": [1, 2], "loss": [2.0, 1.0]})
    values = pd.DataFrame({"epoch": [1], "step": [2], "value": [30.0]})
    figure = run_charts.curves({"a": (steps, values), "b": (steps, values)}, "R@1", by="step", log=True)
    assert [list(part.x) for part in figure.data] == [[1, 2], [2]] * 2
    assert [list(part.y) for part in figure.data[:2]] == [[2.0, 1.0], [30.0]]
    assert figure.layout.yaxis.type == "log" and figure.layout.showlegend
    smooth = run_charts.curves({"a": (steps, values)}, "R@1", smooth=3).data[0].y
    assert 1 < smooth[1] < 1.5, "weights fall: two thirds on the last step's 1, a third on the 2 before"
    assert len(run_charts.curves({"a": (steps, values)}, "R@1", by="time").data) == 0


def test_parallel_coordinates_turn_words_into_places():
    runs = pd.DataFrame(
        {"model.temporal": ["stan", "mean", None], "train.lr": [1e-3, 3e-4, 1e-3], "top-1": [50.0, 30.0, 1.0]}
    )
    (lines,) = run_charts.parallel(runs, ["model.temporal", "top-1", "train.lr"], "top-1").data
    assert [axis.label for axis in lines.dimensions] == ["temporal", "lr", "top-1"]
    assert lines.dimensions[0].ticktext == ("mean", "none", "stan") and list(lines.dimensions[0].values) == [
        2,
        0,
        1,
    ]


def test_cost_time_and_lost_have_a_mark_each():
    table = SUMMARY.assign(gmacs=[1.0, np.nan])
    assert [part.name for part in run_charts.cost(table, "gmacs", "GMACs", "R@1").data] == ["baseline"]
    probes = pd.DataFrame(
        {"run": ["a", "b"], "arrangement": ["as given"] * 2, "value": 50.0, "low": 40.0, "high": 60.0}
    )
    drawn = run_charts.time_probe(probes, "R@1").data
    assert len({part.marker.symbol for part in drawn}) == 2
    assert {part.orientation for part in drawn} == {"h"}, "set apart across the values, never along them"
    groups = pd.DataFrame({"group": ["rise"], "queries": [4], "lost": [3], "share": [75.0], "confused": [1]})
    confused, otherwise = run_charts.lost(groups).data
    assert (list(confused.x), list(otherwise.x)) == ([25.0], [50.0]) and confused.marker.pattern.shape == "/"


def test_each_row_goes_its_way_from_the_model_as_trained():
    plane = pd.DataFrame(
        {
            "row": ["a<b", "a<b", "c", "c"],
            "n": [3, 3, 1, 1],
            "share": [0.0, 1.0, 0.0, 1.0],
            "x_set": "stills, t2v.R@1",
            "x": [15.0, 38.0, 22.0, 24.0],
            "x_low": [14.0, 36.0, np.nan, np.nan],
            "x_high": [17.0, 39.0, np.nan, np.nan],
            "y_set": "videos, t2v.R@1",
            "y": [40.0, 10.0, 60.0, 30.0],
            "y_low": [37.0, 9.0, np.nan, np.nan],
            "y_high": [41.0, 12.0, np.nan, np.nan],
        }
    )
    figure = run_charts.trade_off(plane)
    several, single = figure.data
    assert (several.name, single.name) == ("a&lt;b, n = 3", "c, n = 1")
    assert (list(several.x), list(several.y)) == ([15, 38], [40, 10])
    assert (list(several.error_x.arrayminus), list(several.error_y.array)) == ([1, 2], [1, 2])
    assert np.isnan(single.error_x.array).all() and np.isnan(single.error_y.arrayminus).all()
    assert list(several.text) == ["0%"] and list(several.customdata) == ["0%", "100%"]
    assert several.marker.symbol != single.marker.symbol
    axes = figure.layout.xaxis.title.text, figure.layout.yaxis.title.text
    assert axes == ("stills, t2v.R@1, percent", "videos, t2v.R@1, percent")


def test_lost_queries_stand_with_their_answers_and_the_demos_address():
    table = pd.DataFrame(
        {
            "query": ["a", "b", "c"],
            "text": ["a red ring & more", "x", None],
            "right": ["a", "b", "c"],
            "rank": [2.0, 1.0, 9.0],
            "lost": [True, False, True],
            "order": [None] * 3,
            "objects": [("red ring",), ("x",), None],
            "answers": [("one", "two"), ("x", "y"), ()],
        }
    )
    shown = queries.lost(table, "objects", None, "http://127.0.0.1:9002")
    assert (
        shown["query"].tolist() == ["c", "a"] and pd.isna(shown["1"].iloc[0]) and shown["1"].iloc[1] == "one"
    )
    assert shown["demo"].iloc[1] == "http://127.0.0.1:9002/?q=a%20red%20ring%20%26%20more"
    asked = dict(parse_qsl(urlsplit(shown["demo"].iloc[1]).query))
    assert SearchRequest.of(asked).q == "a red ring & more"  # what the demo reads in its address
    assert queries.lost(table, "objects", "red ring", "http://127.0.0.1:9002")["query"].tolist() == ["a"]
    assert queries.groupings(table.assign(motion=None, count=None, seen=True)) == ["objects", "right"]


def test_curves_place_steps_within_their_epoch():
    log = pd.DataFrame(
        {
            "epoch": [0, 0, 0, 1, 1],
            "loss": [4.0, 3.0, np.nan, 2.0, 1.0],
            "validation.t2v.R@1": [np.nan, np.nan, 20.0, np.nan, np.nan],
        }
    )
    steps, values, metric = study_tables.curves(log, "")
    assert list(steps["epoch"]) == [0, 0.5, 1, 1.5]
    assert values.to_dict("list") == {"epoch": [1], "value": [20.0]}
    assert metric == "t2v.R@1"


def test_an_epoch_in_progress_is_not_drawn_as_if_it_were_over():
    steps, _, _ = study_tables.curves(pd.DataFrame({"epoch": [0, 0, 0, 0, 1, 1], "loss": 1.0}), "top-1")
    assert list(steps["epoch"]) == [0, 0.25, 0.5, 0.75, 1, 1.25]


def test_curves_of_an_empty_log_are_empty():
    steps, values, metric = study_tables.curves(pd.DataFrame(), "top-1")
    assert len(steps) == len(values) == 0 and metric == "top-1"


def test_the_papers_numbers_stand_in_columns_of_their_own():
    printed = study_tables.printed_beside(
        experiments.STUDIES["components"].rows, report.components("components")
    )
    means = pd.DataFrame({"row": ["baseline", "stan"], "order": [50.0, 90.0]})
    summary = SUMMARY.assign(row=["baseline", "stan"])
    changes = CHANGES.iloc[:1].assign(row="stan")
    table = study_tables.ablation(summary, changes, means, printed, ["msrvtt_R@1"]).set_index("row")
    assert len(table) == 7, "rows that are printed but not run stay"
    assert table.loc["stan", "mean"] == 35.0 and table.loc["stan", "paper: MSR-VTT R@1"] == 46.9
    assert np.isnan(table.loc["posterior", "mean"])
    assert table.loc["stan", "change"] == "+5.0 [+2.0, +8.0]"
    assert table.loc["posterior", ["cross-frame", "intra-frame", "branch", "multi-level"]].tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_rows_with_two_configs_are_told_apart():
    twice = pd.DataFrame({"row": ["b", "a", "a"], "hash": ["0" * 10, "1" * 10, "2" * 10]})
    assert list(study_tables.in_order(twice, ["a", "b"])["row"]) == ["a (111111)", "a (222222)", "b"]


def test_order_kinds_averages_over_seeds_and_counts_twins_once():
    run = {"order_kinds": np.array(["rises", "rises", "grows"]), "order_correct": np.array([1, 0, 1])}
    other = run | {"order_correct": np.array([1, 1, 0])}
    table = study_tables.order_kinds({"stan": [run, other]}).set_index("kind")
    assert table["accuracy"].to_dict() == {"rises": 75.0, "grows": 50.0}
    assert table["N"].to_dict() == {"rises": 2, "grows": 1}
    assert study_tables.order_kinds({"stan": [{"order_correct": np.array([1])}]}).empty


def test_gains_pair_queries_by_id_not_by_place():
    before = [pd.Series([0.0, 100.0], index=["x", "y"])]
    after = [pd.Series([100.0, 100.0], index=["y", "x"]), pd.Series([100.0, 0.0], index=["y", "x"])]
    table = study_tables.gains(before, after)
    assert table.to_dict("list") == {
        "query": ["x", "y"],
        "before": [0.0, 100.0],
        "after": [50.0, 100.0],
        "gain": [50.0, 0.0],
    }


def test_runs_of_another_protocol_are_refused_with_the_reason():
    runs = pd.DataFrame(
        {"id": ["a", "b"], "status": ["done", "done"], "data.frames": [8, 12], "test_time": ["", ""]}
    )
    assert study_tables.not_comparable(runs) == ["data.frames (12, 8)"]
    assert study_tables.not_comparable(runs.assign(**{"data.frames": 8})) == []
    assert study_tables.not_comparable(runs.assign(**{"data.frames": 8, "status": ["done", "died"]})) == [
        "b is not done"
    ]


def test_side_by_side_keeps_only_what_differs():
    runs = pd.DataFrame(
        {"id": ["a", "b"], "train.lr": [1e-3, 3e-4], "data.frames": [8, 8], "top-1": [50.0, np.nan]}
    )
    assert study_tables.side_by_side(runs).to_dict("list") == {
        "what": ["train.lr", "top-1"],
        "a": ["0.001", "50.0"],
        "b": ["0.0003", ""],
    }


def test_plain_names_are_no_markdown():
    assert labels.plain("![x](https://example.org)").startswith(r"\!\[x\]\(https\:")
    assert labels.plain("a\nb $x$ :red[y]") == r"a b \$x\$ \:red\[y\]"


@pytest.mark.parametrize(("seconds", "text"), [(4.4, "4 s"), (1234, "20 min 34 s"), (7260, "2 h 1 min")])
def test_durations(seconds, text):
    assert labels.duration(seconds) == text
