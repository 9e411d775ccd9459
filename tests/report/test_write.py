"""A study's records in; the files of its report, what they hold, and whom they name."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stan import cli, experiments, report, results
from stan.config import ModelConfig, with_parts
from stan.report import figures, study_figures, write
from stan.results import frame_order, level_probes
from tests.support.made_up_runs import write_interpolation
from tests.support.written_runs import EXPERIMENT, QUERIES, done

SCORES = {"baseline": 10, "no-cross-frame": 14, "stan": 30}
"""Row -> queries of QUERIES that are found first."""
PROBED = {
    "split": "test",
    "test_time": [],
    "headline": "t2v.R@1",
    "arrangements": [
        {"arrangement": name, "frames": 8, "value": value, "value_interval": [value - 5, value + 5]}
        | {"change": value - 75.0, "interval": [value - 80, value - 70], "order": None}
        for name, value in (("as given", 75.0), ("reversed", 40.0))
    ],
}


def placed(first: int) -> np.ndarray:
    """Ranks of which the first so many are right."""
    return np.where(np.arange(QUERIES) < first, 1.0, 3.0)


@pytest.fixture
def study(runs_root) -> Path:
    for row in experiments.study("components", "retrieval"):
        if row.row in SCORES:
            done(runs_root, row, placed(SCORES[row.row]))
    return runs_root


def read_csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(path.read_text()), comment="#")


def laid_out(study: str, runs: pd.DataFrame) -> pd.DataFrame:
    return write.layout(study, write.numbers([write.SuiteTables.of("retrieval", runs)]))


@pytest.mark.slow
def test_a_report_holds_table_and_figures_with_runs_and_command(study, tmp_path):
    said = write.write("components", tmp_path / "out", study, shipped=False)
    out = tmp_path / "out"
    drawn = ("rows", "changes", "cost", "twins")  # these records don't tell seen from unseen
    figures = [f"{name}-retrieval.{kind}" for name in drawn for kind in ("png", "pdf")]
    tables = ["table.tex", "numbers.csv", "seeds-retrieval.csv", "cost-retrieval.csv"]
    assert sorted(path.name for path in out.iterdir()) == sorted(figures + tables)
    assert said["command"] == "stan report components --suite retrieval --size quick"
    ids = said["runs"]["retrieval"]
    assert len(ids) == 3
    for path in out.iterdir():
        content = path.read_bytes()
        assert b"stan report components" in content and ids[0].encode() in content, path.name
    costs = read_csv(out / "cost-retrieval.csv").set_index("row")
    assert costs.loc["baseline", "params_added"] == 0 < costs.loc["stan", "params_added"]
    assert costs.loc["baseline", "gmacs"] < costs.loc["no-cross-frame", "gmacs"] < costs.loc["stan", "gmacs"]


@pytest.mark.slow
def test_a_report_shows_the_levels_of_its_runs_backbones_where_they_were_probed(study, tmp_path):
    rows = [
        {"probe": "CLS, linear", "target": "x", "level": level, "score": score}
        for level, score in enumerate((0.5, -0.1))
    ]
    for backbone, pretrained in (("tiny", None), ("tiny", "another"), ("ViT-B-32", "openai")):
        level_probes.keep(study, {"backbone": backbone, "pretrained": pretrained, "date": "", "rows": rows})
    said = write.write("components", tmp_path / "out", study, shipped=False)
    written = [name for name in map(Path, said["files"]) if name.name.startswith("levels-")]
    assert [path.name for path in written] == ["levels-tiny.png", "levels-tiny.pdf", "levels-tiny.csv"]
    assert read_csv(written[-1]).to_dict("records") == rows
    (axes,) = study_figures.levels(pd.DataFrame(rows)).axes
    assert [text.get_text() for text in axes.texts] == ["0.50", "-0.10"]


def test_the_table_stands_as_the_paper_prints_it(study):
    found = report.study_runs("components", "retrieval", "quick", study, shipped=False)
    table = laid_out("components", found)
    assert table["", "row"].tolist() == list(SCORES)
    assert table["components", "cross"].tolist() == [False, False, True]
    own = table["retrieval, R@1"]
    assert own["own [95 %]"].iloc[0].startswith("25.0 [") and pd.isna(own["change"].iloc[0])
    assert re.fullmatch(r"\+50\.0 \[\+\d+\.\d, \+\d+\.\d\]", own["change"].iloc[2])
    assert own["printed: MSR-VTT"].tolist() == [43.1, 44.3, 46.9]


@pytest.fixture
def two_configs(study) -> pd.DataFrame:
    """The study's runs, with the row stan also trained for a single epoch; its seconds are told apart, too."""
    (stan,) = (row for row in experiments.study("components", "retrieval") if row.row == "stan")
    done(study, replace(stan, train=replace(stan.train, epochs=1)), placed(20))
    found = report.study_runs("components", "retrieval", "quick", study, shipped=False)
    return found.assign(seconds=np.where(found["train.epochs"] == 1, 60.0, 540.0))


