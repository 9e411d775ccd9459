"""Folders of made-up runs in; the page *Runs*: its groups, computed columns, baseline, views, marks and trash."""

import json
from dataclasses import replace

import pytest

from stan import results
from stan.bench.fake_runs import QUALITY, experiment
from stan.results import marks, saved_views, trash
from stan.results.writer import now
from tests.support.made_up_runs import write_run
from tests.support.shown_pages import shown, table, texts

pytestmark = pytest.mark.slow


@pytest.fixture
def runs_of_two_rows(runs_root):
    for row in ("baseline", "stan"):
        for seed in (0, 1):
            write_run(runs_root, experiment(row, seed))
    return results.load(runs_root)


def press(page, label: str):
    next(button for button in page.button if button.label.replace("\\", "") == label).click()
    return shown(page)


def test_groups_and_their_baseline_are_in_the_address(open_dashboard, runs_of_two_rows):
    page = open_dashboard("runs", group=["row"], baseline="baseline")
    lines = table(page, "taken").set_index("row")
    assert lines["runs"].tolist() == [2, 2] and lines["taken"].tolist() == ["the baseline", "paired"]
    means = runs_of_two_rows.groupby("row")["t2v.R@1"].mean()
    assert lines.loc["stan", "mean"] == means["stan"]
    assert lines.loc["stan", "difference"] == pytest.approx(means["stan"] - means["baseline"])
    assert len(page.get("plotly_chart")) >= 2 and "Against baseline" in texts(page)
    assert "taken" not in table(press(page, "Without baseline baseline"), "mean")


def test_a_run_can_be_the_baseline_of_all(open_dashboard, runs_of_two_rows):
    [run] = runs_of_two_rows.loc[runs_of_two_rows["row"] == "stan", "id"].head(1)
    page = open_dashboard("runs", run=[run])
    lines = table(press(page, "Compare all with this"), "taken").set_index("id")
    assert lines.index[0] == run and lines["taken"].tolist() == ["the baseline", "paired", "paired", "paired"]
    assert "Not compared: the baseline gone" in texts(open_dashboard("runs", baseline="gone")).replace(
        "\\", ""
    )


def test_columns_are_computed_and_what_is_no_arithmetic_is_told(open_dashboard, runs_of_two_rows):
    page = open_dashboard("runs", computed="minutes = seconds / 60; `t2v.R@1` - 1", sort="minutes")
    cells = table(page, "minutes")
    assert cells["minutes"].tolist() == pytest.approx([62 / 60] * 4)
    assert cells["t2v.R@1 - 1"].tolist() == (cells["t2v.R@1"] - 1).tolist()
    page = open_dashboard("runs", computed="__import__('os')")
    assert "isn't allowed" in texts(page).replace("\\", "") and len(table(page, "id")) == 4


def test_the_order_is_in_the_address(open_dashboard, runs_of_two_rows):
    ordered = sorted(runs_of_two_rows["t2v.R@1"])
    assert table(open_dashboard("runs", sort="t2v.R@1"), "id")["t2v.R@1"].tolist() == ordered[::-1]
    turned = open_dashboard("runs", sort="t2v.R@1", highest="false")
    assert table(turned, "id")["t2v.R@1"].tolist() == ordered
    assert table(open_dashboard("runs", sort="row", columns=["row"]), "id")["row"].iloc[0] == "stan"


def test_a_view_is_kept_opened_and_forgotten(open_dashboard, runs_root, runs_of_two_rows):
    page = open_dashboard("runs", filter="stan/", group=["row"], baseline="stan")
    page.text_input(key="view name").set_value("mine <b>")
    press(shown(page), "Keep this view")
    kept = saved_views.read(runs_root)["mine <b>"]
    assert (kept["filter"], kept["group"], kept["baseline"]) == ("stan/", ["row"], "stan")
    other = open_dashboard("runs", filter="baseline/", sort="seed")
    assert "mean" in table(press(other, "mine <b>"), "row")
    assert other.text_input(key="filter").value == "stan/" and other.query_params["baseline"] == "stan"
    press(other, "Forget")
    assert saved_views.read(runs_root) == {}


def test_damaged_views_are_told_and_nothing_else_breaks(open_dashboard, runs_root, runs_of_two_rows):
    (runs_root / saved_views.FILE).write_text("{")
    page = open_dashboard("runs")
    assert "left as it is" in texts(page) and len(table(page, "id")) == 4


