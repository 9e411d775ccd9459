"""An experiment in; the folder of its finished run out: trained or resumed, validated, and tested.

Everything random in a step follows from the seed and the step's number. So a run that is killed at any moment and
resumed goes on as if nothing had happened. On the same kind of CPU and number of threads it reaches the same weights,
bit for bit.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import ModelParallelStrategy
from torch import nn

from stan import results
from stan.common.files import digest
from stan.common.progress import Bars, StageProgress
from stan.common.tensors import to_device
from stan.config import Experiment, TrainConfig, with_parts
from stan.data.loader import Batch, Loader, hashes, order
from stan.evaluation.measure import Measured, embedded, measure
from stan.evaluation.splits import computed_once, open_split
from stan.evaluation.test_time import description, views_of
from stan.experiments import learning_rate
from stan.models import checkpoint, weight_interpolation
from stan.models.dual_encoder import DualEncoder, build, embeds_alike
from stan.models.factory import CHECKPOINT, save_model
from stan.results.record_files import BEST
from stan.results.same_data import refuse_other_data
from stan.tracking.base import chosen
from stan.tracking.following import following
from stan.training import fsdp
from stan.training.activation_checkpoint import recompute
from stan.training.checks import PRECISIONS, check, check_shares
from stan.training.chunked_backward import backward
from stan.training.compile import compile_blocks
from stan.training.mixing import mixed
from stan.training.no_record import NoRecord
from stan.training.objective import Objective
from stan.training.optim import changing, freeze, limit_scale, optimizer, parameter_groups, rate
from stan.training.resume import TrainingState, load_state, save_state
from stan.training.weight_average import share_of, take_in

if TYPE_CHECKING:
    from lightning_fabric.wrappers import _FabricModule

LAST, RESUME = "last.safetensors", "resume.pt"


def train(
    experiment: Experiment,
    runs_root: str | Path = "runs",
    worlds_root: str | Path = "worlds",
    *,
    accelerator: str = "auto",
    devices: int | str = 1,
    nodes: int = 1,
    strategy: str = "auto",
    checkpoint_seconds: float = 30.0,
    progress: StageProgress | None = None,
) -> Path:
    """Run the experiment to its end, from where an earlier attempt stopped, and return the run's folder.

    Finished work is not repeated: the experiment takes over the numbers of an equal run under another study or row, and
    the weights of a run that differs only in test-time tricks.
    accelerator, devices, nodes, strategy: in lightning-fabric's words (`strategy="ddp", devices=2`); strategy `fsdp`
        spreads the model's parameters over all devices. A run may be resumed with another number of processes.
    checkpoint_seconds: the most seconds of training that a killed run loses, beside its current step.
    progress: called instead of drawing progress bars.
    Raises ValueError for settings that the experiment can't have, for a batch that the processes can't share evenly,
    for a tracker whose client isn't installed, and for a loss that isn't finite. A tracker that fails later costs a
    warning.
    """
    check(experiment)
    trackers = chosen(experiment.train.logger)
    # so that record and weights are the same without them
    experiment = with_parts(experiment, train={"logger": ""})
    assert experiment.train.precision in PRECISIONS
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy=fsdp.strategy(strategy, devices, nodes),
        precision=experiment.train.precision,
    )
    if isinstance(fabric.strategy, ModelParallelStrategy):
        fsdp.check(experiment.train)
    check_shares(experiment.train.batch, fabric.world_size)
    fabric.launch()
    with following(trackers if fabric.is_global_zero else ()) as follow:
        taken = _taken_over(fabric, experiment, Path(runs_root), Path(worlds_root))
        if taken is not None:
            if fabric.is_global_zero:
                follow(taken)
            return taken
        model, start = _initial(experiment, fabric)  # refuses what can't be built before anything is written
        with (
            _record(fabric, runs_root, experiment) as record,
            Bars(progress, fabric.is_global_zero) as report,
        ):
            if fabric.is_global_zero:
                follow(record.folder)
            run = _Run(experiment, fabric, model, start, record, report, Path(runs_root), Path(worlds_root))
            _complete(run, checkpoint_seconds)
    return record.folder


def _taken_over(fabric: Fabric, experiment: Experiment, runs_root: Path, worlds_root: Path) -> Path | None:
    """Return the experiment's folder if its numbers are there, or an equal run has them; None if it must be run."""
    finished = fabric.broadcast(results.find(runs_root, experiment))
    if finished is None:
        return None
    refuse_other_data([(finished, experiment)], worlds_root, runs_root)
    own = runs_root / experiment.id
    if finished != own and fabric.is_global_zero:
        results.adopt(runs_root, experiment, finished, lr=learning_rate(experiment, runs_root))
    fabric.barrier()
    return own


