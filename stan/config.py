"""Frozen dataclasses in, identities out: what is trained on what, how, and the hash that names it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any


@dataclass(frozen=True)
class DataConfig:
    """Which videos and words: a suite of the embedded world, or a real set under `root`."""

    suite: str = "retrieval"
    """retrieval, paragraph, scenes, motions (made); or one that `stan data list` names (under `root`)."""
    size: str = "quick"
    """Size of the embedded world: quick or full; ignored by real sets."""
    frames: int = 8
    """Frames per clip (T)."""
    words: int = 32
    """Text tokens per caption (L), start and end token included."""
    templates: str = "plain"
    """Sentences around a class's name: plain (none), or ActionCLIP's kinds: one drawn in training, all when testing."""
    world_seed: int = 0
    skip_broken: bool = False
    """Leave out clips that have a frame which cannot be decoded, and count them; else such a file is an error."""
    kept_frames: int = 0
    """Frames of each training clip that are decoded once and kept on disk, from which every epoch draws (0: none, each
    epoch decodes anew). As many as the longest clip has change nothing but the speed."""
    root: str | None = None
    """Folder of the data; where it lies is no part of a config's identity."""


@dataclass(frozen=True)
class ModelConfig:
    """CLIP backbone, temporal method and its options, similarity."""

    backbone: str = "tiny"
    """`tiny` or any ViT architecture of open_clip."""
    pretrained: str | None = None
    """None: the shipped weights (tiny only); an open_clip tag; a local file; or `random`."""
    temporal: str = "stan"
    options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the temporal method, plain JSON values."""
    similarity: str = "cosine"
    similarity_options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the similarity, plain JSON values."""


HOW_COMPUTED = ("chunk", "checkpointing", "compile")
"""Settings of training that change memory and time, and its result in the last digits only: no part of a config's
identity, so that a run that found no memory goes on with less at a time."""


@dataclass(frozen=True)
class TrainConfig:
    """The recipe: the paper's two learning rates, AdamW, cosine with warm-up."""

    frozen: str = "vision"
    """vision: the image tower is frozen, its levels computed once; clip: both towers are; nothing: full fine-tuning."""
    epochs: int = 12
    batch: int = 64
    lr: float = 1e-3
    """Learning rate of what is new."""
    clip_lr_ratio: float = 0.1
    """CLIP's learning rate as a share of `lr` (the paper: 0.1)."""
    weight_decay: float = 0.02
    warmup: float = 0.1
    """Share of all steps with a linearly rising rate."""
    clip_gradient: float = 5.0
    temperature: float = 0.05
    """Similarities are divided by it in the loss; fixed, as in the released recipe."""
    loss: str = "cross-entropy"
    """cross-entropy: InfoNCE over pairs, cross-entropy over classes; kl: ActionCLIP's, over the pairs of a batch."""
    decorrelation: float = 0.0
    """Weight of DRL's channel decorrelation (there 1.1e-4)."""
    twins: float = 0.0
    """Recognition: weight of telling a clip's class from that of its time-reversed twin, where there is one."""
    precision: str = "32-true"
    """Precision in lightning-fabric's words."""
    chunk: int = 0
    """Clips per forward pass of a process, where all at once take too much memory (0: all); the loss still compares
    the whole batch."""
    checkpointing: bool = False
    """Keep each block's input alone for the gradients and compute the rest again: less memory, a third more time."""
    compile: bool = False
    """Run blocks and branch layers through torch.compile. It needs a C++ compiler, and costs from seconds to minutes
    before the first step, the first validation and any other number of clips; it pays in long runs, mostly on a GPU."""


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
    """Tricks used only when testing: dsl, qbnorm, views-1x3, views-4x3, views-10x3."""

    @property
    def hash(self) -> str:
        """Ten hex digits that name everything but study, row, seed, folder of the data and HOW_COMPUTED."""
        return _digest(self, ("data", "model", "train", "test_time"))

    @property
    def training_hash(self) -> str:
        """Like `hash`, without what only testing changes: equal training hashes and seeds share their weights."""
        return _digest(self, ("data", "model", "train"))

    @property
    def id(self) -> str:
        return f"{self.study}/{self.row}/{self.hash}-s{self.seed}"


_PARTS = {"data": DataConfig, "model": ModelConfig, "train": TrainConfig}


def to_dict(experiment: Experiment) -> dict[str, Any]:
    """Plain JSON values; `from_dict` turns them back."""
    return json.loads(json.dumps(experiment, default=vars))  # `asdict` copies deeply: ten times slower


def from_dict(values: dict[str, Any]) -> Experiment:
    """An Experiment from `to_dict`'s values.

    Raises ValueError naming any key that a config doesn't have.
    """
    parts = dict(values)
    for name, kind in _PARTS.items():
        _refuse_unknown(parts.get(name, {}), kind)
        parts[name] = kind(**parts.get(name, {}))
    _refuse_unknown(parts, Experiment)
    parts["test_time"] = tuple(parts.get("test_time", ()))
    return Experiment(**parts)


def with_parts(experiment: Experiment, **parts: dict[str, Any]) -> Experiment:
    """A copy with single fields of its parts changed: `with_parts(e, train={"epochs": 1})`."""
    return replace(
        experiment, **{name: replace(getattr(experiment, name), **new) for name, new in parts.items()}
    )


def _refuse_unknown(values: dict[str, Any], kind: type) -> None:
    known = _fields(kind)
    unknown = sorted(values.keys() - known.keys())
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(unknown)}; it has {', '.join(known)}")


@cache
def _fields(kind: type) -> dict[str, None]:
    return dict.fromkeys(f.name for f in fields(kind))


_DEFAULTS = {name: vars(kind()) for name, kind in _PARTS.items()}


def _differing(part: Any, defaults: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in vars(part).items() if value != defaults[name]}


def _digest(experiment: Experiment, parts: tuple[str, ...]) -> str:
    """Of what differs from the defaults, so that a setting added later leaves the identity of older records as it is.

    A default must therefore never change: whoever wants another value names it in `experiments`.
    """
    identity: dict[str, Any] = {}
    for name in parts:
        value = getattr(experiment, name)
        identity[name] = _differing(value, _DEFAULTS[name]) if name in _PARTS else value
    identity["data"].pop("root", None)
    for name in HOW_COMPUTED:
        identity["train"].pop(name, None)
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:10]
