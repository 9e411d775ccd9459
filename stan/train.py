"""An experiment in; the folder of its finished run out: trained or resumed, picked on validation, tested, recorded.

Everything random in a step follows from the seed and the step's number, so that a run that was killed at any moment and
resumed goes on as if nothing had happened: on one kind of CPU and number of threads to the same weights, bit for bit.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from lightning_fabric import Fabric
from torch import Tensor, nn
from tqdm import tqdm

from stan import checkpoints, results
from stan.config import Experiment, TrainConfig
from stan.data.loader import Batch, Loader, order
from stan.evaluate import Measured, check_tricks, description, embed, measure, open_split, to_device, views_of
from stan.experiments import learning_rate, task
from stan.losses import classification, info_nce
from stan.metrics import HEADLINE
from stan.models.clip import TextOutput
from stan.models.dual_encoder import DualEncoder, build
from stan.models.presets import CHECKPOINT, save_model
from stan.models.video_encoder import VideoOutput

PRECISIONS = ("32-true", "bf16-mixed")
LAST, RESUME = "last.safetensors", "resume.pt"

def train(
    experiment: Experiment,
    runs_root: str | Path = "runs",
    worlds_root: str | Path = "worlds",
    *,
    accelerator: str = "auto",
    devices: int | str = 1,
    strategy: str = "auto",
    checkpoint_seconds: float = 30.0,
    progress: Report | None = None,
) -> Path:
    """Runs the experiment to its end, from where an earlier attempt stopped, and returns the run's folder.

    An experiment that is done already is not run again; equal ones under another study or row take over its numbers,
    and those that differ only in test-time tricks its weights. accelerator, devices, strategy: in lightning-fabric's
    words (`strategy="ddp", devices=2`). checkpoint_seconds: what a killed run loses at most, beside its current step.
    progress: instead of progress bars.
    Raises ValueError for what the experiment asks for and can't have, and for a loss that isn't finite.
    """
    check(experiment)
    finished = results.find(runs_root, experiment)
    if finished is not None:
        own = Path(runs_root) / experiment.id
        return own if finished == own else results.adopt(runs_root, experiment, finished)
    fabric = Fabric(
        accelerator=accelerator, devices=devices, strategy=strategy, precision=experiment.train.precision
    )
    fabric.launch()
    with _record(fabric, runs_root, experiment) as run, _Bars(progress, fabric.is_global_zero) as report:
        torch.manual_seed(experiment.seed)
        model = build(experiment.model, experiment.data.frames).to(fabric.device)
        freeze(model, experiment.train)
        opened = _opener(experiment, model, worlds_root, runs_root, report)
        validation, test = opened("val"), opened("test", views_of(experiment.test_time))
        run.note(device=str(fabric.device), data_hash=test.videos.hash)
        weights = _trained_alike(runs_root, experiment)
        if weights is None:
            weights = run.folder
            epoch = _fit(
                fabric, experiment, model, opened("train"), validation, run, report, checkpoint_seconds
            )
        else:
            epoch = results.read(weights)["evaluation"]["epoch"]
            run.note(same_as=results.read(weights)["id"])
        if fabric.is_global_zero:
            run.note(checkpoint_hash=_file_hash(weights / CHECKPOINT))
            run.finish(*_test(fabric, experiment, model, validation, test, weights, epoch))
            (run.folder / RESUME).unlink(missing_ok=True)
        fabric.barrier()
    return run.folder


def prepare(
    experiment: Experiment,
    worlds_root: str | Path = "worlds",
    runs_root: str | Path = "runs",
    progress: Report | None = None,
) -> None:
    """Renders the world and computes the levels that `train` will read, so that runs side by side don't repeat it."""
    check(experiment)
    model = build(experiment.model, experiment.data.frames)
    with _Bars(progress) as report:
        opened = _opener(experiment, model, worlds_root, runs_root, report)
        opened("train"), opened("val"), opened("test", views_of(experiment.test_time))