def _complete(run: _Run, checkpoint_seconds: float) -> None:
    """Train, or take the weights of a run that trained alike; then test, and close the record as done."""
    experiment, fabric, record = run.experiment, run.fabric, run.record
    validation, test = run.open("val"), run.open("test", views_of(experiment.test_time))
    record.note(device=str(fabric.device), data_hash=test.videos.hash)
    weights = _trained_alike(run.runs_root, experiment)
    if weights is None:
        training = run.open("train")
        record.note(data_hashes=hashes(training, validation, test))
        weights, epoch = record.folder, _fit(run, training, validation, checkpoint_seconds)
    else:
        refuse_other_data([(weights, experiment)], run.worlds_root, run.runs_root)
        source = results.read(weights)
        epoch = source["evaluation"]["epoch"]
        record.note(same_as=source["id"], data_hashes=source["run"].get("data_hashes"))
    if fabric.is_global_zero:
        record.note(checkpoint_hash=digest(weights / CHECKPOINT)[:16])
        record.finish(*_test(run, validation, test, weights, epoch))
        (record.folder / RESUME).unlink(missing_ok=True)
    fabric.barrier()


def prepare(
    experiment: Experiment,
    worlds_root: str | Path = "worlds",
    runs_root: str | Path = "runs",
    progress: StageProgress | None = None,
) -> None:
    """Render the world and compute the levels that `train` will read, so that runs side by side find them."""
    check(experiment)
    with Bars(progress) as report:
        fabric = Fabric(devices=1)
        model, start = _initial(experiment, fabric)
        run = _Run(experiment, fabric, model, start, None, report, Path(runs_root), Path(worlds_root))
        for split in ("train", "val"):
            run.open(split)
        run.open("test", views_of(experiment.test_time))


@dataclass(frozen=True)
class _Run:
    """The objects that every part of a run works with."""

    experiment: Experiment
    fabric: Fabric
    model: DualEncoder
    """The model that is measured and saved; every process holds all of it."""
    start: weight_interpolation.Weights
    """What CLIP's trained weights start from; empty where the recipe has no loss that needs them."""
    record: Any
    report: StageProgress
    runs_root: Path
    worlds_root: Path

    def open(self, split: str, views: int = 1) -> Loader:
        """Return the loader of a split, with its levels computed if the image tower is frozen."""
        roots = (self.worlds_root, self.runs_root)
        loader = open_split(self.experiment, self.model, split, *roots, views=views, progress=self.report)
        if self.record is not None and self.experiment.data.skip_broken:
            self.record.skip(split, loader.videos.broken)
        return loader

    def measure(self, loader: Loader, test_time: tuple[str, ...] = ()) -> Measured:
        bank = self.open("train") if "qbnorm" in test_time else None
        return measure(self.model, loader, test_time, self.fabric.autocast(), bank)

    def settled(self, loader: Loader) -> Loader:
        """Return the loader; if training leaves its clips' embeddings as they are, they are computed here, once."""
        if computed_once(self.experiment) and embeds_alike(self.model):
            self.model.eval()
            with self.fabric.autocast():
                loader.read_embedded(embedded(self.model, loader)._asdict())
        return loader

    def trained(self) -> DualEncoder:
        """Return the model to train: a copy if it will be spread over processes or averaged, else `model` itself."""
        spread = isinstance(self.fabric.strategy, ModelParallelStrategy)
        apart = spread or self.experiment.train.averaged_from
        return copy.deepcopy(self.model) if apart else self.model

    def catch_up(self, trained: DualEncoder, share: float = 1.0) -> None:
        """Move `model` by a share of the way to `trained`.

        All processes must call it, to put spread weights together.
        """
        if trained is not self.model:
            take_in(self.model, fsdp.whole(changing(trained)), share)

    def save_weights(self, file: Path) -> None:
        if self.fabric.is_global_zero:
            save_model(file, self.model, self.experiment)


