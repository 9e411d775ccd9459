"""Command lines in: documents in the agreed forms, one-line errors and exit codes out."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from stan import cli
from stan.bench.fake_runs import experiment
from stan.cli import videos as video_commands
from stan.cli.output import lines, plain, table
from stan.config import ModelConfig
from tests.support.made_up_runs import write_run, write_study
from tests.support.small_clips import write_clip
from tests.support.written_runs import EXPERIMENT, QUERIES, done

ROOT = Path(__file__).resolve().parents[2]


def document(answer: tuple[int, str, str]):
    code, out, err = answer
    assert code == 0, err
    return json.loads(out)


def test_runs_lists_every_run_with_status_and_metrics(stan, tmp_path):
    write_study(tmp_path, rows=("baseline", "stan"), seeds=(0, 1))
    write_run(tmp_path, experiment("branch", 0), "failed")
    listed = document(stan("runs", "--runs", tmp_path, "--json"))
    assert {(run["row"], run["seed"], run["status"]) for run in listed} == {
        ("baseline", 0, "done"),
        ("baseline", 1, "done"),
        ("stan", 0, "done"),
        ("stan", 1, "done"),
        ("branch", 0, "failed"),
    }
    best = next(run for run in listed if run["row"] == "stan")
    assert {"id", "study", "row", "suite", "seed", "status", "metrics"} <= set(best)
    assert best["metrics"]["t2v"]["N"] == 80
    assert {run["backbone"] for run in listed} == {"tiny"}
    assert document(stan("runs", "--runs", tmp_path, "--backbone", "tiny-eva", "--json")) == []
    failed = document(stan("runs", "--runs", tmp_path, "--status", "failed", "--json"))
    assert [run["row"] for run in failed] == ["branch"]


def test_the_version_is_that_of_the_package(stan):
    assert stan("--version") == (0, f"stan {metadata.version('stan-video')}\n", "")


def test_no_runs_are_an_empty_list(stan, tmp_path):
    assert document(stan("runs", "--runs", tmp_path / "none", "--json")) == []
    assert stan("runs", "--runs", tmp_path / "none")[1] == "nothing found\n"


def test_orderings_are_counted_and_said_in_words(stan, tmp_path):
    write_study(tmp_path, rows=("baseline", "stan"), seeds=(0, 1))
    asked = ("orderings", "--runs", tmp_path, "--no-shipped")
    found = document(stan(*asked, "--json"))
    assert [one["number"] for one in found["orderings"]] == list(range(1, 15))
    assert sum(found["counts"].values()) == 14 and found["level"] == 0.05
    compared = [one for one in found["orderings"] if one["state"] != "not run"]
    assert [(one["above"], one["against"]) for one in compared] == [("stan", "baseline")]
    said = stan(*asked)[1]
    assert (
        "STAN is above mean pooling" in said
        and "No runs for 13: motions/stan" in said
        and " and 50 more." in said
    )


def test_p_has_two_digits_however_small_it_is(stan, tmp_path, monkeypatch):
    from stan.results import orderings

    items = [
        {"number": n, "claim": "a", "suites": ["motions"], "state": "undecided", "seeds_needed": None}
        | {"queries_needed": 3, "adjusted": p, "missing": []}
        for n, p in enumerate((0.0462, 0.0014, 0.734, 1.0))
    ]
    monkeypatch.setattr(orderings, "orderings", lambda *given: items)
    rows = stan("orderings", "--runs", tmp_path, "--no-shipped")[1].splitlines()[1:5]
    assert [row.split()[4] for row in rows] == ["0.046", "0.0014", "0.73", "1"]


def test_levels_are_probed_kept_and_shown(stan, tmp_path):
    asked = ("probe-levels", "--stills", "40", "--no-attentive", "--save", tmp_path, "--device", "cpu")
    found = document(stan(*asked, "--json"))
    assert len(found["rows"]) == 7 * 2 * 11 and "shape" in found["needs"]["scenes"]
    assert (tmp_path / "probes" / "tiny.json").exists()
    assert "patches, linear\ntarget" in stan(*asked)[1]
    code, _, err = stan("probe-levels", "--backbone", "nothing")
    assert code == 2 and "neither shipped" in err and err.count("\n") == 1


def test_compare_is_paired_and_names_both_sides(stan, tmp_path):
    write_study(tmp_path, rows=("baseline", "stan"), seeds=(0, 1))
    found = document(stan("compare", "baseline", "components/stan", "--runs", tmp_path, "--json"))
    assert set(found) >= {"metric", "a", "b", "change", "interval", "won", "lost", "p"}
    assert (found["metric"], found["a"], found["b"], found["lost"]) == (
        "t2v.R@1",
        "baseline",
        "components/stan",
        0,
    )
    assert found["interval"][0] <= found["change"] <= found["interval"][1]
    back = document(stan("compare", "stan", "baseline", "--runs", tmp_path, "--json"))
    assert back["change"] == -found["change"] and back["lost"] == found["won"] > 0


def test_compare_refuses_what_is_missing_several_or_unfair(stan, tmp_path):
    write_study(tmp_path, "retrieval", rows=("baseline", "stan", "stan+testing"), seeds=(0,))
    write_study(tmp_path, "motions", rows=("baseline",), seeds=(0,))
    code, _, err = stan("compare", "stan", "nothing", "--runs", tmp_path)
    assert code == 2 and "no done run 'nothing'" in err and "components/baseline" in err
    code, _, err = stan("compare", "stan", "baseline", "--runs", tmp_path)
    assert code == 2 and "several configs" in err
    code, _, err = stan("compare", "stan", "stan+testing", "--runs", tmp_path)
    assert code == 2 and "not the same protocol" in err
    assert stan("compare", "stan", "stan+testing", "--allow", "--runs", tmp_path)[0] == 0


def test_one_config_in_several_studies_is_one_row(stan, tmp_path):
    write_study(tmp_path, rows=("baseline", "stan"), seeds=(0, 1))
    for seed in (1, 2):
        write_run(tmp_path, replace(experiment("stan", seed), study="methods"))
    asked = ("compare", "baseline", "stan", "--runs", tmp_path, "--json")
    assert document(stan(*asked))["seeds"] == [2, 3], "a seed that both studies have counts once"
    other = replace(experiment("stan", 0), study="methods", model=ModelConfig("tiny", options={"layers": 1}))
    write_run(tmp_path, other)
    code, _, err = stan(*asked)
    assert code == 2 and "several configs (components retrieval" in err and "; methods retrieval" in err


def test_compare_as_the_docs_write_it(stan, tmp_path):
    shipped = ("compare", "components/baseline", "components/stan", "--suite", "motions", "--size", "quick")
    found = document(stan(*shipped, "--shipped", "--runs", tmp_path, "--json"))
    assert found["seeds"] == [3, 3] and found["queries"] == 400
    bare = document(stan("compare", "baseline", *shipped[2:], "--shipped", "--runs", tmp_path, "--json"))
    assert bare["change"] == found["change"]


def test_a_row_is_compared_on_the_backbone_that_its_study_uses_unless_one_is_named(stan, tmp_path):
    write_study(tmp_path, rows=("baseline", "stan"), seeds=(0,))
    for row, places in (("baseline", (2.0, 1.0)), ("stan", (1.0, 1.0))):
        elsewhere = replace(EXPERIMENT, row=row, model=ModelConfig("tiny-eva", options={"row": row}))
        done(tmp_path, elsewhere, np.resize(places, QUERIES))
    asked = ("compare", "baseline", "stan", "--runs", tmp_path, "--json")
    usual = document(stan(*asked))
    assert usual["runs"] == [[experiment(row, 0).id] for row in ("baseline", "stan")]
    other = document(stan(*asked, "--backbone", "tiny-eva"))
    assert other["change"] == 50 and other["runs"][1] == [elsewhere.id]
    same = ("compare", elsewhere.id, elsewhere.id, "--runs", tmp_path, "--json")
    for named in ((), ("--backbone", "tiny")):  # an id names its run, on whatever backbone that is
        assert document(stan(*same, *named))["change"] == 0
    code, _, err = stan(*asked, "--backbone", "tiny-siglip")
    assert code == 2 and "no done run 'baseline'" in err


def test_compare_takes_run_folders_and_ids_and_names_the_queries(stan, tmp_path):
    write_study(tmp_path, rows=("baseline", "stan"), seeds=(0, 1))
    a, b = (experiment(row, 1).id for row in ("baseline", "stan"))
    by_folder = document(stan("compare", tmp_path / a, tmp_path / b, "--runs", tmp_path / "none", "--json"))
    by_id = document(stan("compare", a, b, "--runs", tmp_path, "--json"))
    assert by_folder["runs"] == by_id["runs"] == [[a], [b]] and by_folder["seeds"] == [1, 1]
    assert by_folder["a"] == str(tmp_path / a) and by_folder["change"] == by_id["change"]
    assert by_id["change"] == pytest.approx(by_id["values"][1] - by_id["values"][0])
    assert (len(by_id["won_queries"]), by_id["lost_queries"], by_id["queries"]) == (by_id["won"], [], 80)
    assert by_id["differing"] == []


def test_compare_refuses_a_folder_whose_run_is_not_done(stan, tmp_path):
    write_study(tmp_path, rows=("baseline",), seeds=(0,))
    failed = write_run(tmp_path, experiment("branch", 0), "failed")
    code, _, err = stan("compare", failed, "baseline", "--runs", tmp_path)
    assert code == 2 and "is failed, not done" in err


def test_what_an_allowed_comparison_does_not_share_is_said(stan, tmp_path):
    write_study(tmp_path, rows=("stan", "stan+testing"), seeds=(0,))
    asked = ("compare", "stan", "stan+testing", "--allow", "--runs", tmp_path)
    assert document(stan(*asked, "--json"))["differing"] == ["test_time none against dsl"]
    assert "not the same protocol: test_time none against dsl" in stan(*asked)[1]


def test_published_holds_every_printed_number(stan, tmp_path):
    items = document(stan("published", "--runs", tmp_path, "--json"))
    assert {"table", "benchmark", "row", "metric", "value", "source", "status", "own"} <= set(items[0])
    stan_on_msrvtt = [
        item["value"]
        for item in items
        if (item["table"], item["row"], item["benchmark"]) == ("ablation_components", "stan", "MSR-VTT")
    ]
    assert stan_on_msrvtt == [46.9]
    assert stan("published", "--table", "nothing", "--runs", tmp_path)[0] == 2


def test_metrics_of_a_matrix(stan, tmp_path):
    np.savez(tmp_path / "m.npz", similarity=np.eye(4))
    found = document(stan("metrics", tmp_path / "m.npz", "--json"))
    assert set(found) == {"t2v", "v2t", "conventions"} and set(found["conventions"]) == {"t2v", "v2t"}
    assert found["t2v"] == {"R@1": 100.0, "R@5": 100.0, "R@10": 100.0, "MdR": 1.0, "MnR": 1.0, "N": 4}
    np.save(tmp_path / "flat.npy", np.ones((4, 4)))
    assert document(stan("metrics", tmp_path / "flat.npy", "--json"))["t2v"]["MdR"] == 2.5


@pytest.mark.parametrize(
    ("flags", "reported"),
    [((), "clip4clip_t2v"), (("--dsl",), "dsl_t2v_temperature100"), (("--qbnorm",), "qbnorm_t2v")],
)
def test_metrics_are_those_of_public_evaluations(stan, flags, reported):
    golden = ROOT / "tests" / "golden"
    found = document(stan("metrics", golden / "metrics_a.npz", *flags, "--json"))
    theirs = json.loads((golden / "metrics_a.json").read_text())[reported]
    assert [found["t2v"][f"R@{k}"] for k in (1, 5, 10)] == [theirs[f"R{k}"] for k in (1, 5, 10)]
    assert found.get("calibration", {}).get("trick", "") == "".join(flags).removeprefix("--")
    if flags == ("--qbnorm",):
        assert found["calibration"]["bank"] == {"t2v": "500 texts", "v2t": "none: scores as they are"}


def test_metrics_name_both_conventions_and_the_captions(stan, tmp_path):
    scores = np.array([[1.0, 0], [0.5, 0], [0, 1]])
    given = {"similarity": scores, "owner": np.array([0, 0, 1]), "query_ids": np.array(["a", "b", "a dog"])}
    np.savez(tmp_path / "m.npz", **given)
    found = document(stan("metrics", tmp_path / "m.npz", "--json"))
    assert found["v2t"]["R@1"] == found["v2t_all_captions"]["R@1"] == 100
    assert "CLIP4Clip" in found["conventions"]["v2t"]
    assert "collaborative-experts" in found["conventions"]["v2t_all_captions"]
    scores[2, 1] = np.inf
    np.savez(tmp_path / "m.npz", **given)
    for flags in ((), ("--dsl",)):
        code, _, err = stan("metrics", tmp_path / "m.npz", *flags)
        assert code == 2 and "query 2 (a dog) scores inf" in err


def test_metrics_refuse_tricks_that_cannot_be(stan, tmp_path):
    np.savez(tmp_path / "m.npz", similarity=np.eye(3))
    assert "needs an array `query_bank`" in stan("metrics", tmp_path / "m.npz", "--qbnorm")[2]
    assert "exclude each other" in stan("metrics", tmp_path / "m.npz", "--qbnorm", "--dsl")[2]


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"other": np.eye(2)}, "no array `similarity`"),
        ({"similarity": np.array([[1.0, np.nan], [0, 1]])}, "query 0 scores nan"),
        ({"similarity": np.array([[None]])}, "Object arrays cannot be loaded"),
        ({"similarity": np.array([["a", "b"]])}, "similarity must be numbers"),
        ({"similarity": np.eye(2), "query_ids": np.array("a")}, "1 names for 2 queries"),
    ],
)
def test_metrics_refuses_a_matrix_that_is_none(stan, tmp_path, arrays, complaint):
    np.savez(tmp_path / "m.npz", **arrays)
    code, out, err = stan("metrics", tmp_path / "m.npz", "--json")
    assert (code, out) == (2, "") and complaint in err


def test_world_and_its_summary(stan, tmp_path):
    made = document(stan("world", "motions", "--size", "tiny", "--out", tmp_path, "--json"))
    assert Path(made["folder"]) == tmp_path / "motions-tiny"
    splits = document(stan("data", "summary", f"world/motions:{made['folder']}", "--json"))["splits"]
    assert [split["split"] for split in splits] == ["train", "val", "test"]
    assert [split["missing"] for split in splits] == [0, 0, 0]
    assert splits[2]["seen"] > 0 < splits[2]["unseen"] and splits[2]["twins"] > 0
    next(Path(made["folder"]).glob("videos/train/*.mp4")).unlink()
    code, out, _ = stan("data", "summary", f"world/motions:{made['folder']}", "--json")
    assert code == 1 and json.loads(out)["splits"][0]["missing"] == 1


@pytest.mark.slow
def test_train_then_evaluate_then_nothing_to_do(stan, tmp_path):
    settings = [
        "data.size=tiny",
        "data.frames=4",
        "model.pretrained=random",
        "train.epochs=1",
        "train.batch=8",
    ]
    folders = ["--worlds", tmp_path / "worlds"]
    asked = ["train", "branch", "--data", "motions", "--runs", tmp_path / "runs", *folders, "--json"]
    for setting in settings:
        asked += ["--set", setting]
    run = document(stan(*asked))
    assert (run["study"], run["row"], run["status"]) == (
        "own",
        "branch",
        "done",
    )  # not the study's own config
    assert 0 <= run["metrics"]["top-1"] <= 100
    again = document(stan("evaluate", run["path"], "--json", *folders))
    assert again["metrics"] == run["metrics"]
    written = (Path(run["path"]) / "run.json").read_text()
    assert document(stan(*asked))["id"] == run["id"]
    assert (Path(run["path"]) / "run.json").read_text() == written
    probed = document(stan("evaluate", run["path"], "--time-probe", "--json", *folders))
    assert probed["arrangements"][0]["metrics"] == run["metrics"] and len(probed["queries"]) == 24
    assert [row["arrangement"] for row in probed["arrangements"]][-1] == "2 frames"
    assert "reversed" in stan("evaluate", run["path"], "--time-probe", *folders)[1]
    code, _, err = stan("evaluate", run["path"], "--test-time", "dsl", *folders)
    assert code == 2 and "dsl" in err
    kept = tmp_path / "kept.safetensors"
    fitted = document(stan("export", run["path"], "--out", kept, "--calibrate", "--json", *folders))
    calibration = fitted["calibration"]
    assert (calibration["val"]["N"], calibration["test"]["N"]) == (16, 24)
    assert calibration["val"]["after"]["nll"] <= calibration["val"]["before"]["nll"]
    assert calibration["test"]["after"]["accuracy"] == pytest.approx(run["metrics"]["top-1"])
    from stan.models.factory import load_model

    assert load_model(kept).temperature == calibration["temperature"]


def test_convert_writes_what_load_model_reads(stan, tmp_path):
    from stan.models.factory import load_model

    golden = ROOT / "tests" / "golden" / "stan_released_tiny" / "checkpoint.safetensors"
    report = document(stan("convert", golden, "--out", tmp_path / "out", "--json"))
    assert Path(report["target"]) == tmp_path / "out" / "checkpoint.safetensors"
    assert report["activation"] == "quick_gelu" and report["end_token"] == 511
    assert len(load_model(tmp_path / "out").temporal.layers) == 3
    assert "sizes.image.width" in stan("convert", golden, "--out", tmp_path / "text")[1]
    (tmp_path / "broken.pth").write_text("none")
    code, out, err = stan("convert", tmp_path / "broken.pth", "--out", tmp_path / "none", "--json")
    assert (
        (code, out) == (2, "") and "not a file of plain tensors" in err and not (tmp_path / "none").exists()
    )


def test_the_pace_of_indexing_counts_from_the_first_video(capsys, monkeypatch):
    now = iter([100.0, 110.0])
    monkeypatch.setattr(video_commands.time, "monotonic", lambda: next(now))
    progress = video_commands._progress()
    progress(0, 30, "a.mp4")
    progress(20, 30, "b.mp4")
    assert capsys.readouterr().err == "20/30  2.0 videos/s, 5 s left  b.mp4\n"


@pytest.mark.slow
def test_index_search_and_recognise(stan, tmp_path, monkeypatch):
    from stan.config import ModelConfig
    from stan.models.dual_encoder import build

    model = build(ModelConfig(pretrained="random"), 4).eval()
    monkeypatch.setattr("stan.library.encoder.load_model", lambda name: model)
    videos, place = tmp_path / "videos", ("--library", tmp_path / "library", "--json")
    videos.mkdir()
    write_clip(videos / "red.mp4")
    (videos / "broken.mp4").write_text("no video")
    report = document(stan("index", videos, *place))
    assert (report["indexed"], report["unchanged"], report["removed"]) == (1, 0, 0)
    assert [skipped["file"] for skipped in report["skipped"]] == ["broken.mp4"] and report["skipped"][0][
        "reason"
    ]
    assert document(stan("index", videos, *place))["unchanged"] == 1
    found = document(stan("search", "a red square", *place))
    assert found["query"] == "a red square" and set(found["ms"]) == {"encode", "search"}
    assert isinstance(found["no_match"], bool)
    assert "the query is '\\udcff'; it must be text" in stan("search", "\udcff", *place)[2]
    assert set(found["results"][0]) >= {"video", "score", "percentile", "start", "end"}
    like = document(stan("search", "--like", videos / "red.mp4", "--at", "1", "--gain", "0", *place))
    assert [one["name"] for one in like["results"]] == ["red.mp4"]
    none = document(stan("search", "a red square", "--shorter-than", "1", *place))
    assert none["results"] == [] and none["no_match"]
    (videos / "b\x1b[2J.mp4").write_text("no video, and a name that clears a terminal")
    code, out, _ = stan("index", videos, *place[:2])
    assert code == 0 and "0 indexed, 1 unchanged, 0 removed, 2 skipped" in out and "\x1b" not in out
    (videos / "red.mp4").rename(videos / "blue.mp4")
    assert "0 indexed, 1 unchanged, 1 removed (1 of them moved)" in stan("index", videos, *place[:2])[1]
    (videos / "blue.mp4").rename(videos / "red.mp4")
    stan("index", videos, *place)
    labelled = document(stan("recognise", videos / "red.mp4", "--label", "red", "--label", "blue", *place))
    assert {one["label"] for one in labelled["labels"]} == {"red", "blue"}
    assert sum(one["probability"] for one in labelled["labels"]) == pytest.approx(1, abs=1e-5)
    assert (
        set(labelled["none"]) == {"probability", "rejected", "bank"}
        and len(labelled["over_time"]["best"]) == 4
    )
    (tmp_path / "templates.txt").write_text("a clip of {}\n{} moves\n")
    asked = ("recognise", videos / "red.mp4", "--set", "motions", "--templates", tmp_path / "templates.txt")
    of_set = document(stan(*asked, "--pieces", 2, "--top", 3, *place))
    assert len(of_set["labels"]) == 3 and of_set["over_time"]["of"] == "pieces"
    assert "none of these" in stan(*asked, *place[:2])[1]
    (tmp_path / "templates.txt").write_text("a clip\n")
    code, _, err = stan(*asked, *place)
    assert code == 2 and "templates.txt:1" in err
    assert document(stan("forget", videos, *place)) == {"removed": 1}
    code, _, err = stan("forget", videos, *place)
    assert code == 2 and "holds no video of" in err
    (tmp_path / "labels.txt").write_bytes(b"caf\xe9")
    code, _, err = stan("recognise", videos / "red.mp4", "--labels", tmp_path / "labels.txt", *place)
    assert code == 2 and "labels.txt: is no UTF-8 text" in err
    code, _, err = stan("recognise", videos / "broken.mp4", "--label", "red", *place)
    assert code == 2 and "broken.mp4" in err


def test_time_tells_whether_order_matters(stan, tmp_path, monkeypatch):
    import stan as package
    from stan.config import ModelConfig
    from stan.models.dual_encoder import build

    model = build(ModelConfig(pretrained="random", temporal="mean"), 4).eval()
    monkeypatch.setattr(package, "load_model", lambda name: model, raising=False)
    (tmp_path / "labels.txt").write_text("red\nblue\n")
    asked = ("time", write_clip(tmp_path / "clip.mp4"), "a red square", "--labels", tmp_path / "labels.txt")
    found = document(stan(*asked, "--draws", 19, "--json"))
    assert found["queries"][0]["query"] == "a red square" and found["queries"][0]["blind"]
    assert [row["order"] for row in found["labels"]] == ["forwards", "reversed", "frozen", "shuffled"]
    assert "changes nothing" in stan(*asked, "--draws", 19)[1]
    assert stan("time", tmp_path / "clip.mp4")[0] == 2


@pytest.mark.slow
def test_bench_search_in_the_agreed_form(stan):
    found = document(stan("bench", "search", "--vectors", 300, "--repeats", 3, "--json"))
    assert set(found) >= {"what", "machine", "threads", "precision", "rows"}
    assert all(set(row) >= {"name", "median", "spread", "unit"} for row in found["rows"])
    assert (
        "torch fp16, 300 vectors, 32 queries" in stan("bench", "search", "--vectors", 300, "--repeats", 3)[1]
    )


@pytest.mark.slow
def test_a_kept_bench_holds_what_was_printed(stan, runs_root):
    asked = ("bench", "search", "--vectors", 300, "--repeats", 3, "--save", runs_root, "--json")
    code, printed, said = stan(*asked)
    (file,) = (runs_root / "bench").iterdir()
    record = json.loads(file.read_text())
    assert code == 0 and file.name in said
    assert record.items() >= json.loads(printed).items() and record["bench"] == "search"
    assert document(stan("runs", "--runs", runs_root, "--json")) == []


@pytest.mark.slow
def test_benches_of_models_in_the_agreed_form(stan, monkeypatch):
    from stan.bench import encoders
    from stan.config import ModelConfig

    assert stan("bench", "encode", "--preset", "nobody")[0] == 2
    monkeypatch.setitem(encoders.PEAK_SIDE, "cpu", 64)
    for name in ("encode", "train"):
        monkeypatch.setattr(f"stan.bench.{name}.preset", lambda _: (ModelConfig("tiny", "random", "stan"), 4))
    asked = ("--preset", "tiny", "--clips", 1, "--repeats", 2)
    found = document(stan("bench", "encode", *asked, "--json"))
    assert set(found) >= {"what", "machine", "threads", "precision", "rows"}
    assert all(set(row) >= {"name", "median", "spread", "unit"} for row in found["rows"])
    shown = stan("bench", "train", *asked)[1]
    assert "tiny, 1 x 4 frames, tower bf16" in shown and "MB that a step holds" in shown


@pytest.mark.slow
def test_explain_writes_pictures_and_a_document(stan, tmp_path, monkeypatch):
    import stan as package
    from stan.config import ModelConfig
    from stan.models.dual_encoder import build

    monkeypatch.setattr(
        package, "load_model", lambda name: build(ModelConfig(pretrained="random"), 4).eval(), raising=False
    )
    out, query = tmp_path / "why", "a <b>$5 square</b>_{ $moves"
    clip = write_clip(tmp_path / "clip.mp4")
    made = document(stan("explain", clip, query, "--out", out, "--frames", 3, "--json"))
    assert made["query"] == query and made["model"] == "stan-tiny" and made["video"] == str(clip)
    assert len(made["times"]) == 3 and [one["word"] for one in made["words"]] == query.split()
    pictures = [one["picture"] for one in made["maps"]] + [*made["pictures"].values(), made["attention"]]
    assert len(set(pictures)) == len(pictures) == 9 + 2 + 1  # maps, words and difference, attention
    assert all((out / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    assert {path.name for path in out.iterdir()} == {*pictures, made["strip"], "explanation.json"}
    written = json.loads((out / "explanation.json").read_text())
    assert written["maps"] == made["maps"] and np.array(written["maps"][0]["values"]).shape == (3, 4, 4)
    assert stan("explain", clip, "a square", "--out", clip)[0] == 2


def test_ablate_fails_with_the_run_that_failed(stan, monkeypatch, tmp_path):
    from stan.training import sweep
    from stan.training.sweep.timing import Spent

    write_run(tmp_path, experiment("baseline", 0))
    runs = [
        sweep.Run(experiment("baseline", 0), tmp_path / experiment("baseline", 0).id, "done"),
        sweep.Run(experiment("stan", 0), tmp_path / "none", "failed", "ValueError: made up"),
    ]
    asked, spent = {}, Spent(seconds=10.0, at_once=2, training=16.0, reporting=1.0)
    monkeypatch.setattr(
        sweep,
        "ablate",
        lambda *given, **named: asked.update(given=given, **named) or sweep.SweepReport(runs, spent=spent),
    )
    code, out, err = stan(
        "ablate", "components", "--suite", "motions", "--seeds", "0,2", "--set", "train.epochs=2", "--json"
    )
    assert code == 1 and "components/stan/" in err and "made up" in err
    told = json.loads(out)
    assert [run["status"] for run in told["runs"]] == ["done", "failed"]
    assert told["time"]["outside"] == pytest.approx(0.2) and told["runs"][0]["outside"] is None
    assert "20% were spent outside" in stan("ablate", "components")[1]
    stan("ablate", "components", "--suite", "motions", "--seeds", "0,2", "--set", "train.epochs=2")
    assert asked["given"] == ("components", "motions", "quick", [0, 2])
    assert asked["overrides"] == {"train": {"epochs": 2}}


def test_doctor_reports_and_fails_only_for_what_is_needed(stan, monkeypatch):
    from stan.cli import doctor

    found = [
        doctor.Check("python", True, "3.11"),
        doctor.Check("decord", False, "none", "install it", needed=False),
    ]
    monkeypatch.setattr(doctor, "checks", lambda: found)
    report = document(stan("doctor", "--json"))
    assert report["ok"] and report["checks"][1]["remedy"] == "install it"
    found.append(doctor.Check("torch", False, "none", "install it"))
    assert stan("doctor")[0] == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nothing"], "No such command 'nothing'"),
        (["runs", "--nothing"], "No such option: --nothing"),
        (["search"], "either words, or an example"),
        (["search", "x", "--top", "0"], "--top"),
        (["search", "x", "--library", "none"], "stan index FOLDER"),
        (["search", "x", "--like", "y.mp4"], "either words, or an example"),
        (["search", "x", "--at", "1"], "give --like"),
        (["search", "x", "--since", "yesterday"], "--since"),
        (["index", "none", "--window", "0"], "above 0"),
        (["recognise", "x.mp4"], "there are no labels"),
        (["index", "none"], "none is not a folder"),
        (["metrics", "none.npz"], "none.npz: No such file or directory"),
        (["world", "nothing"], "no suite 'nothing'"),
        (["train", "nothing"], "has no row 'nothing'"),
        (["train", "stan", "--set", "epochs"], "PART.FIELD=VALUE"),
        (["train", "stan", "--set", "train.epoch=1"], "has no epoch"),
        (["train", "stan", "--data", "nothing"], "no suite 'nothing'"),
        (["train", "stan", "--set", "train.lr=-1"], "train.lr is -1"),
        (["train", "stan", "--set", "train.batch=abc"], "train.batch is 'abc'; it must be a whole number"),
        (["train", "stan", "--set", "train.beta2=2"], "train.beta2 is 2; it must be from 0 to below 1"),
        (["train", "stan", "--set", "train.warmup=NaN"], "train.warmup is nan; it must be a finite number"),
        (["train", "stan", "--set", "model.options=3"], "model.options is 3; it must be an object"),
        (["train", "stan", "--set", "train.lr=1", "--set", "train.lr.x=1"], "lr was given a value before"),
        (["ablate", "--dry-run", "--set", "model.backbone=[]"], "model.backbone is []; it must be text"),
        (["compare", "a", "b"], "no done run 'a'; there are none (`--shipped` adds the package's runs)"),
        (["compare", "a", "b", "--shipped", "--suite", "none"], "no done run 'a'; there are none\n"),
        (["ablate", "--dry-run", "--backbone", "\udcff"], "it must be text"),
        (["cost", "clip-b32", "--frames", "9" * 25], "--frames"),
        (["probe-levels", "--device", "inf"], "there is no device 'inf'"),
        (["ablate", "nothing"], "no study 'nothing'"),
        (["ablate", "--seeds", "a"], "--seeds a"),
        (["ablate", "--jobs", "0"], "--jobs"),
        (["evaluate", "none"], "none"),
        (["explain", "none.mp4", "a", "--out", "why", "--model", "none"], "no model 'none'"),
        (["explain", "none.mp4"], "Missing argument"),
        (["faithfulness", "--data", "nothing"], "names no data set"),
        (["faithfulness", "--clips", "1"], "--clips"),
        (["data", "summary", "nothing:none"], "nothing"),
    ],
)
def test_a_users_error_is_one_line_and_exit_code_2(stan, tmp_path, monkeypatch, arguments, complaint):
    monkeypatch.chdir(tmp_path)
    code, out, err = stan(*arguments)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and err.startswith("stan: ") and complaint in err


def test_a_missing_package_is_named(stan, monkeypatch):
    monkeypatch.setitem(sys.modules, "papermill", None)
    monkeypatch.setitem(sys.modules, "stan.training.sweep", None)
    monkeypatch.setattr("stan.cli.doctor.emit", lambda *_: __import__("papermill"))
    code, _, err = stan("doctor", "--json")
    assert code == 2 and "needs the package papermill" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("clone", "says"), [(True, "make install"), (False, "pip install 'stan-video[notebooks]'")]
)
def test_a_missing_package_is_named_with_the_extra_that_brings_it(stan, monkeypatch, clone, says):
    monkeypatch.setattr("stan.common.paths.is_clone", lambda: clone)
    monkeypatch.setattr("stan.cli.doctor.emit", lambda *_: __import__("papermill"))
    monkeypatch.setitem(sys.modules, "papermill", None)
    code, _, err = stan("doctor")
    assert code == 2 and says in err and len(err.strip().splitlines()) == 1


def test_ctrl_c_is_130(stan, monkeypatch):
    from stan.cli import doctor

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "checks", interrupted)
    assert stan("doctor")[0] == 130


def test_a_defect_is_not_dressed_up_as_a_users_error(monkeypatch):
    from stan.cli import doctor

    monkeypatch.setattr(doctor, "checks", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        cli.run(["doctor"])


def test_a_closed_pipe_is_quiet():
    command = f"{sys.executable} -m stan published --json | head -c 1"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert (done.stdout, done.stderr) == ("[", "")


def test_help_needs_no_torch():
    program = "import sys; from stan import cli; cli.run(['--help']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=ROOT).returncode == 0


def test_what_is_printed_is_json_and_tables_line_up():
    values = {"a": np.float32(0.5), "b": (np.int64(1), float("nan")), "c": Path("x")}
    assert plain(values) == {"a": 0.5, "b": [1, None], "c": "x"}
    assert table([{"name": "a", "value": 1.0}, {"name": "long", "value": None}]) == (
        "name  value\na      1.00\nlong      -"
    )


def test_settings_keep_their_digits_and_sentences_have_lines_of_their_own():
    told = {
        "train": {"beta2": 0.999, "lr": 5e-5, "batch": 128},
        "parts": ["a", "b"],
        "differs": ["a, or b", "c"],
    }
    assert lines(told) == (
        "train.beta2  0.999\ntrain.lr     5e-05\ntrain.batch  128\nparts        a, b\n"
        "differs      a, or b\n             c"
    )