def check(experiment: Experiment) -> None:
    """Raises ValueError for settings that no run can have."""
    recipe = experiment.train
    check_tricks(experiment.test_time, task(experiment.data.suite))
    for name, value, known in (
        ("frozen", recipe.frozen, FROZEN),
        ("precision", recipe.precision, PRECISIONS),
    ):
        if value not in known:
            raise ValueError(f"train.{name} is {value!r}; it can be {', '.join(known)}")
    for name in ("batch", "lr", "temperature"):
        if not getattr(recipe, name) > 0:
            raise ValueError(f"train.{name} is {getattr(recipe, name)}; it must be above zero")
    if recipe.epochs < 0:
        raise ValueError(f"train.epochs is {recipe.epochs}; it can't be negative")


def _fit(
    fabric: Fabric,
    experiment: Experiment,
    model: DualEncoder,
    training: Loader,
    validation: Loader,
    run: results.RunWriter | _Follower,
    report: Report,
    checkpoint_seconds: float,
) -> int | None:
    """Trains to the last step; returns the epoch that is best on validation, None where nothing is trained.

    Leaves that epoch's weights in CHECKPOINT and, where it isn't the last, the last epoch's in LAST.
    """
    recipe = experiment.train
    groups = parameter_groups(model, recipe)
    per_epoch = len(order(len(training), recipe.batch, experiment.seed, 0))
    steps = recipe.epochs * per_epoch if groups else 0
    if steps == 0:  # mean pooling of a frozen CLIP: there is nothing to train, only to test
        _save_weights(fabric, run.folder / CHECKPOINT, model, experiment)
        return None
    optimizer = torch.optim.AdamW(groups, recipe.lr, BETAS, EPSILON, fused=True)
    objective, optimizer = fabric.setup(Objective(model).train(), optimizer)
    state = _resume(run, model, optimizer, fabric.device)
    saved = time.monotonic()
    for batch in _batches(fabric, experiment, training, state.step, steps, per_epoch):
        began = time.monotonic()
        loss = _update(fabric, objective, model, optimizer, batch, experiment, state.step, steps)
        epoch, state.step = state.step // per_epoch, state.step + 1
        spent = time.monotonic() - began
        state.seconds += spent
        line = {
            "step": state.step - 1,
            "epoch": epoch,
            "loss": loss,
            "lr": rate(state.step - 1, steps, recipe),
        }
        run.log(line | {"clips_per_second": recipe.batch / spent, "time": state.seconds})
        report(
            "training", state.step, steps, {"loss": loss, HEADLINE[validation.videos.task]: state.best_value}
        )
        if state.step % per_epoch == 0:
            _validate(fabric, experiment, model, validation, run, state, epoch)
        if state.step == steps or time.monotonic() - saved >= checkpoint_seconds:
            state.lines = run.lines
            _save_state(fabric, run.folder / RESUME, model, optimizer, state)
            saved = time.monotonic()
    if state.best_epoch != recipe.epochs - 1:
        _save_weights(fabric, run.folder / LAST, model, experiment)
    return state.best_epoch