def _initial(experiment: Experiment, fabric: Fabric) -> tuple[DualEncoder, weight_interpolation.Weights]:
    """Return the model before its first step, with what is frozen, and `_Run.start`. Raises ValueError as `build`."""
    torch.manual_seed(experiment.seed)
    model = build(experiment.model, experiment.data.frames).to(fabric.device)
    freeze(model, experiment.train)
    return model, weight_interpolation.trained(model.clip) if experiment.train.interpolated_loss else {}


def _fit(run: _Run, training: Loader, validation: Loader, checkpoint_seconds: float) -> int | None:
    """Train to the last step and return the epoch that is best on validation; None if there is nothing to train.

    That epoch's weights are left in CHECKPOINT. If it isn't the last epoch, the last epoch's weights are left in LAST.
    Where the recipe averages weights, the mean is left in CHECKPOINT, and the epoch is the last.
    """
    recipe, folder = run.experiment.train, run.record.folder
    groups = parameter_groups(run.model, recipe)
    per_epoch = len(order(training.twins, recipe.batch, run.experiment.seed, 0, training.shards))
    steps = recipe.epochs * per_epoch if groups else 0
    if steps == 0:  # e.g. mean pooling of a frozen CLIP: there is nothing to train, only to test
        run.save_weights(folder / CHECKPOINT)
        return None
    training, validation = run.settled(training), run.settled(validation)
    trained = run.trained()
    objective = run.fabric.setup_module(_objective(trained, recipe))
    groups = parameter_groups(trained, recipe)  # once more: the parameters may have been spread
    descent = run.fabric.setup_optimizers(optimizer(groups, recipe))
    assert isinstance(descent, torch.optim.Optimizer)  # fabric's wrapper inherits the optimizer's class
    mean = changing(run.model) if recipe.averaged_from else {}
    state = load_state(folder / RESUME, trained, descent, mean, hashes(training, validation))
    run.record.rewind(state.lines)
    saved = time.monotonic()
    for batch in _batches(run, training, state.step, per_epoch, recipe.epochs):
        began = time.monotonic()
        line = _update(run, objective, trained, descent, batch, state.step, steps)
        state.step, epoch = state.step + 1, state.step // per_epoch
        spent = time.monotonic() - began
        state.seconds += spent
        speed = {"clips_per_second": recipe.batch / spent, "time": state.seconds}
        run.record.log({"step": state.step, "epoch": epoch} | line | speed)
        run.report("training", state.step, steps, {"loss": line["loss"], "validation": state.best_value})
        if state.step % per_epoch == 0:
            run.catch_up(trained, share_of(epoch, recipe.averaged_from))
            _validate(run, validation, state, epoch)
        # the first process decides for all, because all of them must take part in putting spread parameters together
        if run.fabric.broadcast(state.step == steps or time.monotonic() - saved >= checkpoint_seconds):
            state.lines = run.record.lines
            save_state(folder / RESUME, trained, descent, mean, state, write=run.fabric.is_global_zero)
            saved = time.monotonic()
    run.catch_up(trained)
    if recipe.averaged_from or state.best_epoch != recipe.epochs - 1:
        run.save_weights(folder / LAST)
    return state.best_epoch


def _objective(model: DualEncoder, recipe: TrainConfig) -> nn.Module:
    """Return the model's objective in training mode, with compiled or recomputed blocks if the recipe says so."""
    if recipe.compile:
        compile_blocks(model)
    if recipe.checkpointing:
        recompute(model)
    return Objective(model).train()


