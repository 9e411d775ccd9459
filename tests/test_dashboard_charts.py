"""Small tables in; what the dashboard's figures, joined tables and exported files hold."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dashboard import charts, export, tables, words
from stan import experiments, published

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
    figure = charts.forest(CHANGES, "R@1")
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
    assert charts.verdict(low, high) == says


def test_names_from_folders_are_no_html_in_figures():
    hostile = CHANGES.assign(row=["<a href='https://example.org'>x</a>", "down", "open"])
    assert list(trace(charts.forest(hostile, "R@1"), "better").y)[0].startswith("&lt;a href")


def test_rows_show_every_seed_and_the_mean():
    runs = pd.DataFrame(
        {"row": ["baseline", "baseline", "up"], "seed": [0, 1, 0], "value": [29.0, 31.0, 35.0]}
    )
    figure = charts.rows(SUMMARY, runs, "R@1")
    assert list(trace(figure, "one seed").x) == [29.0, 31.0, 35.0]
    assert list(trace(figure, "mean, 95 % interval").x) == [30.0, 35.0]


def test_order_has_the_line_of_chance_within_its_range():
    figure = charts.order(SUMMARY)
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
    figure = charts.order_by_kind(table)
    heat = figure.data[0]
    assert heat.z.tolist() == [[50.0, 60.0], [100.0, 90.0]]
    assert heat.y == ("a", "b") and figure.layout.yaxis.categoryarray is None
    assert (heat.zmin, heat.zmax) == (0, 100), "so that the middle of the scale is chance"


def test_seen_unseen_has_one_mark_each():
    figure = charts.seen_unseen(pd.DataFrame({"row": ["a"], "seen": [40.0], "unseen": [20.0]}), "R@1")
    assert list(trace(figure, "seen concepts").x) == [40.0]
    assert list(trace(figure, "unseen concepts").x) == [20.0]


def test_accuracy_over_cost_leaves_out_what_prints_a_dash():
    printed = published.tables()["recognition"]
    figure = charts.accuracy_over_cost(printed)
    assert sum(len(part.x) for part in figure.data) == int(
        (printed["GFLOPs"].notna() & printed["top1"].notna()).sum()
    )
    assert figure.layout.xaxis.type == "log"


def test_printed_retrieval_rows_have_names_of_their_own():
    printed = published.tables()["retrieval"]
    msrvtt = tables.with_tricks(printed[printed["benchmark"] == "MSR-VTT"])
    assert msrvtt["method"].is_unique
    assert "A-STA-B/16 · DSL/QB-Norm" in set(msrvtt["method"])


@pytest.mark.parametrize("name", ["ablation_components", "ablation_structures", "ablation_levels"])
def test_printed_ablations_have_a_label_per_line(name):
    labelled = tables.labelled(published.tables()[name])
    assert labelled["label"].is_unique and labelled["label"].notna().all()
    figure = charts.printed_rows(labelled, "label", "msrvtt_R@1")
    assert len(figure.data[0].x) == len(labelled)


def test_learning_curve_draws_both():
    steps = pd.DataFrame({"epoch": [0.0, 0.5], "loss": [2.0, 1.0]})
    values = pd.DataFrame({"epoch": [1], "value": [30.0]})
    figure = charts.learning_curve(steps, values, "R@1")
    assert [list(part.y) for part in figure.data] == [[2.0, 1.0], [30.0]]


def test_curves_place_steps_within_their_epoch():
    log = pd.DataFrame(
        {
            "epoch": [0, 0, 0, 1, 1],
            "loss": [4.0, 3.0, np.nan, 2.0, 1.0],
            "validation.t2v.R@1": [np.nan, np.nan, 20.0, np.nan, np.nan],
        }
    )
    steps, values, metric = tables.curves(log, "")
    assert list(steps["epoch"]) == [0, 0.5, 1, 1.5]
    assert values.to_dict("list") == {"epoch": [1], "value": [20.0]}
    assert metric == "t2v.R@1"


def test_curves_of_an_empty_log_are_empty():
    steps, values, metric = tables.curves(pd.DataFrame(), "top-1")
    assert len(steps) == len(values) == 0 and metric == "top-1"


def test_the_papers_numbers_stand_in_columns_of_their_own():
    components = published.tables()["ablation_components"]
    printed = tables.printed_beside(experiments.STUDIES["components"].rows, components)
    means = pd.DataFrame({"row": ["baseline", "stan"], "order": [50.0, 90.0]})
    summary = SUMMARY.assign(row=["baseline", "stan"])
    changes = CHANGES.iloc[:1].assign(row="stan")
    table = tables.ablation(summary, changes, means, printed, ["msrvtt_R@1"]).set_index("row")
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
    assert list(tables.in_order(twice, ["a", "b"])["row"]) == ["a (111111)", "a (222222)", "b"]


def test_order_kinds_averages_over_seeds_and_counts_twins_once():
    run = {"order_kinds": np.array(["rises", "rises", "grows"]), "order_correct": np.array([1, 0, 1])}
    other = run | {"order_correct": np.array([1, 1, 0])}
    table = tables.order_kinds({"stan": [run, other]}).set_index("kind")
    assert table["accuracy"].to_dict() == {"rises": 75.0, "grows": 50.0}
    assert table["N"].to_dict() == {"rises": 2, "grows": 1}
    assert tables.order_kinds({"stan": [{"order_correct": np.array([1])}]}).empty


def test_gains_pair_queries_by_id_not_by_place():
    before = [pd.Series([0.0, 100.0], index=["x", "y"])]
    after = [pd.Series([100.0, 100.0], index=["y", "x"]), pd.Series([100.0, 0.0], index=["y", "x"])]
    table = tables.gains(before, after)
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
    assert tables.not_comparable(runs) == ["data.frames (12, 8)"]
    assert tables.not_comparable(runs.assign(**{"data.frames": 8})) == []
    assert tables.not_comparable(runs.assign(**{"data.frames": 8, "status": ["done", "died"]})) == [
        "b is not done"
    ]


def test_side_by_side_keeps_only_what_differs():
    runs = pd.DataFrame(
        {"id": ["a", "b"], "train.lr": [1e-3, 3e-4], "data.frames": [8, 8], "top-1": [50.0, np.nan]}
    )
    assert tables.side_by_side(runs).to_dict("list") == {
        "what": ["train.lr", "top-1"],
        "a": ["0.001", "50.0"],
        "b": ["0.0003", ""],
    }


def test_plain_names_are_no_markdown():
    assert words.plain("![x](https://example.org)").startswith(r"\!\[x\]\(https\:")
    assert words.plain("a\nb $x$ :red[y]") == r"a b \$x\$ \:red\[y\]"


def test_csv_reads_back_and_names_its_runs():
    content = export.csv(SUMMARY.assign(row=["=1+1", "up"]), ["s/r/h-s0"], "stan ablate\nx").decode()
    back = pd.read_csv(io.StringIO(content), comment="#")
    assert list(back["mean"]) == [30.0, 35.0]
    assert back["row"][0] == "'=1+1", "no spreadsheet computes a name"
    assert content.splitlines()[-2:] == ["# regenerate: stan ablate x", "# run: s/r/h-s0"]


def test_latex_is_booktabs_with_its_origin_in_comments():
    table = pd.DataFrame({"row": ["a_b%"], "branch": [True], "top-1": [43.25], "sd": [np.nan]})
    lines = export.latex(table, ["s/r/h-s0"], "stan ablate components").decode().splitlines()
    assert lines[:2] == ["% regenerate: stan ablate components", "% run: s/r/h-s0"]
    assert lines[2] == r"\begin{tabular}{lrrr}"
    assert r"a\_b\% & $\checkmark$ & 43.2 & -- \\" in lines
    assert [line for line in lines if "rule" in line] == [r"\toprule", r"\midrule", r"\bottomrule"]


def test_png_and_pdf_carry_run_ids_and_command():
    figure = export.forest(CHANGES.assign(row=["$x_{$", "down", "open"]), "baseline", "R@1")
    picture = Image.open(io.BytesIO(export.png(figure, ["s/r/h-s0"], "stan ablate components")))
    assert picture.info["Description"] == "regenerate: stan ablate components; runs: s/r/h-s0"
    assert picture.width > 600
    document = export.pdf(figure, ["s/r/h-s0"], "stan ablate components")
    assert document.startswith(b"%PDF") and b"s/r/h-s0" in document


@pytest.mark.parametrize(("seconds", "text"), [(4.4, "4 s"), (1234, "20 min 34 s"), (7260, "2 h 1 min")])
def test_durations(seconds, text):
    assert words.duration(seconds) == text
