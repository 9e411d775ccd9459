"""A run on other devices and numbers of processes ends as the undisturbed one of a single process does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stan import results
from stan.config import with_parts
from stan.models import checkpoint
from stan.models.dual_encoder import build
from stan.training.trainer import CHECKPOINT, RESUME, train
from tests.support.tiny_experiment import tiny

EXPERIMENT = with_parts(
    tiny("motions", "stan", frozen="nothing", epochs=2, lr=3e-4, clip_lr_ratio=1.0),
    model={"options": {"layers": 2, "drop_path": 0.5}, "similarity": "token_interaction"},
)
"""Live decoding, random frames and crops, drop path: all that is random in training; and a similarity that learns."""

IN_PIECES = with_parts(EXPERIMENT, train={"chunk": 2, "checkpointing": True})
"""The same, of as little at a time as can be."""

SCRIPT = """
import os, sys, time
import torch

torch.set_num_threads(1)
from stan.training import trainer as training
from tests.training.test_devices import EXPERIMENT, IN_PIECES

runs, worlds, strategy, devices, until = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
update = training._update


def dies(*given):
    if given[-2] == until:  # the step; all processes end before it, none while another still hears from it
        given[0].fabric.barrier()
        time.sleep(1)
        os._exit(0)
    return update(*given)


training._update = dies
experiment = EXPERIMENT if sys.argv[6] == "whole" else IN_PIECES
training.train(
    experiment, runs, worlds, accelerator="cpu", devices=devices, strategy=strategy, checkpoint_seconds=0
)
"""
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def run(
    folder: Path, worlds: Path, strategy: str, devices: int, until: int, pieces: str, launcher: tuple = ()
) -> None:
    script = folder / "run.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    strategy = strategy if devices > 1 else "auto"
    given = [script, folder / "runs", worlds, strategy, devices, until, pieces]
    command = [sys.executable, *launcher, *map(str, given)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, worlds) -> Path:
    return train(EXPERIMENT, tmp_path_factory.mktemp("undisturbed"), worlds, accelerator="cpu")


@pytest.mark.timeout(1200)  # five processes start one after the other, each with all of torch
@pytest.mark.parametrize(
    ("strategy", "first", "then", "launcher"),
    [("ddp", 2, 1, ()), ("ddp", 1, 2, TORCHRUN), ("fsdp", 2, 1, ()), ("fsdp", 1, 2, ())],
    ids=["ddp-2-1", "ddp-1-2-torchrun", "fsdp-2-1", "fsdp-1-2"],
)
def test_a_run_goes_on_with_another_number_of_processes(
    tmp_path, worlds, undisturbed, strategy, first, then, launcher
):
    """With fsdp also chunk by chunk, and blocks computed again."""
    pieces, experiment = ("pieces", IN_PIECES) if strategy == "fsdp" else ("whole", EXPERIMENT)
    run(tmp_path, worlds, strategy, first, 4, pieces)
    folder = tmp_path / "runs" / experiment.id
    assert torch.load(folder / RESUME)["state"]["step"] == 4 and not (folder / "eval.json").exists()
    run(tmp_path, worlds, strategy, then, -1, pieces, launcher)
    wanted, found = (results.history(one) for one in (undisturbed, folder))
    assert found["step"].dropna().tolist() == wanted["step"].dropna().tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(found["loss"].dropna(), wanted["loss"].dropna(), rtol=1e-5)
    same, other = (checkpoint.load(one / CHECKPOINT)[0] for one in (undisturbed, folder))
    torch.manual_seed(EXPERIMENT.seed)
    start = build(EXPERIMENT.model, EXPERIMENT.data.frames).state_dict()
    assert same.keys() == other.keys() == start.keys()
    trained = same.keys() - {"encoder.clip.logit_scale"}
    apart, moved = (sum((same[n] - x[n]).square().sum() for n in trained).sqrt() for x in (other, start))
    assert apart < 0.01 * moved
