"""An experiment in; what one full-size training step needs, out: memory by part, and multiply-accumulates.

The step itself runs, with random weights, on tensors that have shapes but no values (torch's FakeTensorMode), so that
nothing is allocated or computed. A watcher counts the bytes of all storages that are alive at once. It can't count what
a card's allocator and libraries take beside that, so a tenth of the card is left to them.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Int
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

from stan.config import Experiment, with_parts
from stan.data import label_sets
from stan.data.datasets import task
from stan.data.loader import Batch
from stan.models.dual_encoder import DualEncoder, build
from stan.training.activation_checkpoint import recompute
from stan.training.chunked_backward import backward
from stan.training.objective import Objective
from stan.training.optim import freeze, parameter_groups
from stan.training.trainer import PRECISIONS

GIB = 2**30
CARDS = (24, 40, 80)
"""Memory of common cards, in units of 2^30 bytes."""

USABLE = 0.9
"""Share of a card's memory that a step may take."""

CLASS_WORDS = 16
"""Number of tokens of the longest class name."""

_MEASURED = (16, 32)
"""Numbers of clips that are measured. With fewer clips, recomputed blocks would hold less than the gradient of the
vocabulary, which is made all at once."""

_aten = torch.ops.aten
_FLOPS = {
    **flop_registry,
    _aten._scaled_dot_product_flash_attention_for_cpu: (
        lambda q, k, v, *_, **__: sdpa_flop_count(q.shape, k.shape, v.shape)
    ),
    _aten._scaled_dot_product_flash_attention_for_cpu_backward: (
        lambda grad, q, k, v, *_, **__: sdpa_backward_flop_count(grad.shape, q.shape, k.shape, v.shape)
    ),
}
"""Functions that count an operator's operations: torch's own, and two for operators that torch doesn't know."""


@dataclass(frozen=True)
class StepMemory:
    """One step's memory in bytes, and its multiply-accumulates."""

    parameters: int
    gradients: int
    optimizer: int
    peak: int
    """Most bytes alive at any moment, including parameters, gradients and optimizer."""
    macs: int

    @property
    def activations(self) -> int:
        """Bytes alive at the peak beside parameters, gradients and the optimizer's moments."""
        return self.peak - self.parameters - self.gradients - self.optimizer


