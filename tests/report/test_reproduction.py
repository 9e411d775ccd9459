"""Every printed cell beside one's own runs: same protocol or not, inside the interval or not, never mixed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stan import experiments, results
from stan.config import with_parts
from stan.experiments import published
from stan.report import reproduction
from stan.report.reproduction import STATUSES, protocol
from tests.support.written_runs import done

QUERIES = 1000


def row(name: str, suite: str, study: str = "components"):
    return next(e for e in experiments.study(study, suite) if e.row == name)


def places(percent: float) -> np.ndarray:
    """Ranks of which so many percent are first."""
    return np.where(np.arange(QUERIES) < percent * QUERIES / 100, 1.0, 7.0)


def cells(runs_root, **wanted) -> list[dict]:
    return [c for c in reproduction.cells(results.load(runs_root)) if wanted.items() <= c.items()]


def one(runs_root, table: str, name: str, benchmark: str = "MSR-VTT", metric: str = "R@1") -> dict:
    (cell,) = cells(runs_root, table=table, row=name, benchmark=benchmark, metric=metric)
    return cell


def test_without_runs_every_cell_is_printed_and_not_run():
    found = reproduction.cells(pd.DataFrame(columns=["status", "suite", "path"]))
    assert len(found) == 291 and {cell["status"] for cell in found} == {"not run"}
    assert all(cell["own"] is cell["interval"] is None and cell["runs"] == [] for cell in found)


@pytest.mark.slow
def test_own_runs_inside_and_outside_the_interval(runs_root):
    stan = row("stan", "msrvtt")
    for seed, percent in enumerate((46, 48)):
        done(runs_root, replace(stan, seed=seed), places(percent))
    done(runs_root, row("baseline", "msrvtt"), places(60))
    inside, outside = (one(runs_root, "ablation_components", name) for name in ("stan", "baseline"))
    assert (inside["status"], inside["own"], inside["value"]) == ("reproduced", 47.0, 46.9)
    assert inside["interval"][0] < 46.9 < inside["interval"][1] and len(inside["runs"]) == 2
    assert (outside["status"], outside["own"], outside["value"]) == ("outside the interval", 60.0, 43.1)
    others = ("retrieval", "A-STA-B/32"), ("ablation_structures", "STAN")
    assert all(one(runs_root, *place)["own"] == 47.0 for place in others)
    assert one(runs_root, "retrieval", "A-STA-B/32", metric="MdR")["own"] == 7
    assert one(runs_root, "ablation_components", "stan", "DiDeMo")["status"] == "not run"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"data": {"frames": 8}}, "data.frames 8 against 12 in print"),
        ({"model": {"backbone": "ViT-B-16"}}, "model.backbone ViT-B-16 against ViT-B-32 in print"),
        ({"train": {"frozen": "vision"}}, "train.frozen vision against nothing in print"),
    ],
)
def test_another_protocol_is_said_and_does_not_count(runs_root, changed, reason):
    done(runs_root, with_parts(row("stan", "msrvtt"), **changed), places(46.9))
    cell = one(runs_root, "ablation_components", "stan")
    assert (cell["status"], cell["own"], cell["value"]) == ("protocol differs", 46.9, 46.9)
    assert cell["reason"] == reason


def test_seeds_with_other_queries_have_no_interval_and_a_metric_may_be_missing(runs_root):
    stan = row("stan", "msrvtt")
    done(runs_root, stan, places(46.9))
    done(runs_root, replace(stan, seed=1), places(46.9)[:-1])
    cell = one(runs_root, "ablation_components", "stan")
    assert cell["status"] == "protocol differs" and "same queries" in cell["reason"]
    runs = results.load(runs_root).drop(columns="t2v.MdR")
    missing = [c for c in reproduction.cells(runs) if c["row"] == "A-STA-B/32" and c["metric"] == "MdR"]
    assert [(c["status"], c["reason"]) for c in missing[:1]] == [("not run", "the runs have no t2v.MdR")]


@pytest.mark.slow
def test_the_same_protocol_goes_before_another(runs_root):
    stan = row("stan", "msrvtt")
    for seed in range(2):
        done(runs_root, with_parts(replace(stan, seed=seed), data={"frames": 8}), places(20))
    done(runs_root, stan, places(46.9))
    assert one(runs_root, "ablation_components", "stan")["own"] == pytest.approx(46.9)


@pytest.mark.slow
def test_tricks_options_worlds_and_unfinished_runs_are_no_answer(runs_root):
    stan = row("stan", "msrvtt")
    done(runs_root, with_parts(stan, model={"options": stan.model.options | {"layers": 2}}), places(46.9))
    done(runs_root, row("stan", "retrieval"), places(46.9))
    done(runs_root, replace(stan, test_time=("dsl",)), places(49.7))
    results.RunWriter.start(runs_root, replace(stan, seed=9)).fail("made up")
    assert one(runs_root, "ablation_components", "stan")["status"] == "not run"
    assert one(runs_root, "ablation_components", "stan+testing")["own"] == pytest.approx(49.7)


@pytest.mark.slow
def test_printed_and_own_are_never_mixed(runs_root):
    done(runs_root, row("stan", "msrvtt"), places(12.3))
    printed = {(c["table"], c["benchmark"], c["row"], c["metric"]): c["value"] for c in published.numbers()}
    found = reproduction.cells(results.load(runs_root), count=lambda preset, frames, views: 1.5)
    assert {(c["table"], c["benchmark"], c["row"], c["metric"]): c["value"] for c in found} == printed
    own = [c["own"] for c in found if c["metric"] == "R@1" and c["own"] is not None]
    assert len(own) >= 2 and own == pytest.approx([12.3] * len(own))
    assert {c["status"] for c in found} <= set(STATUSES)


def test_costs_are_counted_where_asked_and_the_unmatched_are_said():
    asked = {}

    def count(preset, frames, views):
        asked[preset, frames] = views
        known = {"stan-self-b16": 593.3, "stan-self-b16-k6": 687.8, "stan-conv-b16": 541.0}
        return known.get(preset, 610.0)

    found = reproduction.cells(pd.DataFrame(columns=["status", "suite", "path"]), count)
    counted = {c["value"]: c for c in found if c["metric"] == "GFLOPs" and c["own"] is not None}
    assert {value: c["status"] for value, c in counted.items()} == {
        593: "reproduced", 1187: "reproduced", 688: "reproduced", 1376: "reproduced",
        714: "outside the interval", 845: "outside the interval",
    }  # fmt: skip
    assert "can't be matched" in counted[714]["note"] and "can't be matched" in counted[845]["note"]
    assert asked == dict.fromkeys(
        [("stan-self-b16", 8), ("stan-conv-b16", 8), ("stan-self-b16-k6", 8), ("stan-conv-b16-k6", 8)], 3
    )


def test_a_printed_row_says_its_protocol():
    cell = {"table": "recognition", "benchmark": "Kinetics-400", "row": "A-STA-B/16, 16 frames, 1x3 views"}
    wanted = protocol(cell)
    assert (wanted.data.suite, wanted.data.frames, wanted.model.backbone) == ("kinetics", 16, "ViT-B-16")
    assert wanted.test_time == ("views-1x3",) and wanted.model.options["cross_frame"] == "attention"
    cell = {"table": "retrieval", "benchmark": "LSMDC", "row": "C-STA-B/32"}
    wanted = protocol(cell)
    assert (wanted.data.suite, wanted.model.options["convolution"], wanted.test_time) == (
        "lsmdc",
        "bottleneck",
        (),
    )
    assert protocol(cell | {"row": "Frozen"}) is None
    assert protocol(cell | {"row": "Clip4Clip"}) is None, "print doesn't say with which head"
    assert protocol(cell | {"row": "DRL-B/16, DSL/QB-Norm"}) is None, (
        "print doesn't say with which of the two"
    )
    cell = {"table": "ablation_structures", "benchmark": "Kinetics-400", "row": "STAN"}
    assert protocol(cell).test_time == ("views-1x3",)


def test_other_authors_rows_name_the_method_that_runs_here():
    cell = {"table": "recognition", "benchmark": "Kinetics-400", "row": "X-CLIP-B/16, 16 frames, 4x3 views"}
    wanted = protocol(cell)
    assert (wanted.model.temporal, wanted.model.similarity) == ("x_clip", "video_prompts")
    assert (wanted.data.frames, wanted.test_time, wanted.train.frozen) == (16, ("views-4x3",), "nothing")
    adapter = cell | {"row": "STadapter-CLIP-B/16, 8 frames, 1x3 views"}
    assert protocol(adapter).train.frozen == "clip" and protocol(adapter).model.options == {}
    adapter["benchmark"] = "Something-Something-v2"
    assert protocol(adapter).model.options == {"before": "attention and mlp"}
    cell = {"table": "retrieval", "benchmark": "LSMDC", "row": "DRL-B/16"}
    assert (protocol(cell).train.decorrelation, protocol(cell).data.suite) == (1.1e-4, "lsmdc")


def test_every_ablation_cell_has_a_protocol():
    """Except structures on Something-Something, which no table prints."""
    nothing = pd.DataFrame(columns=["status", "suite", "path"])
    cells = [cell for cell in reproduction.cells(nothing) if cell["table"].startswith("ablation")]
    assert len(cells) == 52 and all(cell["protocol"] for cell in cells)
