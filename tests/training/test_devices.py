"""A run on other devices and numbers of processes ends as the undisturbed one of a single process does."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from stan import results
from stan.config import TrainConfig, with_parts
from stan.models import checkpoint
from stan.models.dual_encoder import build
from stan.training import fsdp
from stan.training import trainer as training
from stan.training.trainer import CHECKPOINT, LAST, RESUME, train
from tests.support import processes
from tests.support.tiny_experiment import tiny

EXPERIMENT = with_parts(
    tiny("motions", "stan", frozen="nothing", epochs=2, lr=3e-4, clip_lr_ratio=1.0),
    model={"options": {"layers": 2, "drop_path": 0.5}, "similarity": "token_interaction"},
)
"""Live decoding, random frames and crops, drop path: all that is random in training; and a similarity that learns."""

AVERAGED = with_parts(EXPERIMENT, train={"averaged_from": 1})
"""The same, tested with the mean over its two epochs."""

PIECES = {"train": {"chunk": 2, "checkpointing": True}}
"""As little at a time as can be."""

FABRIC = ()
"""The script is simply run, and Fabric starts the second process."""

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def trains_until(runs: str, worlds: str, strategy: str, devices: int, until: int, kind: str) -> None:
    """In processes of their own: train, but die before step `until`, if there is one."""
    update = training._update

    def dies(*given):
        if given[-2] == until:
            # all processes end before this step, none while another still hears from it
            given[0].fabric.barrier()
            time.sleep(1)
            os._exit(0)
        return update(*given)

    training._update = dies
    experiment = AVERAGED if "averaged" in kind else EXPERIMENT
    if "pieces" in kind:
        experiment = with_parts(experiment, **PIECES)
    training.train(
        experiment, runs, worlds, accelerator="cpu", devices=devices, strategy=strategy, checkpoint_seconds=0
    )


def run(
    folder: Path, worlds: Path, strategy: str, devices: int, until: int, kind: str, launcher: tuple | None
) -> None:
    """Two processes are started by the launcher, if there is one; all others are forked."""
    strategy = strategy if devices > 1 else "auto"
    given = (str(folder / "runs"), str(worlds), strategy, devices, until, kind)
    if devices == 1 or launcher is None:
        processes.forked(folder, devices, trains_until, *given)
    else:
        processes.scripted(folder, launcher, trains_until, *given)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """The folder of runs by one process, each of which is trained when it is first asked for."""
    return tmp_path_factory.mktemp("undisturbed")


@pytest.mark.slow
@pytest.mark.timeout(1200)  # some processes start one after the other, each with all of torch
@pytest.mark.parametrize(
    ("strategy", "first", "then", "launcher", "kind"),
    [
        ("ddp", 2, 1, FABRIC, "whole"),
        ("ddp", 1, 2, TORCHRUN, "whole"),
        ("ddp", 2, 1, None, "averaged"),
        ("fsdp", 2, 1, None, "in pieces"),
        ("fsdp", 1, 2, None, "in pieces"),
        ("fsdp", 1, 2, None, "averaged, in pieces"),
    ],
    ids=["ddp-2-1", "ddp-1-2-torchrun", "ddp-2-1-averaged", "fsdp-2-1", "fsdp-1-2", "fsdp-1-2-averaged"],
)
def test_a_run_goes_on_with_another_number_of_processes(
    tmp_path, worlds, undisturbed, strategy, first, then, launcher, kind
):
    """In pieces: chunk by chunk, and blocks computed again."""
    experiment = AVERAGED if "averaged" in kind else EXPERIMENT
    straight = train(experiment, undisturbed, worlds, accelerator="cpu")
    run(tmp_path, worlds, strategy, first, 4, kind, launcher)
    folder = tmp_path / "runs" / experiment.id
    assert torch.load(folder / RESUME)["state"]["step"] == 4 and not (folder / "eval.json").exists()
    run(tmp_path, worlds, strategy, then, -1, kind, launcher)
    wanted, found = (results.history(one) for one in (straight, folder))
    assert found["step"].dropna().tolist() == wanted["step"].dropna().tolist() == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(found["loss"].dropna(), wanted["loss"].dropna(), rtol=1e-5)
    torch.manual_seed(EXPERIMENT.seed)
    start = build(EXPERIMENT.model, EXPERIMENT.data.frames).state_dict()
    for file in (CHECKPOINT, LAST) if "averaged" in kind else (CHECKPOINT,):
        same, other = (checkpoint.load(one / file)[0] for one in (straight, folder))
        assert same.keys() == other.keys() == start.keys()
        trained = same.keys() - {"encoder.clip.logit_scale"}
        apart, moved = (sum((same[n] - x[n]).square().sum() for n in trained).sqrt() for x in (other, start))
        assert apart < 0.01 * moved


@pytest.mark.parametrize("setting", [{"learned_scale": True}, {"interpolated_loss": 0.5}])
def test_what_cannot_be_spread_is_refused_with_fsdp(setting):
    fsdp.check(TrainConfig())
    with pytest.raises(ValueError, match=f"train.{next(iter(setting))} and strategy fsdp don't go together"):
        fsdp.check(TrainConfig(**setting))


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_batch_that_processes_cannot_share_is_refused_before_anything_is_written(tmp_path, strategy):
    wrong = "train.batch is 8, which 3 processes can't share evenly: choose a multiple of 3"
    with pytest.raises(ValueError, match=wrong):
        train(EXPERIMENT, tmp_path, tmp_path, accelerator="cpu", devices=3, strategy=strategy)
    assert list(tmp_path.iterdir()) == []