def step(experiment: Experiment, clips: int) -> StepMemory:
    """Measure a step with `clips` clips in one process, with the chunks and recomputation of `experiment.train`.

    Raises ValueError for a method that decides by values what to compute (CenterCLIP's clustering).
    """
    recipe = experiment.train
    assert recipe.precision in PRECISIONS
    fabric = Fabric(accelerator="cpu", devices=1, precision=recipe.precision)
    with torch.device("meta"):
        model = build(replace(experiment.model, pretrained="random"), experiment.data.frames)
    with FakeTensorMode():
        _make_fake(model)
        freeze(model, recipe)
        if recipe.checkpointing:
            recompute(model)
        objective = fabric.setup_module(Objective(model).train(), move_to_device=False)
        trained = [p for group in parameter_groups(model, recipe) for p in group["params"]]
        for parameter in trained:  # gradients exist already, as for all chunks but the first
            parameter.grad = torch.zeros_like(parameter)
        batch = _batch(experiment, model, clips)
        with Watcher([*model.parameters(), *(p.grad for p in trained)]) as watcher:
            try:
                backward(fabric, objective, model, batch, recipe, seed=0)
            except DataDependentOutputException:
                raise ValueError(
                    f"{experiment.model.temporal}: what a step does depends on values, so it can't be counted on shapes"
                    " alone; train a step to see"
                ) from None
    gradients = sum(map(_bytes, trained))
    moments = gradients * (1 if recipe.optimizer == "sgd" else 2)
    parameters = sum(map(_bytes, model.parameters()))
    return StepMemory(parameters, gradients, moments, watcher.peak + moments, watcher.flops // 2)


def dry_run(experiment: Experiment) -> dict[str, Any]:
    """Return what a step with the whole batch on one card needs, and the settings that make common cards hold it.

    {"batch", "gmacs", "parameters", "gradients", "optimizer", "plain": {"fixed", "per_clip"}, "recomputed": {...},
    "cards": [{"card", "plain", "recomputed", "set"}]}. gmacs: 10^9 multiply-accumulates of a step in one piece. Memory
    is in bytes; a step with c clips per forward pass takes fixed + c * per_clip, without recomputation ("plain") or
    with it ("recomputed"). For each card: the most clips per forward pass, without and with recomputation, and the
    settings to give (None if not even one clip fits).
    """
    batch = experiment.train.batch
    steps = {name: _few_and_more(experiment, name == "recomputed") for name in ("plain", "recomputed")}
    lines = {name: _line(few.peak, more.peak) for name, (few, more) in steps.items()}
    macs = _line(*(one.macs for one in steps["plain"]))
    document = {"batch": batch, "gmacs": (macs["fixed"] + batch * macs["per_clip"]) / 1e9}
    document |= {name: getattr(steps["plain"][0], name) for name in ("parameters", "gradients", "optimizer")}
    return document | lines | {"cards": [_card(card, lines, batch) for card in CARDS]}


def _few_and_more(experiment: Experiment, recomputed: bool) -> list[StepMemory]:
    whole = with_parts(experiment, train={"chunk": 0, "checkpointing": recomputed})
    return [step(whole, clips) for clips in _MEASURED]


def _line(few: int, more: int) -> dict[str, int]:
    """Return the line through the values at _MEASURED clips: what a step takes grows by the same with every clip."""
    per_clip = (more - few) // (_MEASURED[1] - _MEASURED[0])
    return {"fixed": few - _MEASURED[0] * per_clip, "per_clip": per_clip}


def _card(card: int, lines: dict[str, dict[str, int]], batch: int) -> dict[str, Any]:
    clips = {
        name: max(0, min(batch, int((USABLE * card * GIB - line["fixed"]) // line["per_clip"])))
        for name, line in lines.items()
    }
    return {"card": card} | clips | {"set": _settings(batch, **clips)}


def _settings(batch: int, plain: int, recomputed: int) -> list[str] | None:
    """Return the settings for a card: chunks rather than recomputation, as both cost one more forward pass."""
    if plain:
        return [] if plain == batch else [f"train.chunk={plain}"]
    if recomputed:
        chunk = [] if recomputed == batch else [f"train.chunk={recomputed}"]
        return ["train.checkpointing=true", *chunk]
    return None


def _batch(experiment: Experiment, model: DualEncoder, clips: int) -> Batch:
    data, size = experiment.data, model.clip.image_size
    batch = {"video": torch.zeros(clips, data.frames, 3, size, size)}
    if task(data.suite) == "retrieval":
        return batch | {"text": _captions(model, clips, data.words)}
    label = torch.zeros(clips, dtype=torch.long)
    texts = clips if experiment.train.sentences == "video" else label_sets.count(data.suite)
    return batch | {"text": _captions(model, texts, CLASS_WORDS), "label": label, "twin_label": label}


def _captions(model: DualEncoder, count: int, words: int) -> Int[Tensor, "B L"]:
    length = model.clip.context_length if model.clip.reads_padding else words
    return torch.zeros(count, length, dtype=torch.long)


def _make_fake(model: nn.Module) -> None:
    """Replace the model's meta tensors, which run other kernels, by CPU tensors without values."""
    for module in model.modules():
        parameters, buffers = _without_values(module._parameters), _without_values(module._buffers)
        module._parameters.update({name: nn.Parameter(tensor) for name, tensor in parameters.items()})
        module._buffers.update(buffers)


def _without_values(tensors: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
    return {name: torch.empty(t.shape, dtype=t.dtype) for name, t in tensors.items() if t is not None}


class Watcher(TorchDispatchMode):
    """Counts operations, and the bytes of living tensors: those that are given and all that are made in its context."""

    def __init__(self, tensors: Iterable[Tensor]):
        super().__init__()
        self.now = self.peak = self.flops = 0
        self._known: weakref.WeakSet = weakref.WeakSet()
        for tensor in tensors:
            self._add(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if count := _FLOPS.get(func.overloadpacket):
            self.flops += count(*args, **(kwargs or {}), out_val=made)
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._add(tensor)
        return made

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._known:
            return
        self._known.add(storage)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, storage.nbytes())

    def _forget(self, count: int) -> None:
        self.now -= count


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