def _update(
    fabric: Fabric,
    objective: nn.Module,
    model: DualEncoder,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    experiment: Experiment,
    step: int,
    steps: int,
) -> float:
    """One step of the optimizer; returns the loss. Raises ValueError where the loss isn't finite."""
    recipe = experiment.train
    # of this step and process alone, so that no state of the generators needs keeping
    entropy = np.random.SeedSequence((experiment.seed, step, fabric.global_rank))
    torch.manual_seed(int(entropy.generate_state(1)[0]))
    for group in optimizer.param_groups:
        group["lr"] = group["share"] * rate(step, steps, recipe)
    loss = batch_loss(fabric, objective, model, to_device(batch, fabric.device), recipe)
    if not torch.isfinite(loss):
        raise ValueError(
            f"the loss is {loss.item()} at step {step} of {steps}: lower train.lr ({recipe.lr:g}), or raise"
            f" train.temperature ({recipe.temperature:g})"
        )
    fabric.backward(loss)
    fabric.clip_gradients(objective, optimizer, max_norm=recipe.clip_gradient)
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def _batches(
    fabric: Fabric, experiment: Experiment, training: Loader, first: int, steps: int, per_epoch: int
) -> Iterator[Batch]:
    """The batches from step `first` on, of each this process's share."""
    size, share = experiment.train.batch, fabric.world_size
    if size % share:
        raise ValueError(f"a batch of {size} can't be shared evenly by {share} processes")
    for epoch in range(first // per_epoch, steps // per_epoch):
        rows = order(len(training), size, experiment.seed, epoch)
        rows = rows[first - epoch * per_epoch :] if epoch == first // per_epoch else rows
        mine = [np.split(row, share)[fabric.global_rank] for row in rows]
        for batch in training.batches(mine, (experiment.seed, epoch)):
            yield batch if training.videos.task == "retrieval" else batch | {"text": training.classes}


def _validate(
    fabric: Fabric,
    experiment: Experiment,
    model: DualEncoder,
    validation: Loader,
    run: results.RunWriter | _Follower,
    state: State,
    epoch: int,
) -> None:
    """Measures on validation and keeps the weights if they are the best so far; of equals, the later."""
    if fabric.is_global_zero:
        measured = measure(model, validation, precision=fabric.autocast())
        run.log({"epoch": epoch, "validation": measured.metrics})
        value = measured.headline(validation.videos.task)
        if value >= state.best_value:
            state.best_epoch, state.best_value = epoch, value
            _save_weights(fabric, run.folder / CHECKPOINT, model, experiment)
    fabric.barrier()


def _test(
    fabric: Fabric,
    experiment: Experiment,
    model: DualEncoder,
    validation: Loader,
    test: Loader,
    weights: Path,
    epoch: int | None,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """eval.json and ranks.npz of the weights in the folder `weights`."""
    last = (
        _measure_weights(fabric, model, test, weights / LAST, experiment)
        if (weights / LAST).exists()
        else None
    )
    best = _measure_weights(fabric, model, test, weights / CHECKPOINT, experiment)
    found = {"split": "test"} | description(test.videos.task, experiment.test_time)
    found |= {
        "selected": "best on validation" if epoch is not None else "nothing to train",
        "epoch": epoch,
        "metrics": best.metrics,
        "last": (last or best).metrics,
        "validation": measure(model, validation, precision=fabric.autocast()).metrics,
        "lr": learning_rate(experiment),
    }
    return found, best.arrays


def _measure_weights(
    fabric: Fabric, model: DualEncoder, loader: Loader, file: Path, experiment: Experiment
) -> Measured:
    state, _ = checkpoints.load(file)
    checkpoints.fill(model, state, file, optional="encoder.clip.")
    return measure(model, loader, experiment.test_time, fabric.autocast())


def _save_weights(fabric: Fabric, file: Path, model: DualEncoder, experiment: Experiment) -> None:
    if fabric.is_global_zero:
        model.logit_scale.requires_grad_(
            True
        )  # set by the recipe, so that it isn't taken for the backbone's own
        save_model(file, model, experiment)
        model.logit_scale.requires_grad_(False)


def _trained_alike(runs_root: str | Path, experiment: Experiment) -> Path | None:
    """A done run with the same weights, its own to be loaded."""
    run = results.find_training(runs_root, experiment)
    return run if run is not None and (run / CHECKPOINT).exists() else None


def _opener(
    experiment: Experiment, model: DualEncoder, worlds_root: str | Path, runs_root: str | Path, report: Report
) -> Callable[..., Loader]:
    """`open_split` for this run, its progress reported."""

    def opened(split: str, views: int = 1) -> Loader:
        def progress(done: int, total: int) -> None:
            report(f"levels of {split}", done, total, {})

        return open_split(experiment, model, split, worlds_root, runs_root, views, progress)

    return opened


def _file_hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def _record(fabric: Fabric, runs_root: str | Path, experiment: Experiment) -> results.RunWriter | _Follower:
    if fabric.is_global_zero:
        return results.RunWriter.start(runs_root, experiment)
    return _Follower(Path(runs_root) / experiment.id)