def test_ticked_runs_are_tagged_hidden_and_shown_again_together(open_dashboard, runs_root, runs_of_two_rows):
    ids = list(runs_of_two_rows.loc[runs_of_two_rows["row"] == "stan", "id"])
    marks.write(runs_root, ids[0], marks.Marks(("old",), "looked at it"))
    page = open_dashboard("runs", run=ids)
    page.text_input(key="bulk tags").set_value("odd, paper")
    press(shown(page), "Add tags")
    assert marks.of_run([runs_root], ids[0]) == marks.Marks(("old", "odd", "paper"), "looked at it")
    assert marks.of_run([runs_root], ids[1]) == marks.Marks(("odd", "paper"))
    press(page, "Take tags away")
    assert marks.of_run([runs_root], ids[0]).tags == ("old",)
    assert len(table(press(page, "Hide"), "id")) == 2
    page = open_dashboard("runs", hidden="true", run=ids)
    assert len(table(page, "id")) == 4
    assert len(table(press(page, "Show again"), "id")) == 4
    assert len(table(open_dashboard("runs"), "id")) == 4


def test_ticked_runs_go_into_the_trash_but_never_one_that_runs(open_dashboard, runs_root, runs_of_two_rows):
    running = experiment("stan", 7)
    write_run(runs_root, running, "done")
    ids = [*runs_of_two_rows["id"][:2]]
    page = press(open_dashboard("runs", run=ids), "Move to the trash")
    assert "2 runs moved to the trash." in texts(page).replace("\\", "")
    assert sorted(table(page, "status")["id"]) == sorted([*runs_of_two_rows["id"][2:], running.id])
    assert sorted(table(page, "put there (UTC)")["id"]) == sorted(ids)
    record = json.loads((runs_root / running.id / "run.json").read_text())
    elsewhere = {"status": "running", "host": "another", "heartbeat": now()}
    (runs_root / running.id / "run.json").write_text(json.dumps(record | elsewhere))
    page = press(open_dashboard("runs", run=[running.id]), "Move to the trash")
    assert "is running: stop it first" in texts(page).replace("\\", "")
    assert len(list(trash.content(runs_root))) == 2


def test_a_dashboard_that_only_reads_offers_nothing_that_writes(
    open_dashboard, runs_root, runs_of_two_rows, monkeypatch
):
    ids = list(runs_of_two_rows["id"])
    marks.write(runs_root, ids[0], marks.Marks(("odd",), "look <b>again</b>"))
    saved_views.keep(runs_root, "mine", {"filter": "stan/"})
    trash.put([runs_of_two_rows["path"].iloc[1]])
    argv = ["app.py", "--read-only"]
    monkeypatch.setattr("dashboard.tables.arguments.sys.argv", argv)
    page = open_dashboard("runs", run=[ids[0]])
    monkeypatch.setattr("sys.argv", argv)
    page = shown(page)
    assert [button.label for button in page.button] == ["Compare all with this", "mine"]
    assert [one.key for one in page.text_input] == ["filter", "computed"] and not page.text_area
    assert "edit" not in [one.key for one in page.toggle]
    assert "look <b>again</b>" in texts(page).replace("\\", "")


@pytest.mark.parametrize(
    ("kind", "holds"), [("Markdown", "| :--"), ("LaTeX", r"\toprule"), ("CSV", "row,configs")]
)
def test_the_table_is_text_to_copy(open_dashboard, runs_of_two_rows, kind, holds):
    page = open_dashboard("runs", group=["row"])
    page.segmented_control(key="copy").set_value(kind)
    text = shown(page).code[0].value
    assert (holds if kind != "Markdown" else "| --- | --: |") in text
    assert "page /runs?group=row" in text and runs_of_two_rows["id"].iloc[0] in text


def test_names_from_folders_are_shown_as_they_are(open_dashboard, runs_root, monkeypatch):
    name = "<img src=x> **b** $x$ [l](http:"
    monkeypatch.setitem(QUALITY, name, 0.4)
    for seed in (0, 1):
        write_run(runs_root, replace(experiment("stan", seed), row=name))
    page = open_dashboard("runs", group=["row"], baseline=name)
    assert not any(part.allow_html for part in page.markdown)
    assert f"Without baseline {name}" in [button.label.replace("\\", "") for button in page.button]
    assert "<img src=x> **b**" not in texts(page)
