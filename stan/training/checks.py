"""An experiment in; a ValueError for settings that no run, or none on these devices, can have, out."""

from __future__ import annotations

from typing import Any

from stan.common import registry
from stan.config import Experiment
from stan.data.datasets import task
from stan.data.video.augmentation import AUGMENTATIONS
from stan.evaluation.splits import computed_once
from stan.evaluation.test_time import check_tricks
from stan.models.similarity import SIMILARITIES
from stan.models.temporal import METHODS
from stan.tracking.base import chosen
from stan.training.losses import DECORRELATED, LOSSES, SENTENCES
from stan.training.optim import FROZEN, OPTIMIZERS, SCHEDULES

PRECISIONS = ("32-true", "bf16-mixed")

KNOWN = {
    "train.frozen": FROZEN,
    "train.loss": LOSSES,
    "train.sentences": SENTENCES,
    "train.decorrelated": DECORRELATED,
    "train.precision": PRECISIONS,
    "train.optimizer": OPTIMIZERS,
    "train.schedule": SCHEDULES,
    "data.augmentation": tuple(AUGMENTATIONS),
}
ABOVE_ZERO = ("train.batch", "train.lr", "train.temperature", "data.frames", "data.words")
NOT_NEGATIVE = (
    *("train.epochs", "train.chunk", "train.clip_gradient", "train.mixup"),
    *("train.cutmix", "train.interpolated_loss", "train.averaged_from", "train.clip_lr_ratio"),
    *("train.weight_decay", "train.twins", "train.decorrelation", "train.decorrelation_off_diagonal"),
    *("data.kept_frames", "data.world_seed"),
)
SHARES = ("train.warmup", "train.beta2", "train.interpolated_up_to", "train.label_smoothing")
LEFT_IS_NOT_RIGHT = ("something", "motions", "retrieval", "paragraph")
"""Suites whose classes or captions tell left from right, so that a mirrored clip would have a wrong one."""


def check(experiment: Experiment) -> None:
    """Raise ValueError for settings that no run can have."""
    recipe, suite = experiment.train, experiment.data.suite
    check_tricks(experiment.test_time, task(suite))
    _check_values(experiment)
    model = experiment.model
    registry.check("temporal method", METHODS, model.temporal, model.options)
    registry.check("similarity", SIMILARITIES, model.similarity, model.similarity_options)
    chosen(recipe.logger)
    if recipe.compile and recipe.checkpointing:
        raise ValueError(
            "train.compile and train.checkpointing don't go together: compiled blocks, computed again, keep other"
            " tensors than before; set one of them to false"
        )
    augmentation = AUGMENTATIONS[experiment.data.augmentation]
    if augmentation is not None and augmentation.flip and suite in LEFT_IS_NOT_RIGHT:
        raise ValueError(
            f"data.augmentation {experiment.data.augmentation!r} mirrors clips, and {suite} tells left from right:"
            " choose one that doesn't"
        )
    if recipe.interpolated_loss and recipe.frozen == "clip":
        raise ValueError(
            "train.interpolated_loss moves CLIP's trained weights back, and train.frozen 'clip' trains none: set one of"
            " the two to its default"
        )
    if recipe.averaged_from > recipe.epochs:
        raise ValueError(
            f"train.averaged_from is {recipe.averaged_from}, and train.epochs {recipe.epochs}: the mean needs one of"
            " the epochs; choose an earlier one, or 0 for no mean"
        )
    if recipe.sentences == "video" and recipe.twins:
        raise ValueError("train.twins compares a video with every class: set train.sentences to class")
    _check_targets(experiment)
    _check_decorrelation(experiment)


def check_shares(batch: int, processes: int) -> None:
    """Raise ValueError for a batch that can't be shared evenly."""
    if batch % processes:
        raise ValueError(
            f"train.batch is {batch}, which {processes} processes can't share evenly: choose a multiple of {processes},"
            " or another number of devices"
        )


def _check_values(experiment: Experiment) -> None:
    for name, known in KNOWN.items():
        if (value := _value(experiment, name)) not in known:
            raise ValueError(f"{name} is {value!r}; it can be {', '.join(known)}")
    for name in ABOVE_ZERO:
        if not (value := _value(experiment, name)) > 0:
            raise ValueError(f"{name} is {value}; it must be above zero")
    for name in NOT_NEGATIVE:
        if (value := _value(experiment, name)) < 0:
            raise ValueError(f"{name} is {value}; it can't be negative")
    for name in SHARES:
        if not 0 <= (value := _value(experiment, name)) < 1:
            raise ValueError(f"{name} is {value}; it must be from 0 to below 1")


def _check_targets(experiment: Experiment) -> None:
    """Raise ValueError where targets can't be soft: without classes, in other losses, and in clips that aren't read."""
    recipe = experiment.train
    asked = [name for name in ("label_smoothing", "mixup", "cutmix") if getattr(recipe, name)]
    if not asked:
        return
    names = " and ".join(f"train.{name}" for name in asked)
    if (
        task(experiment.data.suite) != "recognition"
        or recipe.loss in ("kl", "sigmoid")
        or recipe.sentences == "video"
    ):
        raise ValueError(f"{names}: only the cross-entropy over classes has soft targets; set it to 0")
    if asked != ["label_smoothing"] and (recipe.twins or computed_once(experiment)):
        raise ValueError(
            f"{names}: clips are mixed as frames, and a mixed clip has no twin: set train.twins to 0, and train the"
            " image tower or choose a data.augmentation beside crop and none"
        )


def _check_decorrelation(experiment: Experiment) -> None:
    recipe, similarity = experiment.train, experiment.model.similarity
    kind, others = recipe.decorrelated, recipe.decorrelation_off_diagonal
    if others and kind == "embeddings":
        raise ValueError(
            f"train.decorrelation_off_diagonal is {others}, but train.decorrelated 'embeddings' compares a channel"
            " with itself only: set the first to 0 or the second to 'released-embeddings' or 'weighed-tokens'"
        )
    if (recipe.decorrelation or others) and not SIMILARITIES[similarity].reads_texts:
        raise ValueError(
            f"train.decorrelation compares videos with texts, and the similarity {similarity} reads none: set it"
            " and train.decorrelation_off_diagonal to 0"
        )
    if "tokens" in kind and similarity != "token_interaction":
        raise ValueError(
            f"train.decorrelated is {kind!r}, which needs the similarity token_interaction, not {similarity}:"
            " choose that or 'embeddings'"
        )


def _value(experiment: Experiment, name: str) -> Any:
    part, _, field = name.partition(".")
    return getattr(getattr(experiment, part), field)
