"""A run that is killed, at any moment and also while it saves, ends with the very weights of one that isn't."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch

from stan import results
from stan.config import with_parts
from stan.models import checkpoint
from stan.training import resume
from stan.training.trainer import CHECKPOINT, train
from tests.support import processes
from tests.support.tiny_experiment import tiny

EXPERIMENT = tiny("motions", "stan", frozen="nothing", epochs=5, lr=3e-3, interpolated_loss=0.5)
"""Live decoding, random frames and crops, drop path, a share of the weights at the start: all that is random."""


def trains(runs_root: Path, worlds: Path, kill_at_save: int) -> None:
    """In a process of its own: train, but be killed amid the save of this number, counted from 1."""
    replace, saves = os.replace, 0

    def dies_while_saving(source, target):
        nonlocal saves
        if str(target).endswith("resume.pt"):
            saves += 1
            if saves == kill_at_save:
                os.truncate(source, os.path.getsize(source) // 2)
                os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    resume.os.replace = dies_while_saving
    train(EXPERIMENT, runs_root, worlds, checkpoint_seconds=0.2)


def steps(run: Path) -> int:
    log = run / "metrics.jsonl"
    return log.read_text().count('"loss"') if log.exists() else 0


def attempts(run: Path) -> int:
    record = run / "run.json"
    return json.loads(record.read_text())["resumed"] + 1 if record.exists() else 0


def wait_for_steps(process: BaseProcess, log: Path, run: Path, wanted: int, attempt: int) -> None:
    """Until this attempt has opened the record and the log, partly of earlier ones, holds so many steps."""
    limit = time.monotonic() + 200
    while attempts(run) < attempt or steps(run) < wanted:
        assert process.exitcode is None, log.read_text()
        assert time.monotonic() < limit, f"only {steps(run)} of {wanted} steps"
        time.sleep(0.002)


@pytest.mark.slow
def test_killed_at_three_moments_and_while_saving(tmp_path):
    worlds = tmp_path / "worlds"
    straight = train(EXPERIMENT, tmp_path / "straight", worlds)
    killed_root = tmp_path / "killed"
    run, log = killed_root / EXPERIMENT.id, tmp_path / "killed.log"
    for attempt, wanted in enumerate(sorted(random.Random().sample(range(2, 12), 3)), 1):
        process = processes.start(log, trains, killed_root, worlds, 0)
        wait_for_steps(process, log, run, wanted, attempt)
        time.sleep(random.Random().uniform(0, 0.3))
        process.kill()
        process.join()
        assert json.loads((run / "run.json").read_text())["status"] == "running"
    process = processes.start(log, trains, killed_root, worlds, 1)
    process.join(200)
    assert process.exitcode == -signal.SIGKILL, log.read_text()
    assert train(EXPERIMENT, killed_root, worlds) == run
    assert json.loads((run / "run.json").read_text())["resumed"] == 4
    for name in (CHECKPOINT, "last.safetensors"):
        assert (straight / name).exists() == (run / name).exists()
        if (run / name).exists():
            one, other = (checkpoint.load(folder / name)[0] for folder in (straight, run))
            assert all(torch.equal(one[key], other[key]) for key in one), name
    wanted, found = (results.history(folder) for folder in (straight, run))
    same = ["step", "epoch", "loss", "lr", "validation.top-1"]
    assert found[same].equals(wanted[same])
    evaluations = [json.loads((folder / "eval.json").read_text()) for folder in (straight, run)]
    assert evaluations[0] == evaluations[1]


@pytest.mark.slow
def test_a_batch_norms_statistics_are_resumed(tmp_path):
    experiment = with_parts(
        tiny("scenes", "uniformer_v2", frozen="nothing"),
        model={"options": {"convolutions": 1, "bottleneck": 8}},
    )

    def interrupt(stage, done, total, values):
        if (stage, done) == ("training", 3):
            raise KeyboardInterrupt

    worlds = tmp_path / "worlds"
    straight = train(experiment, tmp_path / "straight", worlds)
    with pytest.raises(KeyboardInterrupt):
        train(experiment, tmp_path / "resumed", worlds, checkpoint_seconds=0, progress=interrupt)
    resumed = train(experiment, tmp_path / "resumed", worlds)
    wanted, found = (checkpoint.load(folder / CHECKPOINT)[0] for folder in (straight, resumed))
    assert any(name.endswith("running_var") for name in wanted)
    assert [name for name, tensor in wanted.items() if not torch.equal(tensor, found[name])] == []
