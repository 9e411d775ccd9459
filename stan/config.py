"""Frozen dataclasses in, identities out: what is trained on which data and how, and the hash that names it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from stan.common.json_values import require

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class DataConfig:
    """The videos and texts: a suite of the embedded world, or a real data set under `root`."""

    suite: str = "retrieval"
    """retrieval, paragraph, scenes, motions (embedded world), or a set that `stan data list` names (under `root`)."""
    size: str = "quick"
    """Size of the embedded world: tiny, quick or full; real sets ignore it."""
    frames: int = 8
    """Frames per clip (T)."""
    words: int = 32
    """Text tokens per caption (L), including the start and end token."""
    templates: str = "plain"
    """Sentence templates around a class name: plain (the name alone) or actionclip (ActionCLIP's kinds: training draws
    one of them, testing uses all)."""
    template_average: str = "scores"
    """What testing averages over a class's templates: scores, or probabilities (as ActionCLIP does:
    `stan.evaluation.templates`)."""
    augmentation: str = "crop"
    """What changes the frames of training clips, a name in `stan.data.video.augmentation.AUGMENTATIONS`. crop: random
    frames and a random crop, but nothing where the image tower is frozen, whose levels are then computed once. none:
    the frames that testing takes. Any other: each epoch decodes and changes them anew."""
    world_seed: int = 0
    skip_broken: bool = False
    """Leave out clips with a frame that cannot be decoded, and count them. If false, such a file is an error."""
    kept_frames: int = 0
    """Number of frames of each training clip that are decoded once and kept on disk; every epoch draws from them. With
    0, each epoch decodes the clips again. With as many frames as the longest clip has, only the speed changes."""
    root: str | None = None
    """Folder of the data; its place is not part of a config's identity."""


@dataclass(frozen=True)
class ModelConfig:
    """CLIP backbone, temporal method and similarity, with the options of the latter two."""

    backbone: str = "tiny"
    """A CLIP: `tiny` or another shipped one, an architecture that `stan backbones` lists, or a folder of one."""
    pretrained: str | None = None
    """None for a shipped backbone's own weights or a folder's, an open_clip tag, a local file, or `random`."""
    temporal: str = "stan"
    options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the temporal method, plain JSON values."""
    similarity: str = "cosine"
    similarity_options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the similarity, plain JSON values."""


HOW_COMPUTED = ("chunk", "checkpointing", "compile")
"""Training settings that change memory and time, and the result in its last digits only. They are not part of a
config's identity, so that a run that ran out of memory can continue with less at a time."""
WHERE_TOLD = ("logger",)
"""Training settings that change nothing of what is trained. They are not part of a config's identity either."""


@dataclass(frozen=True)
class TrainConfig:
    """The training recipe; by default the paper's two learning rates, AdamW, and a cosine schedule with warm-up."""

    frozen: str = "vision"
    """vision: the image tower is frozen, its levels are computed once; text: the text tower is frozen; clip: both are;
    nothing: full fine-tuning."""
    epochs: int = 12
    batch: int = 64
    lr: float = 1e-3
    """Learning rate of the new parameters, which are not CLIP's."""
    clip_lr_ratio: float = 0.1
    """CLIP's learning rate as a share of `lr` (0.1 in the paper)."""
    optimizer: str = "adamw"
    """adamw, or sgd with a momentum of 0.9."""
    beta2: float = 0.98
    """How slowly AdamW forgets squared gradients."""
    weight_decay: float = 0.02
    schedule: str = "cosine"
    """What the learning rate does after warm-up. cosine: it falls to 0; constant: it stays; steps: a tenth of it from
    11/15 of all steps on and a hundredth from 14/15 on, as in TimeSformer."""
    warmup: float = 0.1
    """Share of all steps during which the learning rate rises linearly."""
    clip_gradient: float = 5.0
    """Longest gradient; longer ones are cut to it. 0: gradients stay as they are."""
    temperature: float = 0.05
    """The loss divides similarities by it. It is fixed, as in the released recipe, or where `learned_scale` starts."""
    learned_scale: bool = False
    """Train CLIP's logit scale, which stays at most 100 (CLIP4Clip)."""
    loss: str = "cross-entropy"
    """cross-entropy: InfoNCE over pairs (the sum of both directions, as in STAN), cross-entropy over classes;
    contrastive-mean: the same, but the mean of both directions, as in CLIP4Clip; kl: ActionCLIP's loss, over a batch's
    pairs; sigmoid: SigLIP's, each text (or class) with each video by itself, for a CLIP that was trained so: its own
    scale and bias replace `temperature`, and `learned_scale` trains both."""
    sentences: str = "class"
    """Recognition: what a step compares its videos with. class: every class, each in a template drawn for it; video:
    the batch's own classes, each video's in a template drawn for it (ActionCLIP)."""
    decorrelation: float = 0.0
    """Weight of DRL's channel decorrelation: lambda times alpha1 (1.1e-4 in DRL's recipe, 1e-3 in its code)."""
    decorrelation_off_diagonal: float = 0.0
    """Weight of the correlations between different channels: lambda times alpha2 (0 in DRL's recipe, 6e-5 in its code).
    It needs another `decorrelated` than embeddings."""
    decorrelated: str = "embeddings"
    """What is decorrelated: embeddings (Pearson's correlation of one per text and video), released-embeddings (DRL's
    `dp`: that times (B - 1)/B for B pairs), tokens (`cdcr` 2: each token with its best frame, each frame with its best
    token) or weighed-tokens (`cdcr` 3, as in DRL's recipe); the last two need the similarity token_interaction."""
    twins: float = 0.0
    """Recognition: weight of the loss that tells a clip's class from that of its time-reversed twin, if it has one."""
    label_smoothing: float = 0.0
    """Recognition: share of a clip's target that is spread over all classes."""
    mixup: float = 0.0
    """Recognition: alpha of the Beta distribution from which mixup draws how much of a clip remains (0: no mixup)."""
    cutmix: float = 0.0
    """The same for cutmix. With both, each batch takes one of the two, with equal probability."""
    interpolated_loss: float = 0.0
    """Weight of a second loss, for which CLIP's trained weights are moved back towards those that they started from, by
    a share that is drawn anew for every step (Open-VCLIP: .5)."""
    interpolated_up_to: float = 0.6
    """Largest share of the weights that CLIP started from in that second loss; the smallest is 0."""
    averaged_from: int = 0
    """First epoch, counted from 1, of the mean over weights at epochs' ends that is validated, kept and tested instead
    of the best epoch (stochastic weight averaging; Open-VCLIP: 2). It takes a copy of the model. 0: no mean."""
    precision: str = "32-true"
    """Precision, as lightning-fabric names it."""
    chunk: int = 0
    """Clips per forward pass of a process, where a whole batch takes too much memory (0: all). The loss still compares
    the whole batch."""
    checkpointing: bool = False
    """Keep only each block's input for the gradients and compute the rest again: less memory, a third more time."""
    compile: bool = False
    """Run blocks and branch layers through torch.compile. It needs a C++ compiler and takes seconds to minutes before
    the first step, before the first validation and for every new number of clips. It pays off in long runs, mostly on a
    GPU."""
    logger: str = ""
    """Trackers that are told what is logged, separated by commas: tensorboard, wandb, mlflow, trackio. The run's own
    record is the same with and without them."""


