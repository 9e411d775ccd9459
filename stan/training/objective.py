"""A model, a batch and a recipe in; the batch's embeddings and the loss over all processes' clips out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Int, Shaped
from lightning_fabric import Fabric
from torch import Tensor, nn

from stan.config import TrainConfig
from stan.data.loader import Batch
from stan.models.dual_encoder import DualEncoder, embed
from stan.models.similarity.base import Similarity
from stan.models.similarity.token_interaction import TokenInteraction
from stan.models.text_tower import TextOutput, blank_texts
from stan.models.video_encoder import VideoOutput
from stan.training.losses import (
    classification,
    contrastive_mean,
    cross_correlation,
    decorrelation,
    info_nce,
    kl_divergence,
    mixed_target,
    redundancy,
    sigmoid_pairs,
    twin_classification,
)

OF_CLASSES = ("label", "twin_label", "other_label", "share")
"""What a batch says of its clips' classes; the last two only after mixup or cutmix."""

PAIR_LOSSES = {
    "cross-entropy": info_nce,
    "contrastive-mean": contrastive_mean,
    "kl": kl_divergence,
    "sigmoid": sigmoid_pairs,
}
Output = TypeVar("Output", TextOutput, VideoOutput)


class Objective(nn.Module):
    """Embeds the texts and videos of a batch: the one forward pass that fabric wraps."""

    def __init__(self, model: DualEncoder):
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> tuple[TextOutput, VideoOutput]:
        return self._texts(batch["text"]), embed(self.model, batch)

    def _texts(self, ids: Int[Tensor, "B L"]) -> TextOutput:
        clip = self.model.clip
        if not self.model.score.reads_texts:
            return blank_texts(len(ids), clip.embed_dim, ids.device)
        # the loader's own ids: `DualEncoder.encode_text` would check them, and wait for the device at every step
        return clip.encode_text(ids, self.model.temporal.text_tokens)


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
    to_logits = _logits(model, recipe)
    if "label" in batch and recipe.sentences == "class":
        labels = {name: gather(fabric, batch[name]) for name in OF_CLASSES if name in batch}
        losses = [_of_classes(part, labels, to_logits, recipe) for part in model.score.parts(text, video)]
        own = TextOutput(*(part[labels["label"]] for part in text))
    else:
        text = _gathered(fabric, text)
        same = _same(gather(fabric, batch["label" if "label" in batch else "text"]))
        losses = [PAIR_LOSSES[recipe.loss](to_logits(part), same) for part in model.score.parts(text, video)]
        own = text
    loss = torch.stack(losses).mean()
    return loss + channel_decorrelation(model.score, own, video, recipe)


def _same(whats: Int[Tensor, " B *L"]) -> Bool[Tensor, "B B"]:
    """Tell which clips show the same: those with equal labels, or with equal token ids."""
    return (whats[:, None] == whats[None]).reshape(len(whats), len(whats), -1).all(2)


def _logits(model: DualEncoder, recipe: TrainConfig) -> Callable[[Tensor], Tensor]:
    """Return what turns similarities into the logits of the recipe's loss."""
    if recipe.loss == "sigmoid":
        bias = model.logit_bias
        assert bias is not None  # `freeze` refuses models without
        return lambda similarity: similarity * model.logit_scale.exp() + bias
    temperature = (-model.logit_scale).exp() if recipe.learned_scale else recipe.temperature
    return lambda similarity: similarity / temperature


def _of_classes(
    similarity: Float[Tensor, "classes B"],
    labels: dict[str, Shaped[Tensor, " B"]],
    to_logits: Callable[[Tensor], Tensor],
    recipe: TrainConfig,
) -> Float[Tensor, ""]:
    """Return the loss of all classes against videos; with `kl`, only of the videos' own classes, as in ActionCLIP."""
    label = labels["label"]
    if recipe.loss == "kl":
        loss = kl_divergence(to_logits(similarity[label]), label[:, None] == label[None])
    elif recipe.loss == "sigmoid":
        classes = torch.arange(len(similarity), device=label.device)
        loss = sigmoid_pairs(to_logits(similarity), classes[:, None] == label)
    else:
        target = label
        if "share" in labels:
            target = mixed_target(label, labels["other_label"], labels["share"], len(similarity))
        loss = classification(to_logits(similarity).T, target, recipe.label_smoothing)
    if recipe.twins:
        loss = loss + recipe.twins * twin_classification(similarity.T, label, labels["twin_label"])
    return loss


def channel_decorrelation(
    score: Similarity, text: TextOutput, video: VideoOutput, recipe: TrainConfig
) -> Tensor | float:
    """Return the recipe's decorrelation of channels (DRL), weights included. Text i belongs to video i."""
    diagonal, others = recipe.decorrelation, recipe.decorrelation_off_diagonal
    if not diagonal and not others:
        return 0.0
    if recipe.decorrelated == "embeddings":
        return diagonal * decorrelation(text.text, video.video)
    if recipe.decorrelated == "released-embeddings":
        own = F.normalize(text.text, dim=-1)
        correlation = cross_correlation(own, F.normalize(video.video, dim=-1), _alike(own))
    else:
        assert isinstance(score, TokenInteraction)  # the trainer refuses others
        weighed = recipe.decorrelated == "weighed-tokens"
        sides = [
            cross_correlation(own, best, weight / len(text.text) if weighed else _alike(own))
            for own, best, weight in score.matches(text, video)
        ]
        correlation = torch.stack(sides).mean(0)
    return redundancy(correlation, diagonal, others)


def _alike(x: Float[Tensor, "N E"]) -> Float[Tensor, " N"]:
    return x.new_full((len(x),), 1 / len(x))


def _gathered(fabric: Fabric, output: Output) -> Output:
    return type(output)(*(gather(fabric, part) for part in output))


def gather(fabric: Fabric, rows: Tensor) -> Tensor:
    """Return the rows of all processes. Gradients flow back to every process; a plain gather would lose the others'."""
    if fabric.world_size == 1:
        return rows
    gathered = fabric.all_gather(rows, sync_grads=rows.is_floating_point())
    assert isinstance(gathered, Tensor)
    return rearrange(gathered, "w b ... -> (w b) ...")