def test_two_configs_of_a_row_are_two_lines_of_the_overview(two_configs):
    table = report.overview(two_configs, "retrieval")
    once, often = (
        f"stan ({of['hash'].iloc[0][:6]})"
        for _, of in two_configs[two_configs["row"] == "stan"].groupby("train.epochs")
    )
    assert sorted(table.index) == sorted(["baseline", "no-cross-frame", once, often])
    assert table.loc[[once, often], "t2v.R@1"].str.startswith(("50.0 [", "75.0 [")).tolist() == [True, True]
    assert table.loc[[once, often], "minutes"].tolist() == [1.0, 9.0]
    assert table.loc[[once, often], "paper"].tolist() == [46.9, 46.9]


def test_two_configs_of_a_row_are_two_lines_of_the_report(two_configs):
    table = laid_out("components", two_configs)
    assert table["", "row"].str.fullmatch(r"stan \([0-9a-f]{6}\)").tolist() == [False, False, True, True]
    own = table["retrieval, R@1"]
    assert sorted(text[:6] for text in own["own [95 %]"].iloc[2:]) == ["50.0 [", "75.0 ["]
    assert own["printed: MSR-VTT"].tolist() == [43.1, 44.3, 46.9, 46.9]
    assert table["components", "cross"].tolist() == [False, False, True, True]


def test_two_configs_of_a_row_have_places_of_their_own_in_figures(two_configs, monkeypatch):
    drawn = {}
    monkeypatch.setattr(figures, "ablation", lambda rows, *others: drawn.update(rows=rows, others=others))
    write._figures(write.SuiteTables.of("retrieval", two_configs))
    rows, (_, paper, seeds) = drawn["rows"], drawn["others"]
    assert rows["row"].is_unique and set(rows["row"]) == set(paper) == set(seeds["row"])
    of_seeds = seeds.set_index("row")["value"]
    assert of_seeds[rows["row"]].tolist() == rows["mean"].tolist()


def test_two_configs_of_a_row_are_two_probed_runs(two_configs):
    for path in two_configs.loc[two_configs["row"] == "stan", "path"]:
        assert frame_order.keep(path, PROBED)
    table = report.time_probes(two_configs)
    assert table["run"].nunique() == 2 and set(table["row"]) == {"stan"}


def test_a_study_of_something_else_has_no_ticks(runs_root):
    for row in experiments.study("methods", "retrieval")[:2]:
        done(runs_root, row)
    found = report.study_runs("methods", "retrieval", "quick", runs_root, shipped=False)
    assert "components" not in laid_out("methods", found).columns.get_level_values(0)


@pytest.mark.slow
def test_a_run_that_was_probed_shows_it(study, tmp_path):
    run = results.load(study).set_index("row").loc["stan"]
    assert frame_order.keep(run["path"], PROBED)
    write.write("components", tmp_path, study, shipped=False)
    table = read_csv(tmp_path / "time-retrieval.csv")
    assert table["value"].tolist() == [75.0, 40.0] and set(table["id"]) == {run["id"]}
    assert (tmp_path / "time-retrieval.png").stat().st_size > 5000


@pytest.mark.slow
def test_a_run_that_was_measured_on_its_way_back_shows_it(study, tmp_path):
    write_interpolation(Path(results.load(study).set_index("row").loc["stan"]["path"]))
    write.write("components", tmp_path, study, shipped=False)
    table = read_csv(tmp_path / "interpolation-retrieval.csv")
    assert table["on"].unique().tolist() == ["videos", "seen concepts", "unseen concepts", "stills"]
    for name in ("interpolation", "trade-off"):
        assert (tmp_path / f"{name}-retrieval.png").stat().st_size > 5000


@pytest.mark.parametrize("changed", [{"split": "val"}, {"test_time": ["dsl"]}])
def test_only_what_can_be_compared_across_runs_is_kept(study, changed):
    path = results.load(study)["path"].iloc[0]
    assert not frame_order.keep(path, PROBED | changed)
    assert results.time_probe(path) is None


