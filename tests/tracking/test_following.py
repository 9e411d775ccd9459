"""Runs that are trained beside a tracker that works, is away, comes back or hangs: the record is always the same."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from stan import cli, results
from stan.common.files import digest
from stan.config import with_parts
from stan.tracking import base, following
from stan.training.trainer import CHECKPOINT, train
from tests.support import failing_tracker as tracker
from tests.support.tiny_experiment import tiny

pytestmark = pytest.mark.slow

EXPERIMENT = tiny("retrieval", "stan", epochs=2)
TOLD = with_parts(EXPERIMENT, train={"logger": "fake"})


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    monkeypatch.setitem(base.TRACKERS, "fake", "tests.support.failing_tracker")
    yield
    tracker.reset()


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture(scope="module")
def alone(tmp_path_factory, worlds) -> Path:
    """The run without any tracker."""
    return train(EXPERIMENT, tmp_path_factory.mktemp("alone"), worlds)


def steps(run: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines if "loss" in line]


def arrived() -> list[tuple[int, float]]:
    [points] = tracker.RUNS.values()
    return [(point.step, point.values["loss"]) for point in points if "loss" in point.values]


def test_a_logger_is_no_part_of_what_is_trained():
    assert TOLD.hash == EXPERIMENT.hash
    assert TOLD.training_hash == EXPERIMENT.training_hash
    assert TOLD.id == EXPERIMENT.id


def test_the_tracker_gets_the_log_and_the_evaluation(alone, tmp_path, worlds):
    run = train(TOLD, tmp_path, worlds)
    assert arrived() == steps(run) == steps(alone)
    [points] = tracker.RUNS.values()
    validations = [p for p in points if "validation.t2v.R@1" in p.values]
    per_epoch = len(steps(run)) // 2
    assert [(p.step, p.values["epoch"]) for p in validations] == [(per_epoch, 0), (2 * per_epoch, 1)]
    evaluation = results.read(run)["evaluation"]
    assert points[-1].step == 2 * per_epoch
    assert points[-1].values["t2v.R@1"] == evaluation["metrics"]["t2v"]["R@1"]
    assert [point.time for point in points] == sorted(point.time for point in points)
    assert tracker.ENDED == ["done"]


def test_the_tracker_is_told_settings_and_origin(tmp_path, worlds):
    run = train(TOLD, tmp_path, worlds)
    facts = tracker.FACTS[0]
    assert facts.id == EXPERIMENT.id
    assert (facts.config["train.epochs"], facts.config["model.temporal"], facts.config["seed"]) == (
        2,
        "stan",
        0,
    )
    assert facts.tags["record"] == str(run)
    assert facts.tags["suite"] == "retrieval"


def test_record_and_weights_are_those_of_a_run_without_a_tracker(alone, tmp_path, worlds):
    run = train(TOLD, tmp_path, worlds)
    for name in ("config.json", "eval.json"):
        assert (run / name).read_bytes() == (alone / name).read_bytes()
    assert digest(run / CHECKPOINT) == digest(alone / CHECKPOINT)


@pytest.mark.parametrize("call", ["open", "log", "end"])
def test_a_tracker_that_fails_in_every_call_costs_one_warning(alone, tmp_path, worlds, call):
    tracker.fails |= {call}
    with pytest.warns(UserWarning, match="fake does not get what is logged.*nobody answers") as told:
        run = train(TOLD, tmp_path, worlds)
    assert len(told) == 1
    assert "stan track" in str(told[0].message)
    assert results.read(run)["status"] == "done"
    assert steps(run) == steps(alone)
    assert digest(run / CHECKPOINT) == digest(alone / CHECKPOINT)


def test_a_tracker_that_hangs_is_left_behind(tmp_path, worlds, monkeypatch):
    monkeypatch.setattr(following, "CLOSING", 0.2)
    tracker.hangs.set()
    with pytest.warns(UserWarning, match="it does not answer"):
        run = train(TOLD, tmp_path, worlds)
    assert results.read(run)["status"] == "done"


def test_what_a_tracker_missed_is_sent_once_by_stan_track(tmp_path, worlds, stan):
    tracker.fails |= {"open"}
    with pytest.warns(UserWarning):
        run = train(TOLD, tmp_path, worlds)
    code, out, _ = stan("track", run, "--logger", "fake", "--json")
    assert code == 1 and "nobody answers" in out
    tracker.fails.clear()
    code, out, _ = stan("track", run, "--logger", "fake", "--json")
    [told] = json.loads(out)
    assert (code, told["evaluation"], told["error"]) == (0, True, None)
    assert told["lines"] == len(results.history(run))
    assert arrived() == steps(run)
    code, out, _ = stan("track", run, "--json")  # the record knows the tracker by now
    assert (code, json.loads(out)[0]["lines"]) == (0, 0)
    assert arrived() == steps(run)


def test_the_next_call_of_the_same_training_sends_what_is_missing(tmp_path, worlds):
    tracker.fails |= {"log"}
    with pytest.warns(UserWarning):
        run = train(TOLD, tmp_path, worlds)
    tracker.fails.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert train(TOLD, tmp_path, worlds) == run
    assert arrived() == steps(run)
    assert len(tracker.RUNS) == 1


def test_an_equal_run_of_another_study_is_sent_without_training(tmp_path, worlds):
    train(EXPERIMENT, tmp_path, worlds)
    assert not tracker.RUNS
    other = train(replace(TOLD, study="other"), tmp_path, worlds)
    assert arrived() == steps(other)


class Stopped(Exception):
    pass


def test_a_resumed_run_goes_on_in_the_same_run_of_the_tracker(alone, tmp_path, worlds):
    def stop(stage, done, total, *_):
        if stage == "training" and done == 5:
            raise Stopped

    with pytest.raises(Stopped):
        train(TOLD, tmp_path, worlds, progress=stop, checkpoint_seconds=0)
    assert tracker.ENDED == ["failed"]
    assert arrived() == steps(alone)[:5]
    run = train(EXPERIMENT, tmp_path, worlds)  # the record knows the tracker
    assert arrived() == steps(run) == steps(alone)
    assert tracker.ENDED == ["failed", "done"]
    assert len(tracker.RUNS) == 1


def test_steps_that_a_resumed_run_repeats_are_not_sent_twice(alone, tmp_path, worlds):
    def stop(stage, done, total, *_):
        if stage == "training" and done == 5:
            raise Stopped

    with pytest.raises(Stopped):  # nothing is saved, so it begins anew
        train(TOLD, tmp_path, worlds, progress=stop, checkpoint_seconds=1e9)
    run = train(TOLD, tmp_path, worlds)
    assert arrived() == steps(run) == steps(alone)


def test_an_unknown_logger_is_one_clear_line(tmp_path, worlds):
    wrong = with_parts(EXPERIMENT, train={"logger": "mlflow,neptun"})
    with pytest.raises(ValueError, match="train.logger is neptun; it can be tensorboard, wandb"):
        train(wrong, tmp_path, worlds)


def test_a_client_that_is_not_installed_is_named_with_its_extra(tmp_path, worlds, monkeypatch):
    monkeypatch.setitem(base.TRACKERS, "fake", "stan_has_no_such_client")
    with pytest.raises(
        ValueError, match=r"fake needs the package stan_has_no_such_client.*stan-video\[fake\]"
    ):
        train(TOLD, tmp_path, worlds)
    assert not (tmp_path / EXPERIMENT.id).exists()


def test_a_run_that_no_tracker_knows_needs_a_name(alone, capsys):
    assert cli.run(["track", str(alone)]) == 2
    assert "name one with --logger" in capsys.readouterr().err
