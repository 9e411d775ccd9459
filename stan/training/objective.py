"""A model, a batch and a recipe in; the batch's embeddings and the loss over all processes' clips out."""

from __future__ import annotations

from typing import TypeVar

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, Shaped
from lightning_fabric import Fabric
from torch import Tensor, nn

from stan.config import TrainConfig
from stan.data.loader import Batch
from stan.models.clip import TextOutput
from stan.models.dual_encoder import DualEncoder, embed
from stan.models.video_encoder import VideoOutput
from stan.training.losses import (
    classification,
    decorrelation,
    info_nce,
    kl_divergence,
    mixed_target,
    twin_classification,
)

OF_CLASSES = ("label", "twin_label", "other_label", "share")
"""What a batch says of its clips' classes; the last two only after mixup or cutmix."""

Output = TypeVar("Output", TextOutput, VideoOutput)


class Objective(nn.Module):
    """Embeds the texts and videos of a batch: the one forward pass that fabric wraps."""

    def __init__(self, model: DualEncoder):
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> tuple[TextOutput, VideoOutput]:
        return self.model.encode_text(batch["text"]), embed(self.model, batch)


def batch_loss(
    fabric: Fabric, objective: nn.Module, model: DualEncoder, batch: Batch, recipe: TrainConfig
) -> Tensor:
    """Return `loss_of` the embeddings that the objective computes from the batch."""
    return loss_of(fabric, model, *objective(batch), batch, recipe)


def loss_of(
    fabric: Fabric,
    model: DualEncoder,
    text: TextOutput,
    video: VideoOutput,
    batch: Batch,
    recipe: TrainConfig,
) -> Float[Tensor, ""]:
    """Return the loss over all processes' clips; its gradient equals that of a single process with all of them.

    If a similarity has several parts, each part has its own loss, and the mean of these counts. The recipe's
    decorrelation is added.
    """
    video = _gathered(fabric, video)
    temperature = (-model.logit_scale).exp() if recipe.learned_scale else recipe.temperature
    if "label" in batch and recipe.sentences == "class":
        labels = {name: gather(fabric, batch[name]) for name in OF_CLASSES if name in batch}
        losses = [_of_classes(part, labels, temperature, recipe) for part in model.score.parts(text, video)]
        own = text.text[labels["label"]]
    else:
        text = _gathered(fabric, text)
        same = _same(gather(fabric, batch["label" if "label" in batch else "text"]))
        losses = [_of_pairs(part, same, temperature, recipe) for part in model.score.parts(text, video)]
        own = text.text
    loss = torch.stack(losses).mean()
    return loss + recipe.decorrelation * decorrelation(own, video.video) if recipe.decorrelation else loss


def _same(whats: Int[Tensor, "B *L"]) -> Bool[Tensor, "B B"]:
    """Tell which clips show the same: those with equal labels, or with equal token ids."""
    return (
        (whats[:, None] == whats[None]).flatten(2).all(2) if whats.ndim > 1 else whats[:, None] == whats[None]
    )


def _of_pairs(
    similarity: Float[Tensor, "B B"],
    same: Bool[Tensor, "B B"],
    temperature: Tensor | float,
    recipe: TrainConfig,
) -> Float[Tensor, ""]:
    """Return the loss of texts against videos, with the pairs on the diagonal."""
    compare = kl_divergence if recipe.loss == "kl" else info_nce
    return compare(similarity / temperature, same)


def _of_classes(
    similarity: Float[Tensor, "classes B"],
    labels: dict[str, Shaped[Tensor, " B"]],
    temperature: Tensor | float,
    recipe: TrainConfig,
) -> Float[Tensor, ""]:
    """Return the loss of all classes against videos; with `kl`, only of the videos' own classes, as in ActionCLIP."""
    label = labels["label"]
    if recipe.loss == "kl":
        loss = _of_pairs(similarity[label], label[:, None] == label[None], temperature, recipe)
    else:
        target = label
        if "share" in labels:
            target = mixed_target(label, labels["other_label"], labels["share"], len(similarity))
        loss = classification(similarity.T / temperature, target, recipe.label_smoothing)
    if recipe.twins:
        loss = loss + recipe.twins * twin_classification(similarity.T, label, labels["twin_label"])
    return loss


def _gathered(fabric: Fabric, output: Output) -> Output:
    return type(output)(*(gather(fabric, part) for part in output))


def gather(fabric: Fabric, rows: Tensor) -> Tensor:
    """Return the rows of all processes. Gradients flow back to every process; a plain gather would lose the others'."""
    if fabric.world_size == 1:
        return rows
    gathered = fabric.all_gather(rows, sync_grads=rows.is_floating_point())
    assert isinstance(gathered, Tensor)
    return rearrange(gathered, "w b ... -> (w b) ...")
