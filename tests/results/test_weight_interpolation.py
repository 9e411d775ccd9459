"""A trained run on the way back to its CLIP: both ends are known, seeds are averaged, what is kept is read again."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from stan import report, results
from stan.config import with_parts
from stan.evaluation import still_retrieval
from stan.evaluation.measure import measure
from stan.evaluation.splits import open_split
from stan.evaluation.statistics import paired
from stan.models.dual_encoder import build
from stan.report import study_figures
from stan.results import archive, interpolated
from stan.results.record_files import INTERPOLATION
from stan.results.weight_interpolation import interpolate, keep
from stan.training.trainer import train
from tests.support.tiny_experiment import tiny

EXPERIMENT = with_parts(
    replace(tiny(row="mean-full", frozen="nothing", lr=1e-2, epochs=2), study="recipe"),
    model={"pretrained": None},
)


@pytest.fixture(scope="module")
def few_stills():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(still_retrieval, "CHUNK", 30)
        yield


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture(scope="module")
def run(tmp_path_factory, worlds):
    return train(EXPERIMENT, tmp_path_factory.mktemp("runs"), worlds)


@pytest.fixture(scope="module")
def found(run, worlds, few_stills):
    return interpolate(run, worlds_root=worlds, also=[("scenes", None)])


def line(found: dict, on: str, share: float) -> dict:
    (one,) = (line for line in found["lines"] if (line["on"], line["share"]) == (on, share))
    return one


def test_both_ends_of_the_way_are_known(run, worlds, found):
    told = results.read(run)["evaluation"]["metrics"]
    for on, group in (("videos", told), ("seen concepts", told["seen"]), ("unseen concepts", told["unseen"])):
        assert line(found, on, 0.0)["value"] == pytest.approx(group["t2v"]["R@1"])
    clip = build(EXPERIMENT.model, EXPERIMENT.data.frames).eval()
    ranks = measure(clip, open_split(EXPERIMENT, clip, "test", worlds, run.parents[2])).arrays["t2v"]
    assert found["measured"]["videos"]["t2v"][-1] == ranks.tolist()
    assert found["measured"]["videos"]["t2v"][0] != ranks.tolist()  # training has changed something
    stills = still_retrieval.retrieve(clip, *still_retrieval.unseen_stills(clip.clip))
    assert found["measured"]["stills"]["t2v"][-1] == stills["t2v"].tolist()
    assert found["moved"]["parameters"] > 1e6 and 0 < found["moved"]["distance"] < 1


def test_every_share_is_paired_with_the_model_as_trained(found):
    ranks = found["measured"]["stills"]["t2v"]
    change = paired(*(100.0 * (np.array(ranks[i]) <= 1) for i in (0, 3)))
    assert line(found, "stills", 0.75)["change"] == pytest.approx(change.change)
    assert line(found, "stills", 0.75)["change_low"] == pytest.approx(change.low)
    assert line(found, "stills", 0.0)["change"] == 0
    scenes = line(found, "scenes", 0.5)
    assert scenes["metric"] == "top-1" and 0 <= scenes["value"] <= 100


def test_what_is_kept_is_read_again_from_folders_and_archives(run, found, tmp_path):
    assert keep(run, found)
    assert interpolated.read(run)["measured"] == json.loads(json.dumps(found["measured"]))
    table = report.interpolations(results.load(run.parents[2], shipped=False))
    assert table["row"].unique().tolist() == ["mean-full"] and set(table["n"]) == {1}
    assert list(dict.fromkeys(table["on"])) == [
        "videos", "seen concepts", "unseen concepts", "stills", "scenes",
    ]  # fmt: skip
    assert table["value"].tolist() == [one["value"] for one in found["lines"]]
    archive.pack([run], tmp_path / "runs.zip")
    again = report.interpolations(results.load(tmp_path / "runs.zip", shipped=False))
    assert again.equals(table)
    panels = study_figures.interpolations(table).axes
    assert [axes.get_title() for axes in panels][-2:] == ["stills, t2v.R@1", "scenes, top-1"]


def test_the_command_prints_and_keeps_it(run, worlds, few_stills, stan):
    folders = ["--worlds", worlds]
    code, out, _ = stan("interpolate", run, "--shares", "1 0.5", *folders, "--json")
    told = json.loads(out)
    assert code == 0 and not told["kept"]  # two shares are not all
    assert told["measured"]["videos"]["shares"] == [0.0, 0.5, 1.0]
    code, out, _ = stan("interpolate", run, *folders)
    assert code == 0 and "% of their length away" in out and "unseen concepts          0.75" in out
    code, _, err = stan("interpolate", run, "--shares", "some", *folders)
    assert code == 2 and "--shares some: write numbers" in err


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"split": "val"}, "another split"), ({"measured": {"videos": {"shares": [0.0, 1.0]}}}, "other shares")],
)
def test_only_what_can_be_averaged_over_seeds_is_kept(tmp_path, found, changed, why):
    assert not keep(tmp_path, found | changed), why
    assert list(tmp_path.iterdir()) == []


def test_seeds_are_averaged_query_by_query():
    one = {"metric": "t2v.R@1", "shares": [0.0, 1.0], "query_ids": ["a", "b"], "t2v": [[1, 1], [2, 2]]}
    other = one | {"t2v": [[1, 2], [1, 2]]}
    as_trained, moved = interpolated.lines("stills", [one, other])
    assert (as_trained["value"], moved["value"], moved["change"]) == (75, 25, -50)
    assert (moved["won"], moved["lost"]) == (0, 2)
    same = interpolated.lines("stills", [one, one])[
        1
    ]  # both seeds lose both: no draw of seeds says otherwise
    assert (same["change"], same["change_low"], same["change_high"]) == (-100, -100, -100)
    with pytest.raises(ValueError, match="other shares or on other queries"):
        interpolated.lines("stills", [one, other | {"query_ids": ["a", "c"]}])


@pytest.mark.parametrize(
    "damaged",
    [
        "[]", "{", "{}", '{"measured": []}', '{"measured": {"videos": 3}}',
        '{"measured": {"videos": {"metric": "t2v.R@1", "shares": [0], "query_ids": ["a"], "t2v": [[1, 2]]}}}',
        '{"measured": {"videos": {"metric": "t2v.R@1", "shares": [0, 1], "query_ids": ["a"], "t2v": [[1]]}}}',
        '{"measured": {"videos": {"metric": "R@1", "shares": [0], "query_ids": ["a"], "t2v": [[1]]}}}',
        '{"measured": {"videos": {"metric": "t2v.R@1", "shares": [0], "query_ids": ["a"], "t2v": [["1"]]}}}',
        '{"measured": {"videos": {"metric": 1, "shares": [0], "query_ids": ["a"], "t2v": [[1]]}}}',
    ],
)  # fmt: skip
def test_damaged_files_are_not_read(tmp_path, damaged):
    (tmp_path / INTERPOLATION).write_text(damaged)
    assert interpolated.read(tmp_path) is None


def test_what_cannot_go_back_is_named(run, worlds, tmp_path):
    with pytest.raises(ValueError, match="a share of 1.5"):
        interpolate(run, worlds_root=worlds, shares=[1.5])
    with pytest.raises(ValueError, match="suite 'nowhere' is not in the embedded world"):
        interpolate(run, worlds_root=worlds, also=[("nowhere", None)])
    frozen = train(with_parts(EXPERIMENT, train={"frozen": "clip", "epochs": 1}), tmp_path, worlds)
    with pytest.raises(ValueError, match="has CLIP's own weights"):
        interpolate(frozen, worlds_root=worlds)
    with pytest.raises(ValueError, match="interpolated_loss.*train.frozen 'clip' trains none"):
        train(with_parts(EXPERIMENT, train={"frozen": "clip", "interpolated_loss": 0.5}), tmp_path, worlds)
