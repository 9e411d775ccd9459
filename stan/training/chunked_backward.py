"""A batch and a recipe in; the loss over all clips out, with its gradients in the parameters.

A forward pass may take fewer clips than the batch has. The contrastive loss still compares all of them (Gao et al.,
2021, GradCache): all clips are embedded without a graph, the loss is taken at the embeddings, and each chunk is
embedded once more to carry the embeddings' gradients into the model.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from stan.common.tensors import joined
from stan.config import TrainConfig
from stan.data.loader import Batch
from stan.models.dual_encoder import DualEncoder
from stan.models.temporal.dropout import share
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput
from stan.training.objective import batch_loss, loss_of

if TYPE_CHECKING:
    from lightning_fabric.wrappers import _FabricModule

Outputs = tuple[TextOutput, VideoOutput]
Gradients = tuple[Tensor | None, ...]


def backward(
    fabric: Fabric,
    objective: _FabricModule,
    model: DualEncoder,
    batch: Batch,
    recipe: TrainConfig,
    seed: int,
    weight: float = 1.0,
) -> Tensor:
    """Return the loss over all processes' clips, times `weight`, and add its gradients to those of the parameters.

    objective: the `Objective` as fabric has set it up. seed: of everything random in a forward pass. What is dropped
    for a clip depends only on the seed and on the clip's place among those of all processes. So loss and gradients
    don't depend on chunks and processes either, up to rounding.
    """
    chunks = list(_chunks(batch, recipe.chunk, fabric.global_rank, fabric.world_size))
    if len(chunks) == 1:
        with _drawing(chunks[0], seed):
            loss = weight * batch_loss(fabric, objective, model, batch, recipe)
            fabric.backward(loss)
        return loss.detach()
    with torch.no_grad():
        outputs = [_embedded(objective, chunk, seed) for chunk in chunks]
    loss, gradients, of_score = _at_embeddings(fabric, model, outputs, batch, recipe, weight)
    for chunk, of_chunk in zip(chunks, gradients, strict=True):
        last = chunk is chunks[-1]
        with nullcontext() if last else fabric.no_backward_sync(objective), _drawing(chunk, seed):
            pulled = _pull(_floating(objective(chunk.batch)), of_chunk)
            if last:  # together with the chunk's own, so that processes exchange all gradients once
                pulled = pulled + _pull(*of_score)
            assert isinstance(pulled, Tensor)  # not 0, as the loss depends on every clip
            if pulled.requires_grad:  # nothing that embeds a clip may be trained, but only its scoring
                fabric.backward(pulled)
    return loss


@dataclass(frozen=True)
class _Chunk:
    """Neighbouring clips of a batch, with their captions or with a share of the class names."""

    batch: Batch
    first: int
    """Place of its first clip among the clips of all processes."""
    clips: int
    whole: int
    """Number of clips of all processes."""


def _chunks(batch: Batch, size: int, rank: int, processes: int) -> Iterator[_Chunk]:
    """Yield chunks of at most `size` clips each (0: all clips), with sizes as equal as possible."""
    clips = _clips(batch)
    count = math.ceil(clips / (size or clips))
    first = rank * clips
    for k in range(count):
        part = _part(batch, k, count)
        yield _Chunk(part, first, _clips(part), clips * processes)
        first += _clips(part)


def _clips(batch: Batch) -> int:
    videos = next(batch[kind] for kind in ("embedded", "levels", "video") if kind in batch)
    return len(videos if isinstance(videos, Tensor) else next(iter(videos.values())))


def _part(value: Any, k: int, count: int) -> Any:
    """Return nested dicts in which every tensor is replaced by the k-th of its `count` parts."""
    if isinstance(value, Tensor):
        return value.tensor_split(count)[k]
    return {key: _part(inner, k, count) for key, inner in value.items()}


@contextmanager
def _drawing(chunk: _Chunk, seed: int) -> Generator[None]:
    """Within this context, start random numbers from `seed` and draw them as in a forward pass of the whole batch."""
    torch.manual_seed(seed)
    with share(chunk.first, chunk.clips, chunk.whole):
        yield


def _embedded(objective: nn.Module, chunk: _Chunk, seed: int) -> Outputs:
    with _drawing(chunk, seed):
        return objective(chunk.batch)


def _at_embeddings(
    fabric: Fabric,
    model: DualEncoder,
    outputs: list[Outputs],
    batch: Batch,
    recipe: TrainConfig,
    weight: float,
) -> tuple[Tensor, list[Gradients], tuple[list[Tensor], Gradients]]:
    """Return the loss, its gradients at each chunk's embeddings, and the parameters of scoring with theirs."""
    text, video = (joined(parts) for parts in zip(*outputs, strict=True))
    leaves = [leaf.requires_grad_(True) for leaf in _floating((text, video))]
    scaling = [p for p in (model.logit_scale, model.logit_bias) if p is not None]
    learned: list[Tensor] = [p for p in (*model.score.parameters(), *scaling) if p.requires_grad]
    loss = weight * loss_of(fabric, model, text, video, batch, recipe)
    gradients = torch.autograd.grad(loss, [*leaves, *learned], allow_unused=True)
    rows = zip(*([len(leaf) for leaf in _floating(output)] for output in outputs), strict=True)
    split = [
        [None] * len(outputs) if gradient is None else gradient.split(sizes)
        for gradient, sizes in zip(gradients[: len(leaves)], map(list, rows), strict=True)
    ]
    return loss.detach(), list(zip(*split, strict=True)), (learned, gradients[len(leaves) :])


def _floating(outputs: Outputs) -> list[Tensor]:
    return [tensor for output in outputs for tensor in output if tensor.is_floating_point()]


def _pull(tensors: list[Tensor], gradients: Gradients) -> Tensor | int:
    """Return a scalar whose gradients at the tensors are `gradients`; tensors with gradient None are left out.

    It is the number 0 if none remains.
    """
    pairs = zip(tensors, gradients, strict=True)
    return sum((tensor * gradient).sum() for tensor, gradient in pairs if gradient is not None)
