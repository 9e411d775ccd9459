"""`stan recipe` and the training of its rows: what is listed, told and handed on, and what is refused."""

from __future__ import annotations

import json

import pytest
from lightning_fabric.utilities.rank_zero import rank_zero_only

from stan.bench import step_memory
from stan.experiments.recipes import RECIPES
from stan.experiments.recipes import recipe as benchmark
from stan.training import trainer as training
from tests.support.written_runs import done


def test_all_rows_are_listed(stan):
    listed = json.loads(stan("recipe", "--json")[1])
    assert [row["row"] for row in listed] == list(RECIPES)
    found = next(row for row in listed if row["row"] == "something-self-b16-16")
    assert (found["backbone"], found["frames"], found["layers"]) == ("ViT-B-16", 16, 6)
    assert (found["metric"], found["printed"]) == ("top-1", 69.5)


def test_a_row_is_told_with_its_numbers_and_its_command(stan):
    told = json.loads(stan("recipe", "lsmdc-self-b32-released", "--json")[1])
    assert told["command"] == "stan train lsmdc-self-b32-released --study benchmarks --data lsmdc:ROOT"
    assert told["experiment"]["train"]["weight_decay"] == 0.2 and "step" not in told
    assert {item["metric"]: item["value"] for item in told["printed"]}["R@1"] == 23.7
    assert "talk slides" in stan("recipe", "lsmdc-self-b32-released")[1]


def test_a_dry_run_tells_which_card_holds_a_step(stan, monkeypatch):
    def made(experiment, clips):
        assert experiment.model.backbone == "ViT-B-16"
        return step_memory.StepMemory(
            step_memory.GIB, 1, 2, (2 + clips * 90 * (1 - experiment.train.checkpointing)) << 30, 7
        )

    monkeypatch.setattr(step_memory, "step", lambda one, clips: made(one, clips))
    monkeypatch.setattr(
        step_memory,
        "_card",
        lambda card, lines, batch: {
            "card": card,
            "plain": 0,
            "recomputed": 9,
            "set": None if card == 24 else ["train.chunk=9"],
        },
    )
    told = json.loads(stan("recipe", "msrvtt-self-b16", "--dry-run", "--json")[1])
    assert told["step"]["plain"] == {"fixed": 2 << 30, "per_clip": 90 << 30} and told["step"]["batch"] == 128
    lines = stan("recipe", "msrvtt-self-b16", "--dry-run")[1].splitlines()
    assert [line.split() for line in lines if "GB  " in line and line.startswith("p")] == [
        ["parameters,", "GB", "1"],
        ["plain.fixed,", "GB", "2"],
        ["plain.per_clip,", "GB", "90"],
    ]
    text = lines[-3:]
    assert text[0].split()[-3:] == ["does", "not", "fit"] and text[1].endswith("--set train.chunk=9")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_row_is_trained_on_all_devices_and_one_process_prints(stan, monkeypatch, tmp_path, rank):
    asked = {}

    def record(experiment, runs, worlds, **given):
        asked.update(given, experiment=experiment)
        return done(tmp_path)

    monkeypatch.setattr(training, "train", record)
    monkeypatch.setattr(rank_zero_only, "rank", rank)
    given = ("--study", "benchmarks", "--data", "didemo:there", "--set", "train.chunk=4", "--devices", 8)
    code, out, err = stan("train", "didemo-conv-b32", *given, "--nodes", 2, "--strategy", "fsdp", "--json")
    assert code == 0, err
    assert (asked["devices"], asked["nodes"], asked["strategy"]) == (8, 2, "fsdp")
    one = asked["experiment"]
    assert (one.data.root, one.train.chunk, one.id) == (
        "there",
        4,
        benchmark("didemo-conv-b32").experiment.id,
    )
    assert one.model == benchmark("didemo-conv-b32").experiment.model
    assert (out == "") == (rank == 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["recipe", "charades"], "no recipe 'charades'"),
        (
            ["train", "didemo-conv-b32", "--study", "benchmarks", "--data", "msrvtt:there"],
            "give --data didemo:ROOT",
        ),
    ],
)
def test_what_is_refused(stan, arguments, said):
    code, out, err = stan(*arguments)
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1
