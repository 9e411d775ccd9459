"""Folders of made-up runs in; what each page of the dashboard says about them, page by page, without a browser."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import labels
from dashboard.views import VIEWS
from stan import experiments, report, results
from stan.bench.fake_runs import experiment
from stan.config import ModelConfig
from stan.results import foreign
from stan.results.foreign import ForeignRun
from stan.results.level_probes import keep
from tests.support.made_up_runs import write_interpolation, write_probe, write_run, write_study
from tests.support.server import ROOT
from tests.support.shown_pages import shown, table, texts
from tests.support.written_runs import EXPERIMENT, QUERIES, done


def metric_values(test: AppTest) -> dict[str, str]:
    return {part.label: part.value for part in test.metric}


@pytest.mark.slow
@pytest.mark.parametrize("page", ["", "live", "ablation", "runs", "lost_queries"])
def test_without_runs_every_page_says_which_command_to_type(open_dashboard, page):
    assert "stan ablate components" in texts(open_dashboard(page))


@pytest.mark.slow
def test_pages_are_imported_without_torch():
    """It takes longer to import than all pages together, and they show what is kept."""
    code = f"import sys\nfrom dashboard.views import {', '.join(VIEWS)}\n"
    code += "print(*{'torch', 'open_clip'} & sys.modules.keys())"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (ended.returncode, ended.stdout) == (0, "\n"), ended.stderr


def test_overview_counts_and_calls_the_dead_dead(open_dashboard, runs_root):
    write_study(runs_root, seeds=(0,))
    write_run(runs_root, experiment("stan", 1), "running")
    write_run(runs_root, experiment("stan", 2), "died")
    write_run(runs_root, experiment("stan", 3), "failed")
    page = open_dashboard()
    counts = metric_values(page)
    assert (counts["your runs, done"], counts["running"], counts["died or failed"]) == ("7", "1", "2")
    assert "s2 **died**: no heartbeat for 3 h 0 min" in texts(page)
    assert "stan train --study components --row stan --seed 2" in texts(page)


@pytest.mark.slow
def test_runs_on_another_backbone_are_a_choice_of_their_own(open_dashboard, runs_root):
    from dashboard.tables import orderings

    write_study(runs_root, rows=("baseline", "stan"), seeds=(0,))
    for size in ("quick", "full"):
        data = replace(EXPERIMENT.data, size=size)
        for row in ("baseline", "stan"):
            other = replace(
                EXPERIMENT, row=row, data=data, model=ModelConfig("tiny-eva", options={"row": row})
            )
            done(runs_root, other, np.resize((1.0, 2.0, 2.0, 2.0), QUERIES))
    usual = open_dashboard("ablation")
    other = open_dashboard("ablation", study="components · retrieval · quick · tiny-eva")
    assert metric_values(other)["stan"] == "25.0 %" != metric_values(usual)["stan"]
    choices = next(part.options for part in usual.selectbox if part.label == "Study")
    others = [f"components · retrieval · {size} · tiny-eva" for size in ("quick", "full")]
    assert choices == ["components · retrieval · quick", *others]
    assert "0 queries won, 0 lost" in texts(other)
    places = [("yours", "quick", "tiny"), ("yours", "quick", "tiny-eva"), ("yours", "full", "tiny-eva")]
    assert orderings.places() == places


def test_a_studys_command_is_the_one_that_its_records_tell(runs_root):
    """Only a record knows the folder of a real set, and which settings were changed."""
    from dashboard.tables import studies

    told = "stan ablate --suite msrvtt:data/msrvtt --pretrained random --set train.lr=0.5"
    for seed in (0, 1):
        file = write_run(runs_root, experiment("stan", seed, "msrvtt")) / "run.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"command": told}))
    write_run(runs_root, experiment("baseline", 0, "msrvtt"))
    (study,) = studies.done(results.load(runs_root))
    assert study.command == f"stan train --study components --row baseline --seed 0; {told}"


def test_live_tells_running_stopped_and_ended_runs_apart(open_dashboard, runs_root):
    """A record of every status: one runs, one died, one was killed as it began, one was interrupted, two are over."""
    for seed, status in enumerate(("running", "died", "interrupted", "failed", "done")):
        write_run(runs_root, experiment("stan", seed), status)
    (write_run(runs_root, experiment("stan", 5)) / "eval.json").write_text("{")
    begun = write_run(runs_root, experiment("branch", 0), "running")
    (begun / "run.json").unlink()
    page = open_dashboard("live")
    (line,) = table(page, "losses").to_dict("records")
    assert (line["run"], line["epoch"], line["step"]) == ("stan, seed 0", "4 of 12", 20)
    assert line["best on validation"] == pytest.approx(52 * (1 - np.exp(-3 * 4 / 12)))
    assert (len(line["losses"]), line["clips/s"], line["metric"]) == (20, 410.0, "text-to-video R@1")
    assert line["remaining"] == labels.duration(5.0 * 3.8 / 20 * (12 * 5 - 20))
    warnings = [str(part.value) for part in page.warning]
    assert len(warnings) == 3 and "s1 (died, silent for 3 h 0 min)" in warnings[1].replace("\\", "")
    commands = [part.value for part in page.code]
    assert "stan train --study components --row stan --seed 1" in commands
    assert not any("branch" in command for command in commands), "nobody knows what started it"
    assert any("branch" in said and "No command was recorded" in said for said in warnings)
    links = [part.label.replace("\\", "") for part in page.get("page_link")]
    assert sorted(link.rpartition("-")[2] for link in links) == ["s3: failed", "s4: done"]


def test_live_reads_what_was_logged_meanwhile_and_lets_a_finished_run_go(open_dashboard, runs_root):
    folder = write_run(runs_root, experiment("stan", 0), "running")
    write_run(runs_root, experiment("stan", 1), "running")
    page = open_dashboard("live", filter="-s0")
    assert table(page, "losses")["step"].tolist() == [20]
    with (folder / "metrics.jsonl").open("a") as log:
        log.write(
            '{"step": 21, "epoch": 4, "loss": 1.5, "clips_per_second": 99.0, "time": 20.0}\n{"step": 22, "ep'
        )
    (line,) = table(shown(page), "losses").to_dict("records")
    assert (line["step"], line["loss"], line["epoch"]) == (21, 1.5, "5 of 12")
    shutil.rmtree(folder)
    write_run(runs_root, experiment("stan", 0))
    page = shown(page)
    assert not page.dataframe and "Nothing is running that the filter leaves" in texts(page)
    assert [part.label.rpartition(" ")[2] for part in page.get("page_link")] == ["done"]


def test_live_is_not_broken_by_a_log_of_another_kind(open_dashboard, runs_root):
    folder = write_run(runs_root, experiment("stan", 0), "running")
    (folder / "metrics.jsonl").write_text('{"loss": "high", "epoch": "first"}\n{"loss": 1}\n')
    (line,) = table(open_dashboard("live"), "losses").to_dict("records")
    assert (line["epoch"], list(line["losses"])) == ("– of 12", [])


@pytest.mark.slow
def test_ablation_shows_rows_intervals_and_the_paper_apart(open_dashboard, runs_root):
    write_study(runs_root)
    rows = table(open_dashboard("ablation"), "95 %").set_index("row")
    assert list(rows.index)[:2] == ["baseline", "posterior"]
    assert rows.loc["stan", "seeds"] == 3
    loaded = results.load(runs_root)
    assert rows.loc["stan", "mean"] == pytest.approx(loaded[loaded["row"] == "stan"]["t2v.R@1"].mean())
    assert rows.loc["stan", "paper: MSR-VTT R@1"] == 46.9
    assert rows.loc["baseline", "order"] == 50.0
    assert not rows.loc["no-cross-frame", "cross-frame"] and rows.loc["stan", "cross-frame"]
    assert [name for name in rows if name.startswith("paper")] == ["paper: MSR-VTT R@1"]


@pytest.mark.slow
def test_ablation_changes_are_those_of_the_package(open_dashboard, runs_root):
    write_study(runs_root)
    rows = table(open_dashboard("ablation"), "95 %").set_index("row")
    changes = results.changes(results.load(runs_root), "baseline", "t2v.R@1").set_index("row")
    expected = changes.loc["stan"]
    assert rows.loc["stan", "change"] == f"{expected.change:+.1f} [{expected.low:+.1f}, {expected.high:+.1f}]"


@pytest.mark.slow
def test_rows_with_test_time_tricks_are_left_out_until_asked_for(open_dashboard, runs_root):
    write_study(runs_root, seeds=(0,))
    page = open_dashboard("ablation")
    reason = r"**stan\+testing** (not the same protocol\: test\_time none against dsl)"
    assert f"Left out: {reason}" in texts(page)
    next(part for part in page.toggle if part.key == "anyway").set_value(True)
    assert f"Compared all the same: {reason}" in texts(shown(page))


@pytest.mark.slow
def test_the_address_chooses_suite_metric_and_baseline(open_dashboard, runs_root):
    write_study(runs_root, "retrieval", seeds=(0,))
    write_study(runs_root, "motions", seeds=(0,))
    address = {"study": "components · motions · quick", "metric": "top-5", "baseline": "posterior"}
    page = open_dashboard("ablation", **address)
    assert [box.value if isinstance(box.value, str) else box.value.suite for box in page.selectbox][:3] == [
        "motions",
        "top-5",
        "posterior",
    ]
    assert "Change against posterior" in texts(page)
    assert "paper: SSv2 top-1" in table(page, "95 %")


@pytest.mark.slow
def test_shipped_records_are_marked_and_never_mixed_with_ones_own(open_dashboard, runs_root, nothing_shipped):
    write_study(nothing_shipped, seeds=(0, 1), shipped=True)
    write_study(runs_root, seeds=(0,), rows=("baseline", "stan"))
    page = open_dashboard("ablation")
    assert table(page, "95 %").set_index("row").loc["stan", "seeds"] == 1
    page = open_dashboard("ablation", study="components · retrieval · quick · shipped reference")
    assert table(page, "95 %").set_index("row").loc["stan", "seeds"] == 2
    assert "**Shipped reference**, made on a CPU, 2 cores at commit 0123456789" in texts(page)


@pytest.mark.slow
def test_queries_won_and_lost_add_up(open_dashboard, runs_root):
    write_study(runs_root, seeds=(0, 1))
    moved = table(open_dashboard("ablation"), "gain")
    change = results.changes(results.load(runs_root), "baseline", "t2v.R@1").set_index("row").loc["stan"]
    assert (int((moved["gain"] > 0).sum()), int((moved["gain"] < 0).sum())) == (change.won, change.lost)


def test_a_suite_without_twins_has_no_twins_view(open_dashboard, runs_root):
    folder = write_run(runs_root, experiment("stan", 0))
    evaluation = json.loads((folder / "eval.json").read_text())
    for part in ("metrics", "last", "validation"):
        for scores in (evaluation[part], *(evaluation[part][group] for group in ("seen", "unseen"))):
            del scores["order"]
    (folder / "eval.json").write_text(json.dumps(evaluation))
    assert "Twins" not in texts(open_dashboard("ablation"))


def test_one_run_in_the_address_shows_its_record(open_dashboard, runs_root):
    run = experiment("stan", 0)
    folder = write_run(runs_root, run)
    (folder / "notebook.html").write_text("<script>alert(1)</script>")
    page = open_dashboard("runs", run=run.id)
    assert "stan train --study components --row stan --seed 0" in texts(page)
    provenance = next(f.value for f in page.dataframe if list(f.value) == ["name", "value"])
    assert dict(zip(provenance["name"], provenance["value"], strict=True))["commit"].startswith("0123456789")
    assert "<script>" not in texts(page)
    assert any("notebook" in button.label for button in page.get("download_button"))


@pytest.mark.parametrize(
    ("selected", "epoch", "told"),
    [
        ("best on validation", 2, "*tested*: best on validation, after epoch 3; *last*"),
        ("mean of epochs 2 to 4", 3, "*tested*: mean of epochs 2 to 4; *last*"),
        ("nothing to train", None, "*tested*: nothing to train; *last*"),
    ],
)
def test_pages_say_which_weights_were_tested(open_dashboard, runs_root, selected, epoch, told):
    run = experiment("stan", 0)
    done(runs_root, run, selected=selected, epoch=epoch, last={"t2v": {"R@1": 1.5}})
    page = open_dashboard("runs", run=run.id)
    assert told in texts(page)
    assert table(page, "tested").set_index("metric").loc["t2v.R@1"].tolist() == [2.5, 1.5]
    assert f"test split; weights: {selected}" in texts(open_dashboard("overview"))
    (status,) = report.status(results.load(runs_root)).to_dict("records")
    assert (status["selected"], status["id"]) == (selected, run.id)


def test_two_runs_of_one_protocol_are_compared(open_dashboard, runs_root):
    runs = [experiment("baseline", 0), experiment("stan", 0)]
    for run in runs:
        write_run(runs_root, run)
    page = open_dashboard("runs", run=[run.id for run in runs])
    assert "Not compared" not in texts(page)
    assert "model.temporal" in set(table(page, "what")["what"])


@pytest.mark.slow
def test_runs_of_another_suite_are_refused_with_the_reason(open_dashboard, runs_root):
    runs = [experiment("stan", 0, "retrieval"), experiment("stan", 0, "motions")]
    for run in runs:
        write_run(runs_root, run)
    page = open_dashboard("runs", run=[run.id for run in runs])
    assert "Not compared, because these differ: data\\.suite \\(motions, retrieval\\)" in texts(page)
    assert not any("what" in frame.value for frame in page.dataframe)
    next(part for part in page.toggle if part.key == "anyway").set_value(True)
    assert "Compared all the same, although these differ: data\\.suite" in texts(shown(page))
    assert any("what" in frame.value for frame in page.dataframe)


def test_the_run_table_filters(open_dashboard, runs_root):
    write_study(runs_root, "retrieval", seeds=(0,))
    write_study(runs_root, "motions", seeds=(0,))
    page = open_dashboard("runs", filter="motions")
    assert set(table(page, "id")["suite"]) == {"motions"}
    assert len(table(page, "id")) == 7


@pytest.mark.slow
def test_a_hostile_run_folder_is_listed_and_harms_nothing(open_dashboard, runs_root):
    folder = runs_root / "<img src=x>" / "![x](https:" / ("0" * 10 + "-s0")
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("[" * 100)
    write_run(runs_root, experiment("stan", 0))
    for name in ("", *VIEWS[1:]):
        page = open_dashboard(name)
        assert not any(part.allow_html for part in page.markdown)
    assert "damaged" in set(table(open_dashboard("runs"), "id")["status"])


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("Text-to-video retrieval", "R@10"),
        ("Recognition", "GFLOPs"),
        ("Ablation: components", "multi-level"),
        ("Ablation: structures", "R@1"),
        ("Ablation: levels", "interval"),
    ],
)
def test_every_printed_table_is_there_without_numbers_of_the_world(open_dashboard, runs_root, name, column):
    write_study(runs_root, seeds=(0,), rows=("stan",))
    page = open_dashboard("benchmarks", table=name)
    assert column in page.dataframe[0].value
    assert not any(header.startswith("own") for header in page.dataframe[0].value)
    assert metric_values(page)["reproduced"] == "0"


@pytest.mark.slow
def test_runs_on_the_benchmark_stand_beside_print(open_dashboard, runs_root):
    wanted = experiments.study("components", "msrvtt")[0]
    write_run(runs_root, wanted, queries=400)
    page = open_dashboard("benchmarks", table="Ablation: components", benchmark="MSR-VTT")
    row = page.dataframe[0].value.set_index("row").loc["baseline"]
    own = results.load(runs_root)["t2v.R@1"].iloc[0]
    assert (row["R@1"], row["own R@1"], row["status R@1"]) == (43.1, own, "outside the interval")
    assert wanted.id in table(page, "reason")["runs"].iloc[0]


def test_benchmarks_are_filtered_and_sorted_by_the_address(open_dashboard):
    page = open_dashboard("benchmarks", tricks="none", order="R@1")
    cells = page.dataframe[0].value
    assert set(cells["tricks"]) == {"none"} and cells["R@1"].is_monotonic_decreasing


def test_what_slides_and_paper_disagree_about_is_told(open_dashboard):
    cells = table(open_dashboard("benchmarks", table="Ablation: components"), "note").set_index("row")
    assert "slides print 49.7, the paper 49" in cells.loc["stan+testing", "note"]


def kept_bench(root: Path, bench: str, *rows: dict, **more) -> None:
    folder = root / "bench"
    folder.mkdir(exist_ok=True)
    record = {"bench": bench, "date": "2024-03-01T12:00:00+00:00", "machine": "a CPU, 2 cores", "rows": rows}
    (folder / f"{bench}-{len(list(folder.iterdir()))}.json").write_text(json.dumps(record | more))


def test_speed_without_records_says_how_to_make_them(open_dashboard, runs_root):
    said = texts(open_dashboard("speed"))
    for bench in ("encode", "train", "decode", "search", "dashboard"):
        assert f"stan bench {bench} --save {runs_root}" in said


def test_speed_shows_times_memory_and_where_they_are_from(open_dashboard, runs_root, nothing_shipped):
    who = {"preset": "tiny", "by": "stan", "precision": "fp32", "unit": "ms", "repeats": 3}
    rows = [who | {"name": f"{n} clips", "clips": n, "median": 2.0 * n, "spread": 0.1} for n in (1, 2, 4)]
    memory = {"fp32": {"stan": 30.0, "tower": 20.0, "ratio": 1.5}}
    kept_bench(nothing_shipped, "train", *rows, memory=memory, command="stan bench train", commit="abc")
    page = open_dashboard("speed")
    shown = table(page, "median").set_index("name")
    assert shown.loc["4 clips", "median"] == 8 and "clips" not in shown
    assert table(page, "ratio")["ratio"].tolist() == [1.5]
    assert "machine a CPU, 2 cores" in texts(page) and "commit abc" in texts(page)
    assert len(page.get("plotly_chart")) == 1


def test_damaged_results_of_benches_are_listed_and_break_nothing(open_dashboard, runs_root):
    row = {"name": "a", "median": None, "spread": None, "note": "not installed", "engine": ["odd"]}
    kept_bench(runs_root, "search", row)
    kept_bench(runs_root, "decode", {"name": "a", "median": "long"})
    page = open_dashboard("speed")
    assert table(page, "reason")["file"].tolist() == ["decode-1.json"]
    assert table(page, "note")["note"].tolist() == ["not installed"]
    assert "stan bench decode" in texts(page)


@pytest.mark.slow
def test_failures_are_grouped_with_answers_and_a_way_into_the_demo(open_dashboard, runs_root):
    write_study(runs_root, seeds=(0,), rows=("baseline", "stan"))
    page = open_dashboard("lost_queries", row="stan")
    lost = results.load(runs_root).set_index("row").loc["stan"]
    cells = table(page, "demo")
    assert len(cells) == round(80 * (1 - lost["t2v.R@1"] / 100))
    assert cells["demo"].str.startswith("http://127.0.0.1:7860/?q=thing%20").all()
    assert (cells["1"] != cells["text"]).all() and cells["5"].notna().all()
    only = open_dashboard("lost_queries", row="stan", by="order (twin)", only="confused with its twin")
    assert set(table(only, "demo")["order"]) == {"confused with its twin"}


def test_records_without_answers_say_so(open_dashboard, runs_root):
    folder = write_run(runs_root, experiment("stan", 0))
    arrays = results.ranks(folder)
    np.savez(
        folder / "ranks.npz",
        **{name: arrays[name] for name in arrays if name not in ("answers", "captions", "owner")},
    )
    page = open_dashboard("lost_queries")
    assert "before the first five answers were kept" in texts(page)
    np.savez(folder / "ranks.npz", nothing=np.ones(1))
    assert "This run's answers can't be read" in texts(open_dashboard("lost_queries"))


@pytest.mark.slow
def test_orderings_are_decided_from_the_readers_own_runs_alone(open_dashboard, runs_root):
    assert "No run of the embedded world is done yet." in texts(open_dashboard("orderings"))
    for row in ("baseline", "stan"):
        for seed in (0, 1):
            write_run(runs_root, experiment(row, seed))
    page = open_dashboard("orderings")
    cells = table(page, "claim").set_index("number")
    assert cells.index.tolist() == list(range(1, 15))
    found = cells.loc[cells["state"] != "not run"]
    assert found["against"].tolist() == ["baseline"] and found["seeds"].tolist() == [2]
    (drawn,) = (json.loads(chart.proto.spec) for chart in page.get("plotly_chart"))
    (line,) = {line for trace in drawn["data"] for line in trace.get("y", [])}
    assert line.replace("<br>", " ").split() == f"2: stan / baseline, {found['suite'].item()}".split()
    assert [one.value for one in page.metric] == [
        str((cells["state"] == one.label).sum()) for one in page.metric
    ]
    write_run(runs_root, replace(experiment("stan", 0), train=replace(experiment("stan", 0).train, lr=0.5)))
    assert "has runs of 2 configs" in texts(open_dashboard("orderings"))


@pytest.mark.slow
def test_levels_of_kept_probes_are_drawn_and_damaged_ones_named(open_dashboard, runs_root, monkeypatch):
    monkeypatch.setattr("stan.results.level_probes.SHIPPED", runs_root / "none")
    assert "No CLIP was probed yet" in texts(open_dashboard("levels"))
    rows = [
        {"level": level, "probe": "CLS, linear", "target": target, "score": 0.1 * level}
        for level in range(3)
        for target in ("x", "shape")
    ]
    keep(
        runs_root,
        {"backbone": "ViT-B-16", "pretrained": "openai", "date": "2026", "stills": 40, "rows": rows},
    )
    (runs_root / "probes" / "other.json").write_text("{")
    page = open_dashboard("levels", clip="ViT-B-16/openai", suite="scenes")
    assert table(page, "file")["file"].tolist() == ["other.json"]
    (drawn,) = (json.loads(chart.proto.spec) for chart in page.get("plotly_chart"))
    assert drawn["data"][0]["y"] == ["shape"]


@pytest.mark.slow
def test_what_training_made_clip_forget_is_averaged_over_seeds(open_dashboard, runs_root):
    assert "stan interpolate" in texts(open_dashboard("kept_knowledge"))
    for seed, best in ((0, 1), (1, 2)):
        write_interpolation(write_run(runs_root, experiment("stan", seed)), best)
    write_run(runs_root, experiment("baseline", 0))  # not measured
    page = open_dashboard("kept_knowledge")
    cells = table(page, "CLIP's share")
    assert set(cells["row"]) == {"stan"} and set(cells["seeds"]) == {2}
    assert list(dict.fromkeys(cells["measured on"])) == [
        "videos", "seen concepts", "unseen concepts", "stills",
    ]  # fmt: skip
    stills = cells[cells["measured on"] == "stills"]
    assert stills["CLIP's share"].tolist() == ["0%", "25%", "50%", "75%", "100%"]
    assert stills["value"].tolist() == [35.0, 45.0, 45.0, 35.0, 25.0]
    assert [change.partition(" ")[0] for change in stills["change"]] == [
        "+0.0",
        "+10.0",
        "+10.0",
        "+0.0",
        "-10.0",
    ]
    plane, chart = (json.loads(chart.proto.spec) for chart in page.get("plotly_chart"))
    assert [way["name"] for way in plane["data"]] == ["stan, n = 2"]
    assert plane["layout"]["yaxis"]["title"]["text"] == "videos, t2v.R@1, percent"
    assert [note["text"] for note in chart["layout"]["annotations"]][-1] == "stills, t2v.R@1"
    page = open_dashboard("kept_knowledge", found="unseen concepts, t2v.R@1")
    plane, _ = (json.loads(chart.proto.spec) for chart in page.get("plotly_chart"))
    assert plane["layout"]["yaxis"]["title"]["text"] == "unseen concepts, t2v.R@1, percent"
    write_interpolation(runs_root / experiment("stan", 0).id, 3)  # measured again: the page shows it
    cells = table(open_dashboard("kept_knowledge"), "CLIP's share")
    assert cells[cells["measured on"] == "stills"]["value"].tolist() == [25.0, 35.0, 45.0, 45.0, 35.0]


@pytest.mark.slow
def test_time_probes_are_compared_across_runs_of_one_protocol(open_dashboard, runs_root):
    assert "--time-probe" in texts(open_dashboard("frame_order"))
    for seed in (0, 1):
        write_probe(write_run(runs_root, experiment("stan", seed)))
    page = open_dashboard("frame_order")
    formats = json.loads(page.dataframe[0].proto.columns)
    assert formats["change"]["type_config"] == formats["value"]["type_config"], (
        "not text, with all its digits"
    )
    cells = table(page, "arrangement")
    assert cells["run"].tolist() == ["stan, seed 0"] * 3 + ["stan, seed 1"] * 3
    assert cells["value"].tolist() == [52.0, 31.0, 20.0] * 2
    write_probe(write_run(runs_root, experiment("stan+testing", 0)))
    page = open_dashboard("frame_order")
    assert "Not compared, because these differ: test\\_time" in texts(page)
    assert not page.dataframe
    assert len(table(open_dashboard("frame_order", rows="stan"), "arrangement")) == 6


@pytest.mark.slow
def test_tags_and_notes_are_kept_beside_a_run(open_dashboard, runs_root, nothing_shipped):
    run = experiment("stan", 0)
    folder = write_run(nothing_shipped, run, shipped=True)
    before = sorted(path.name for path in folder.iterdir())
    page = open_dashboard("runs", run=run.id)
    page.text_input(key=f"tags {run.id}").set_value("odd, paper")
    page.text_area(key=f"note {run.id}").set_value("look again")
    next(button for button in page.button if button.label == "Keep").click()
    shown(page)
    assert table(page, "id")["tags"].tolist() == ["odd, paper"]
    assert sorted(path.name for path in folder.iterdir()) == before, "a record is never written to"
    assert table(open_dashboard("runs", filter="paper"), "id")["tags"].tolist() == ["odd, paper"]


@pytest.mark.slow
def test_damaged_records_are_listed_with_the_reason(open_dashboard, runs_root):
    write_run(runs_root, experiment("stan", 0))
    (write_run(runs_root, experiment("stan", 1)) / "eval.json").write_text("{")
    page = open_dashboard("runs")
    assert "eval.json is not JSON" in table(page, "reason")["reason"].iloc[0]
    assert table(open_dashboard("ablation"), "95 %").set_index("row").loc["stan", "seeds"] == 1


def test_a_world_run_shows_the_videos_of_a_query_that_moved(runs_root, tmp_path, monkeypatch):
    from dashboard.tables import queries, studies
    from stan.data.world import suites

    plans = [plan for plan in suites.plans("retrieval", "tiny") if plan.split == "test" and plan.twin][:2]
    run = experiment("stan", 0)
    folder = write_run(runs_root, run, queries=40)
    config = json.loads((folder / "config.json").read_text())
    config["data"]["size"] = "tiny"
    monkeypatch.setenv("STAN_WORLDS", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["app.py"])
    videos = tmp_path / "retrieval-tiny" / "videos" / "test"
    videos.mkdir(parents=True)
    for plan in plans:
        (videos / f"{plan.id}.mp4").write_bytes(b"")
    runs = results.load(runs_root).assign(**{"data.world_seed": 0})
    study = studies.StudyRuns("components", "retrieval", "tiny", "", False, runs)
    found = queries.videos(study, plans[0].id, ["stan"])
    assert [(name, file.stem) for name, file in found] == [
        ("right", plans[0].id),
        ("its twin, reversed in time", plans[0].twin),
    ]
    assert queries.videos(study, "../../secret", ["stan"]) == []


def test_a_link_out_of_a_run_folder_is_no_notebook(runs_root, tmp_path):
    from dashboard.tables import records

    folder = write_run(runs_root, experiment("stan", 0))
    secret = tmp_path / "secret.html"
    secret.write_text("secret")
    (folder / "away.html").symlink_to(secret)
    (folder / "train.html").write_text("mine")
    assert [page.name for page in records.executed_notebooks(str(folder))] == ["train.html"]


@pytest.mark.slow
def test_methods_shows_the_card_in_the_address(open_dashboard):
    page = open_dashboard("methods", method="x_clip")
    assert page.selectbox[0].value == "x_clip" and [part.value for part in page.subheader] == ["X-CLIP"]
    assert {"x_clip · X-CLIP", "mean · Mean pooling (CLIP4Clip meanP)"} <= set(page.selectbox[0].options)
    assert page.query_params["method"] == "x_clip"
    told = texts(page)
    assert "① Each frame's CLS token writes a message" in told
    assert "**Loads:** the released X-CLIP; X-CLIP in Hugging Face's layout" in told
    assert 82.7 in table(page, "benchmark")["value"].tolist()
    shown = shown_after(page, "token_roll")
    assert "**Adds:** no parameters" in texts(shown) and "None." in texts(shown)


def shown_after(page: AppTest, method: str) -> AppTest:
    page.selectbox[0].set_value(method)
    return shown(page)


@pytest.mark.slow
def test_a_foreign_run_is_shown_with_its_mark(open_dashboard, runs_root, tmp_path):
    write_study(runs_root, seeds=(0,))
    theirs = ForeignRun("theirs", {"t2v.R@1": 45.5}, "theirs.csv:2", suite="msrvtt", state="finished")
    [folder] = foreign.write(runs_root, "others", [theirs], "theirs.csv")
    run = "/".join(folder.parts[-3:])
    listed = table(open_dashboard("runs"), "origin").set_index("id")
    assert listed.loc[run, ["status", "origin", "t2v.R@1"]].tolist() == ["foreign", "foreign", 45.5]
    told = texts(open_dashboard("runs", run=[run]))
    assert "A **foreign** run: its numbers come from theirs" in told and "*finished*" in told
    assert "others" not in texts(open_dashboard("ablation"))
