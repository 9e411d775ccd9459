"""Other people's tables, exports and event files in; foreign runs in the folder of runs, or one clear line, out."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from stan import cli, results
from stan.results import foreign
from stan.tracking.sending import sender
from tests.support import written_runs
from tests.support.written_runs import evaluation, logged

TABLE = """row,seed,suite,State,lr,t2v.R@1,t2v.MdR
theirs,0,msrvtt,finished,0.001,45.5,2
theirs,1,msrvtt,crashed,0.001,44.5,3
"""


def written(tmp_path: Path, text: str, name: str = "theirs.csv") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


def bring(file: Path, root: Path, *options: str) -> int:
    return cli.run(["import-runs", str(file), "--runs", str(root), *options])


def test_a_table_becomes_foreign_runs(tmp_path, runs_root, stan):
    table = written(tmp_path, TABLE)
    code, out, _ = stan("import-runs", table, "--runs", runs_root, "--study", "others", "--json")
    assert code == 0
    told = json.loads(out)
    assert [(one["seed"], one["t2v.R@1"]) for one in told] == [(0, 45.5), (1, 44.5)]
    table = results.load(runs_root)
    assert table["status"].tolist() == ["foreign", "foreign"]
    assert table["study"].tolist() == ["others", "others"]
    assert table["suite"].tolist() == ["msrvtt", "msrvtt"]
    assert table["t2v.R@1"].tolist() == [45.5, 44.5]
    assert table["foreign.lr"].tolist() == ["0.001", "0.001"]
    assert table["reason"].tolist() == ["measured elsewhere, imported from theirs.csv"] * 2
    assert results.read(table["path"][1])["run"]["state"] == "crashed"


def test_foreign_runs_are_listed_and_counted_nowhere(tmp_path, runs_root, stan):
    own = written_runs.done(runs_root)
    stan("import-runs", written(tmp_path, TABLE), "--runs", runs_root, "--study", "components")
    listed = {one["id"]: one for one in json.loads(stan("runs", "--runs", runs_root, "--json")[1])}
    assert sorted(one["status"] for one in listed.values()) == ["done", "foreign", "foreign"]
    table = results.load(runs_root)
    assert results.summary(table, "t2v.R@1", repeats=10)["row"].tolist() == ["stan"]
    assert results.changes(table, "stan", "t2v.R@1", repeats=10).empty
    theirs, ours = table[table["status"] == "foreign"], table[table["path"] == str(own)]
    with pytest.raises(ValueError, match="was measured elsewhere: it has no ranks per query to pair"):
        results.change_between(ours, theirs.iloc[:1], "t2v.R@1", allow=True)
    code, _, error = stan("compare", "stan", "theirs", "--runs", runs_root)
    assert code == 2 and "no done run 'theirs'" in error


def test_columns_with_other_names_are_told(tmp_path, runs_root):
    file = written(tmp_path, "Name,test/R1\nbest/one,45.5\n")
    assert bring(file, runs_root, "--metric", "test/R1=t2v.R@1", "--suite", "didemo") == 0
    run = results.load(runs_root).iloc[0]
    assert (run["row"], run["suite"], run["seed"], run["t2v.R@1"]) == ("best-one", "didemo", 0, 45.5)


def test_an_export_of_wandb(tmp_path, runs_root):
    lines = [
        {
            "name": "a",
            "state": "finished",
            "config": {"seed": 3, "train": {"lr": 0.1}},
            "summary": {"top-1": 61.5},
        },
        {
            "name": "b",
            "state": "running",
            "config": {"seed": 3, "train": {"lr": 0.2}},
            "summary": {"top-1": 60},
        },
    ]
    file = written(tmp_path, "".join(json.dumps(line) + "\n" for line in lines), "export.jsonl")
    assert bring(file, runs_root) == 0
    table = results.load(runs_root)
    assert table["top-1"].tolist() == [61.5, 60.0]
    assert table["seed"].tolist() == [3, 3]
    assert table["foreign.train.lr"].tolist() == [0.1, 0.2]


def test_our_own_event_files_come_back_with_the_same_numbers(tmp_path, runs_root):
    pytest.importorskip("tensorboard")
    run = logged(tmp_path / "sent")
    with sender(run, "tensorboard") as sending:
        sending.close()
    assert bring(run.parents[2], runs_root, "--suite", "retrieval") == 0
    [back] = results.run_folders(runs_root)
    found = results.read(back)
    flat = results.record.flatten(evaluation()["metrics"])
    assert found["evaluation"]["metrics"] == {name: pytest.approx(value) for name, value in flat.items()}
    assert found["row"] == f"components-stan-{run.name}-tensorboard"
    log = results.history(back)
    assert log["loss"].tolist() == [pytest.approx(1 / step) for step in range(1, 7)]
    assert log["step"].tolist() == list(range(1, 7))


FAULTS = {
    "no row": ("seed,t2v.R@1\n0,45\n", r"no column row, nor name"),
    "no metric": ("row,accuracy\na,45\n", r"no column is a metric.*there are row, accuracy"),
    "doubled column": ("row,t2v.R@1,t2v.R@1\na,45,45\n", r"csv:1: column 't2v.R@1' stands twice"),
    "short row": ("row,t2v.R@1\na,45\nb\n", r"csv:3: 1 values where the header has 2"),
    "no number": ("row,t2v.R@1\na,45\nb,high\n", r"csv:3: column t2v.R@1 is 'high', not a finite number"),
    "after a name of two lines": (
        'row,t2v.R@1\n"a\nb",45\nc,high\n',
        r"csv:4: column t2v.R@1 is 'high', not a finite number",
    ),
    "short row after a name of two lines": ('row,t2v.R@1\n"a\nb",45\nc\n', r"csv:4: 1 values where"),
    "infinite": ("row,t2v.R@1\na,inf\n", r"csv:2: column t2v.R@1 is 'inf', not a finite number"),
    "empty": ("row,t2v.R@1\na,45\nb,\n", r"csv:3: column t2v.R@1 is empty"),
    "no percentage": ("row,t2v.R@1\na,450\n", r"csv:2: column t2v.R@1 is '450', not a percentage"),
    "no seed": ("row,seed,t2v.R@1\na,1.5,45\n", r"csv:2: column seed is '1.5', not a seed"),
    "no name": ("row,t2v.R@1\n..,45\n", r"csv:2: column row is '\.\.', which names nothing"),
    "twice": ("row,t2v.R@1\na,45\na,46\n", r"csv:3 is the same run as .*csv:2"),
    "header only": ("row,t2v.R@1\n", r"holds no runs"),
}


@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_one_line_that_names_row_and_column(tmp_path, runs_root, capsys, text, message):
    assert bring(written(tmp_path, text), runs_root) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error), error
    assert list(runs_root.iterdir()) == []


JSON_FAULTS = {
    "no JSON": ('{"name": "a"\n', r"jsonl:1 is no JSON object"),
    "a list": ("[1]\n", r"jsonl:1 is no JSON object"),
    "doubled": ('{"name": "a", "summary": {"top-1": 1, "top-1": 2}}\n', r"column 'top-1' stands twice"),
    "in both": ('{"name": "a", "config": {"top-1": 1}, "summary": {"top-1": 2}}\n', r"'top-1' stands twice"),
    "text": ('{"name": "a", "summary": {"top-1": "NaN"}}\n', r"jsonl:1: column top-1 is 'NaN', not a finite"),
    "missing": (
        '{"name": "a", "summary": {"top-1": 1}}\n{"name": "b", "summary": {}}\n',
        r"jsonl:2: column top-1 is empty",
    ),
}


@pytest.mark.parametrize(("text", "message"), JSON_FAULTS.values(), ids=JSON_FAULTS.keys())
def test_a_fault_in_an_export_is_one_line(tmp_path, runs_root, capsys, text, message):
    assert bring(written(tmp_path, text, "export.jsonl"), runs_root) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(message, error), error
    assert list(runs_root.iterdir()) == []


def test_what_is_there_is_not_replaced(tmp_path, runs_root, capsys):
    file = written(tmp_path, TABLE)
    assert bring(file, runs_root) == 0
    assert bring(file, runs_root) == 2
    assert "is there already: delete" in capsys.readouterr().err


def test_if_one_run_cannot_be_moved_into_place_none_is(tmp_path, runs_root, capsys):
    file = written(tmp_path, "row,t2v.R@1\na,45\nb,46\n")
    (runs_root / "foreign").mkdir()
    (runs_root / "foreign" / "b").write_text("in the way")
    assert bring(file, runs_root) == 2
    assert list(runs_root.glob("foreign/*/*")) == []
    assert not list(runs_root.glob(".import-*"))


def test_a_folder_without_event_files_is_named(tmp_path, runs_root, capsys):
    (tmp_path / "empty").mkdir()
    assert bring(tmp_path / "empty", runs_root) == 2
    assert "holds no event files of TensorBoard" in capsys.readouterr().err


def test_a_damaged_foreign_run_is_listed_with_its_reason(tmp_path, runs_root):
    bring(written(tmp_path, TABLE), runs_root)
    one = next(results.run_folders(runs_root))
    (one / "eval.json").write_text('{"metrics": [1]}')
    found = results.read(one)
    assert found["status"] == "damaged"
    assert "no metrics" in found["reason"]


@pytest.mark.parametrize(
    ("study", "changes", "message"),
    [
        ("s", {"row": "../escaped"}, r"a\.csv:2: row is '\.\./escaped'; it must be the name of one folder"),
        ("s", {"row": "/abs"}, "row is '/abs'"),
        ("s", {"row": ""}, "row is ''"),
        ("s", {"row": ".hidden"}, "row is '.hidden'"),
        ("..", {}, r"study is '\.\.'"),
        ("a/b", {}, "study is 'a/b'"),
        ("s", {"seed": "a/../b"}, "seed is 'a/../b'; it must be a whole number from 0 on"),
        ("s", {"seed": -1}, "seed is -1"),
    ],
)
def test_a_run_lies_where_it_is_found_again_and_nowhere_else(tmp_path, study, changes, message):
    run = foreign.ForeignRun(**{"row": "a", "metrics": {"top-1": 1.0}, "where": "a.csv:2"} | changes)
    with pytest.raises(ValueError, match=message):
        foreign.write(tmp_path / "runs", study, [run], "a.csv")
    assert not list(tmp_path.iterdir())