def _batches(run: _Run, training: Loader, first: int, per_epoch: int, epochs: int) -> Iterator[Batch]:
    """Yield this process's share of each batch from step `first` on."""
    size, seed, share = run.experiment.train.batch, run.experiment.seed, run.fabric.world_size
    for epoch in range(first // per_epoch, epochs):
        rows = order(training.twins, size, seed, epoch, training.shards)[max(0, first - epoch * per_epoch) :]
        mine = [np.split(row, share)[run.fabric.global_rank] for row in rows]
        batches = training.batches(mine, (seed, epoch))
        for row, own, batch in zip(rows, mine, batches, strict=True):
            if training.videos.task == "recognition" and run.experiment.train.sentences == "video":
                batch |= {"text": training.own_texts(own, (seed, epoch))}
            elif training.videos.task == "recognition":  # the same texts in all processes
                batch |= {"text": training.class_texts((seed, epoch, int(row[0])))}
            yield batch


def _update(
    run: _Run,
    objective: _FabricModule,
    trained: DualEncoder,
    descent: torch.optim.Optimizer,
    batch: Batch,
    step: int,
    steps: int,
) -> dict[str, float]:
    """Take one optimizer step and return its loss and learning rate. Raises ValueError if the loss isn't finite."""
    recipe = run.experiment.train
    # The seed belongs to this step alone. So no state of the generators has to be kept, and the same values are dropped
    # however many processes share the batch. The zero dates from when there was only one process.
    seed = int(np.random.SeedSequence((run.experiment.seed, step, 0)).generate_state(1)[0])
    lr = rate(step, steps, recipe)
    for group in descent.param_groups:
        group["lr"] = group["share"] * lr
    batch = mixed(to_device(batch, run.fabric.device), recipe, seed)
    loss = backward(run.fabric, objective, trained, batch, recipe, seed)
    if recipe.interpolated_loss:
        share = np.random.default_rng((run.experiment.seed, step, 1)).uniform(0, recipe.interpolated_up_to)
        with weight_interpolation.moved_back(trained.clip, run.start, share):
            loss = loss + backward(
                run.fabric, objective, trained, batch, recipe, seed, recipe.interpolated_loss
            )
    if not torch.isfinite(loss):
        raise ValueError(
            f"the loss is {loss.item()} at step {step} of {steps}: lower train.lr ({recipe.lr:g}), or raise"
            f" train.temperature ({recipe.temperature:g})"
        )
    if recipe.clip_gradient:
        run.fabric.clip_gradients(objective, descent, max_norm=recipe.clip_gradient)
    descent.step()
    descent.zero_grad()
    if recipe.learned_scale and recipe.loss != "sigmoid":
        limit_scale(trained)
    return {"loss": loss.item(), "lr": lr}


def _validate(run: _Run, validation: Loader, state: TrainingState, epoch: int) -> None:
    """Measure on validation and keep the weights if they are the best so far; of equally good ones, the later.

    A mean is kept in any case (`stan.training.weight_average` says why).
    """
    if run.fabric.is_global_zero:
        began = time.monotonic()
        measured = run.measure(validation)
        spent = time.monotonic() - began
        run.record.log({"epoch": epoch, "validation": measured.metrics, "validation_seconds": spent})
        value = measured.headline(validation.videos.task)
        if value >= state.best_value or run.experiment.train.averaged_from:
            state.best_epoch, state.best_value = epoch, value
            run.save_weights(run.record.folder / CHECKPOINT)
    run.fabric.barrier()


def _test(
    run: _Run, validation: Loader, test: Loader, weights: Path, epoch: int | None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Test the weights in the folder `weights` and return the content of eval.json and of ranks.npz."""
    tricks = run.experiment.test_time
    last = None
    if (weights / LAST).exists():
        _load_weights(run.model, weights / LAST)
        last = run.measure(test, tricks)
    _load_weights(run.model, weights / CHECKPOINT)
    tested = run.measure(test, tricks)
    found = {"split": "test"} | description(test.videos.task, tricks)
    if tricks:
        found["plain"] = run.measure(run.open("test")).metrics
    found |= {
        "selected": _selected(run.experiment.train, epoch),
        "epoch": epoch,
        "metrics": tested.metrics,
        "last": (last or tested).metrics,
        "validation": run.measure(validation).metrics,
        "lr": learning_rate(run.experiment, run.runs_root),
    }
    return found, tested.arrays


def _selected(recipe: TrainConfig, epoch: int | None) -> str:
    if epoch is None:
        return "nothing to train"
    first = recipe.averaged_from
    return f"mean of epochs {first} to {recipe.epochs}" if first else BEST


def _load_weights(model: DualEncoder, file: Path) -> None:
    state, _ = checkpoint.load(file)
    checkpoint.fill(model, state, file, optional="encoder.clip.")


def _trained_alike(runs_root: str | Path, experiment: Experiment) -> Path | None:
    """Return the folder of a done run that trained the same weights and still has them; None if there is none."""
    found = results.find_training(runs_root, experiment)
    return found if found is not None and (found / CHECKPOINT).exists() else None


def _record(fabric: Fabric, runs_root: str | Path, experiment: Experiment) -> Any:
    if fabric.is_global_zero:
        return results.RunWriter.start(runs_root, experiment)
    return NoRecord(Path(runs_root) / experiment.id)
