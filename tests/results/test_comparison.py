"""Rows compared: means over seeds, paired changes, and what is refused as unfair."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stan import results
from stan.config import ModelConfig, with_parts
from tests.support.written_runs import EXPERIMENT, QUERIES, arrays, done, evaluation


def study(root: Path, **options) -> dict[str, np.ndarray]:
    """Two rows, three seeds each; the right video is first for 30 % and 60 % of the queries, about."""
    rng, places = np.random.default_rng(0), {}
    for row, share in (("baseline", 0.3), ("stan", 0.6)):
        places[row] = np.where(rng.random((3, QUERIES)) < share, 1.0, 7.0)
        model = ModelConfig(options={"row": row} | options.get(row, {}))
        for seed in range(3):
            done(root, replace(EXPERIMENT, row=row, model=model, seed=seed), places[row][seed])
    return places


def test_summary_over_seeds(runs_root):
    places = study(runs_root)
    rows = results.summary(results.load(runs_root), "t2v.R@1", repeats=500).set_index("row")
    for name in ("baseline", "stan"):
        per_seed = 100 * (places[name] == 1).mean(axis=1)
        assert rows.loc[name, "n"] == 3
        assert (rows.loc[name, "mean"], rows.loc[name, "sd"]) == pytest.approx(
            (per_seed.mean(), per_seed.std(ddof=1))
        )
        assert rows.loc[name, "low"] < rows.loc[name, "mean"] < rows.loc[name, "high"]
    assert (
        results.summary(results.load(runs_root), "t2v.MdR", repeats=50).set_index("row").loc["stan", "mean"]
        >= 1
    )
    validation = results.summary(results.load(runs_root), "validation.t2v.R@1").iloc[0]
    assert np.isnan(validation["low"]) and "no values per query" in validation["reason"]


def test_changes_are_paired_with_the_baseline(runs_root):
    places = study(runs_root)
    row = results.changes(results.load(runs_root), "baseline", "t2v.R@1", repeats=500).iloc[0]
    gain = (places["stan"] == 1).mean(axis=0) - (places["baseline"] == 1).mean(axis=0)
    assert (row["row"], row["n"]) == ("stan", 3) and row["reason"] == ""
    assert row["change"] == pytest.approx(100 * gain.mean())
    assert (row["won"], row["lost"]) == ((gain > 1e-9).sum(), (gain < -1e-9).sum())
    assert row["low"] < row["change"] < row["high"] and row["p"] < 0.05
    ranks = results.changes(results.load(runs_root), "baseline", "t2v.MnR", repeats=50).iloc[0]
    assert ranks["change"] < 0 and ranks["won"] == row["won"]


def test_queries_are_paired_by_name_not_by_place(runs_root):
    base = done(runs_root, replace(EXPERIMENT, row="baseline"))
    done(runs_root)
    kept = results.ranks(base)
    np.savez(base / "ranks.npz", **(kept | {"query_ids": kept["query_ids"][::-1], "t2v": kept["t2v"][::-1]}))
    row = results.changes(results.load(runs_root), "baseline", "t2v.R@1", repeats=50).iloc[0]
    assert (row["change"], row["won"], row["lost"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (with_parts(EXPERIMENT, data={"frames": 4}), "data.frames 8 against 4"),
        (with_parts(EXPERIMENT, model={"backbone": "ViT-B-32"}), "model.backbone tiny against ViT-B-32"),
        (replace(EXPERIMENT, test_time=("dsl",)), "test_time none against dsl"),
    ],
    ids=["frames", "backbone", "testing"],
)
def test_unfair_comparisons_are_refused_unless_allowed(runs_root, other, message):
    done(runs_root, replace(EXPERIMENT, row="baseline"))
    done(runs_root, other, np.ones(QUERIES))
    table = results.load(runs_root)
    row = results.changes(table, "baseline", "t2v.R@1").iloc[0]
    assert message in row["reason"] and np.isnan(row["change"])
    allowed = results.changes(table, "baseline", "t2v.R@1", allow=True, repeats=50).iloc[0]
    assert allowed["change"] == 97.5 and allowed["reason"] == ""


def test_backbones_that_a_study_does_not_use_stand_apart(runs_root):
    for study, row, backbone in (
        ("components", "stan", "tiny"),
        ("components", "stan", "tiny-eva"),
        ("backbones", "stan-eva", "tiny-eva"),
        ("my own", "row", "ViT-B-32"),
    ):
        done(runs_root, replace(EXPERIMENT, study=study, row=row, model=ModelConfig(backbone)))
    runs = results.load(runs_root)
    apart = runs[results.other_backbone(runs) != ""]
    assert list(zip(apart["study"], apart["model.backbone"], strict=True)) == [("components", "tiny-eva")]
    assert sorted(results.on_backbone(runs)["study"]) == ["backbones", "components", "my own"]
    assert sorted(results.on_backbone(runs, "tiny-eva")["study"]) == ["backbones", "components"]
    nothing = results.load(runs_root / "none")
    assert results.on_backbone(nothing).empty and results.on_backbone(nothing, "tiny").empty


def test_splits_and_queries_must_agree(runs_root):
    done(runs_root, replace(EXPERIMENT, row="baseline"))
    done(runs_root, replace(EXPERIMENT, row="short"), np.ones(QUERIES - 1))
    done(runs_root, replace(EXPERIMENT, row="val"), split="val")
    rows = results.changes(results.load(runs_root), "baseline", "t2v.R@1", allow=True, repeats=50).set_index(
        "row"
    )
    assert "not the same queries: 40 and 39, 39 shared" in rows.loc["short", "reason"]
    assert rows.loc["val", "reason"] == ""
    fair = results.changes(results.load(runs_root), "baseline", "t2v.R@1", repeats=50).set_index("row")
    assert "split test against val" in fair.loc["val", "reason"]


def test_baseline_must_be_there_and_be_one(runs_root):
    done(runs_root)
    assert "no done run" in results.changes(results.load(runs_root), "baseline", "t2v.R@1").iloc[0]["reason"]
    for rate in (0.1, 0.2):
        done(runs_root, replace(with_parts(EXPERIMENT, train={"lr": rate}), row="baseline"))
    assert (
        "2 different configs"
        in results.changes(results.load(runs_root), "baseline", "t2v.R@1").iloc[0]["reason"]
    )


@pytest.mark.parametrize("metric", ["t2v.R@1", "v2t.R@5", "t2v.R@10", "t2v.MnR", "order.accuracy"])
def test_values_per_query_average_to_the_metric(runs_root, metric):
    folder = done(runs_root)
    ids, values = results.per_query(folder, metric)
    assert len(ids) == len(values)
    assert values.mean() == pytest.approx(results.load(runs_root)[metric].item())


def test_values_per_query_of_groups(runs_root):
    ids, values = results.per_query(done(runs_root), "seen.t2v.R@10")
    assert (ids[-1], len(ids), values.mean()) == ("q19", 20, 50.0)
    ids, values = results.per_query(runs_root / EXPERIMENT.id, "seen.order.accuracy")
    assert (ids.tolist(), values.tolist()) == (["q00", "q01", "q02"], [0, 100, 0])


def test_a_group_that_a_record_doesnt_tell_is_refused(runs_root):
    with results.RunWriter.start(runs_root, EXPERIMENT) as run:
        kept = {name: values for name, values in arrays().items() if name != "order_seen"}
        folder = run.finish(evaluation(), kept)
    with pytest.raises(ValueError, match="which queries of order.accuracy"):
        results.per_query(folder, "seen.order.accuracy")


def test_values_per_query_of_recognition(runs_root):
    kept = {
        "video_ids": np.array(["a", "b", "c"]),
        "ranks": np.array([1.0, 3.0, 8.0]),
        "seen": np.array([True, True, False]),
    }
    with results.RunWriter.start(runs_root, EXPERIMENT) as run:
        run.finish(evaluation(), kept)
    assert results.per_query(run.folder, "top-5")[1].tolist() == [100, 100, 0]
    assert results.per_query(run.folder, "unseen.top-1")[1].tolist() == [0]


def test_differing_names_the_settings_that_differ(runs_root):
    done(runs_root)
    assert results.differing(results.load(runs_root)) == []
    done(runs_root, with_parts(replace(EXPERIMENT, test_time=("dsl",)), model={"options": {"layers": 2}}))
    assert results.differing(results.load(runs_root)) == ["model.options.layers", "test_time"]