@pytest.mark.parametrize(
    "text", ["", "[]", '{"headline": "top-1", "arrangements": [{"arrangement": "x"}]}', "{"]
)
def test_a_damaged_probe_is_none(tmp_path, text):
    (tmp_path / "time_probe.json").write_text(text)
    assert results.time_probe(tmp_path) is None


def test_rows_that_share_weights_share_their_seconds_and_machines_are_not_mixed(study):
    found = report.study_runs("components", "retrieval", "quick", study, shipped=False)
    found = found.assign(seconds=[10.0, 20.0, 30.0], training_hash=["a", "b", "b"])
    assert report.costs(found, "t2v.R@1")["seconds"].tolist() == [10.0, 30.0, 30.0]
    mixed = found.assign(machine=["one", "other", "other"])
    assert report.costs(mixed, "t2v.R@1")["seconds"].isna().all()


def test_every_row_and_every_probe_has_a_mark_of_its_own(study):
    found = report.study_runs("components", "retrieval", "quick", study, shipped=False)
    figure = study_figures.cost(report.costs(found, "t2v.R@1"), "R@1")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(SCORES)
    assert len(figure.axes) == 3
    probed = pd.DataFrame(
        {"run": ["a", "b"], "arrangement": "as given", "value": 50.0, "low": 40.0, "high": 60.0}
    )
    (axes,) = study_figures.time_probes(probed, "R@1").axes
    assert len({part.lines[0].get_marker() for part in axes.containers}) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "no study 'nothing'"),
        (
            ["components", "--suite", "scenes"],
            "run `stan ablate components --suite scenes --size quick` first",
        ),
        (["components", "--suite", "msrvtt"], "run `stan ablate components --data msrvtt:ROOT` first"),
        (["levels", "--size", "tiny"], "run `stan ablate levels --suite motions --size tiny` first"),
        (["components", "--size", "full"], "size full, in RUNS: there are some of size quick (--size)"),
        (["components", "--suite", "scnes"], "no suite 'scnes' of size 'quick'"),
        (["components", "--size", "tyni"], "of size 'tyni'"),
    ],
)
def test_the_command_says_what_is_missing(study, tmp_path, capsys, arguments, said):
    arguments = ["report", *arguments, "--out", str(tmp_path), "--runs", str(study), "--no-shipped"]
    assert cli.run(arguments) == 2
    assert said in capsys.readouterr().err.replace(str(study), "RUNS")


def test_a_real_set_has_a_report_whatever_the_worlds_size(tmp_path):
    runs = tmp_path / "runs"
    on_a_set = with_parts(EXPERIMENT, data={"suite": "msrvtt", "size": "full", "root": "gone"})
    for row in ("baseline", "stan"):
        done(
            runs,
            with_parts(replace(on_a_set, row=row), model={"backbone": "ViT-B-32", "options": {"row": row}}),
        )
    said = write.write("components", tmp_path / "out", runs, shipped=False)
    assert said["suites"] == ["msrvtt"] and len(said["runs"]["msrvtt"]) == 2


def test_runs_on_another_backbone_have_a_report_of_their_own(tmp_path, capsys):
    runs = tmp_path / "runs"
    for row in ("baseline", "stan"):
        done(runs, replace(EXPERIMENT, row=row, model=ModelConfig("tiny-eva", options={"row": row})))
    asked = ["report", "components", "--runs", str(runs), "--no-shipped", "--json", "--out"]
    assert cli.run([*asked, str(tmp_path / "usual")]) == 2
    assert (
        "there are some on tiny-eva (--backbone)" in capsys.readouterr().err
        and not (tmp_path / "usual").exists()
    )
    assert cli.run([*asked, str(tmp_path / "other"), "--backbone", "tiny-eva"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["row"] for row in document["rows"]] == ["baseline", "stan"]
    assert "--backbone tiny-eva" in document["command"]
    assert "--backbone tiny-eva" in (tmp_path / "other" / "numbers.csv").read_text()


@pytest.mark.slow
def test_the_command_prints_one_document(study, tmp_path, capsys):
    arguments = [
        "report",
        "components",
        "--out",
        str(tmp_path),
        "--runs",
        str(study),
        "--no-shipped",
        "--json",
    ]
    assert cli.run(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["row"] for row in document["rows"]] == list(SCORES)
    assert document["rows"][0]["change"] is None and document["rows"][2]["change"] == 50.0
    assert all(Path(name).is_file() for name in document["files"])
