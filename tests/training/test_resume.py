"""A run that is killed, at any moment and also while it saves, ends with the very weights of one that isn't."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from stan import results
from stan.models import checkpoint
from stan.training.trainer import CHECKPOINT, train
from tests.support.tiny_experiment import tiny

EXPERIMENT = tiny("motions", "stan", frozen="nothing", epochs=5, lr=3e-3)
"""Live decoding, random frames and crops, drop path: all that is random in training."""

SCRIPT = """
import os, signal, sys
import torch

torch.set_num_threads(1)
from stan.training import resume
from stan.training.trainer import train
from tests.training.test_resume import EXPERIMENT

kill_at, replace, saves = int(sys.argv[3]), os.replace, 0


def dies_while_saving(source, target):
    global saves
    saves += 1
    if saves == kill_at:
        os.truncate(source, os.path.getsize(source) // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)


if kill_at:
    resume.os.replace = lambda a, b: dies_while_saving(a, b) if str(b).endswith("resume.pt") else replace(a, b)
train(EXPERIMENT, sys.argv[1], sys.argv[2], checkpoint_seconds=0.2)
"""


def start(runs_root: Path, worlds: Path, kill_at_save: int = 0) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(runs_root), str(worlds), str(kill_at_save)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def steps(run: Path) -> int:
    log = run / "metrics.jsonl"
    return log.read_text().count('"loss"') if log.exists() else 0


def attempts(run: Path) -> int:
    record = run / "run.json"
    return json.loads(record.read_text())["resumed"] + 1 if record.exists() else 0


def wait_for_steps(process: subprocess.Popen, run: Path, wanted: int, attempt: int) -> None:
    """Until this attempt has opened the record and the log, partly of earlier ones, holds so many steps."""
    limit = time.monotonic() + 200
    while attempts(run) < attempt or steps(run) < wanted:
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < limit, f"only {steps(run)} of {wanted} steps"
        time.sleep(0.002)


def test_killed_at_three_moments_and_while_saving(tmp_path):
    worlds = tmp_path / "worlds"
    straight = train(EXPERIMENT, tmp_path / "straight", worlds)
    killed_root = tmp_path / "killed"
    run = killed_root / EXPERIMENT.id
    for attempt, wanted in enumerate(sorted(random.Random().sample(range(2, 12), 3)), 1):
        process = start(killed_root, worlds)
        wait_for_steps(process, run, wanted, attempt)
        time.sleep(random.Random().uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stderr.close()
        assert json.loads((run / "run.json").read_text())["status"] == "running"
    process = start(killed_root, worlds, kill_at_save=1)
    assert process.wait(200) == -signal.SIGKILL, process.stderr.read().decode()
    process.stderr.close()
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