@dataclass(frozen=True)
class Experiment:
    """One row of a study with one seed; a run trains and evaluates exactly this."""

    study: str
    row: str
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    seed: int = 0
    test_time: tuple[str, ...] = ()
    """Tricks used only in testing: dsl, qbnorm, views-1x3, views-4x3, views-10x3."""

    @property
    def hash(self) -> str:
        """Ten hex digits that identify all settings but study, row, seed, data folder, HOW_COMPUTED and WHERE_TOLD."""
        return _digest(self, ("data", "model", "train", "test_time"))

    @property
    def training_hash(self) -> str:
        """Like `hash`, without the test-time settings: runs with equal training hash and seed share their weights."""
        return _digest(self, ("data", "model", "train"))

    @property
    def id(self) -> str:
        return f"{self.study}/{self.row}/{self.hash}-s{self.seed}"


_PARTS = {"data": DataConfig, "model": ModelConfig, "train": TrainConfig}


def to_dict(experiment: Experiment) -> dict[str, Any]:
    """Return the experiment as plain JSON values, which `from_dict` turns back."""
    # `asdict` copies deeply, which is ten times slower.
    return json.loads(json.dumps(experiment, default=vars))


def from_dict(values: dict[str, Any]) -> Experiment:
    """Return the Experiment that `to_dict` turned into `values`.

    Raises ValueError naming any key that a config doesn't have, and any value of another kind.
    """
    require("the experiment", values, "dict[str, Any]")
    parts = dict(values)
    for name, kind in _PARTS.items():
        given = parts.get(name, {})
        require(name, given, "dict[str, Any]")
        _refuse_unknown(given, kind)
        for setting, value in given.items():
            require(f"{name}.{setting}", value, _fields(kind)[setting])
        parts[name] = kind(**given)
    _refuse_unknown(parts, Experiment)
    for name in {"study", "row", *parts} - _PARTS.keys():
        require(name, parts.get(name), _fields(Experiment)[name])
    parts["test_time"] = tuple(parts.get("test_time", ()))
    return Experiment(**parts)


def with_parts(experiment: Experiment, **parts: dict[str, Any]) -> Experiment:
    """Return a copy with single fields of its parts changed: `with_parts(e, train={"epochs": 1})`."""
    return replace(
        experiment, **{name: replace(getattr(experiment, name), **new) for name, new in parts.items()}
    )


def _refuse_unknown(values: dict[str, Any], kind: type[DataclassInstance]) -> None:
    known = _fields(kind)
    unknown = sorted(values.keys() - known.keys())
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(unknown)}; it has {', '.join(known)}")


@cache
def _fields(kind: type[DataclassInstance]) -> dict[str, str]:
    """Return the annotation of each field."""
    return {f.name: str(f.type) for f in fields(kind)}


_DEFAULTS = {name: vars(kind()) for name, kind in _PARTS.items()}


def _differing(part: Any, defaults: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in vars(part).items() if value != defaults[name]}


def _digest(experiment: Experiment, parts: tuple[str, ...]) -> str:
    """Return a hash of the settings that differ from the defaults.

    A setting that is added later therefore leaves the identity of older records as it is. But a default must never
    change: to use another value, name it in `experiments`.
    """
    identity: dict[str, Any] = {}
    for name in parts:
        value = getattr(experiment, name)
        identity[name] = _differing(value, _DEFAULTS[name]) if name in _PARTS else value
    identity["data"].pop("root", None)
    for name in (*HOW_COMPUTED, *WHERE_TOLD):
        identity["train"].pop(name, None)
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:10]
