"""A model and a split in, its metrics and per-query ranks out, in the form in which a run stores them.

Conventions are those of `stan.evaluation.metrics`. `stan.evaluation.test_time.description` names the test-time tricks.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from stan.common.tensors import joined, to_device
from stan.data.loader import Loader
from stan.evaluation import metrics
from stan.evaluation.templates import mean_probabilities
from stan.evaluation.test_time import Rescored, check_tricks, dual_softmax, query_bank_norm, views_of
from stan.models.dual_encoder import DualEncoder, embed
from stan.models.text_tower import TextOutput
from stan.models.video_encoder import VideoOutput

CLIPS_AT_ONCE = 64
TEXTS_AT_ONCE = 256
ANSWERS = 5
"""Number of answers kept for every query."""


@dataclass(frozen=True)
class Measured:
    """`metrics` as eval.json holds them, and `arrays` as ranks.npz holds them."""

    metrics: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def headline(self, task: str) -> float:
        """Return the metric by which validation picks an epoch."""
        value: Any = self.metrics
        for part in metrics.HEADLINE[task].split("."):
            value = value[part]
        return float(value)


def measure(
    model: DualEncoder,
    loader: Loader,
    test_time: Iterable[str] = (),
    precision: AbstractContextManager | None = None,
    bank: Loader | None = None,
) -> Measured:
    """Return all metrics of `model` on the loader's split. The loader must give the views that `test_time` asks for.

    precision: a context for the forward passes (fabric's autocast). bank: the training split, for `qbnorm` only.
    Raises ValueError for an unknown trick, and for a score that is NaN or infinite, naming the query.
    """
    test_time = list(test_time)
    check_tricks(test_time, loader.videos.task)
    assert loader.views == views_of(test_time), "the loader's views are not those of test_time"
    assert (bank is not None) == ("qbnorm" in test_time), "a bank is what qbnorm needs, and nothing else does"
    was_training = model.training
    model.eval()
    with torch.no_grad(), precision or nullcontext():
        text, video = _texts(model, loader), embedded(model, loader)
        scores = _scores(model, text, video, loader)
        banks = None
        if bank is not None:
            of_texts = _scores(model, _texts(model, bank), video, loader)
            banks = of_texts, _scores(model, text, embedded(model, bank), bank)
    model.train(was_training)
    if loader.videos.task == "recognition":
        return _recognition(scores.T, loader)
    metrics.finite(scores, _query_names(loader))  # before NaN spreads to other queries
    if banks is not None:
        return _retrieval(query_bank_norm(scores, *banks), loader)
    return _retrieval(dual_softmax(scores) if "dsl" in test_time else Rescored(scores, scores), loader)


@torch.no_grad()
def class_scores(
    model: DualEncoder, loader: Loader
) -> tuple[Float[Tensor, "clips classes"], Int[Tensor, " clips"]]:
    """Return the similarity of every clip to every class, and the right class of each clip.

    A split without classes has every clip's first caption in their place.
    """
    model.eval()
    scores = torch.from_numpy(
        _scores(model, _texts(model, loader), embedded(model, loader), loader, "scores").T
    )
    if loader.videos.task == "recognition":
        return scores, loader.labels
    return scores[:, loader.first_caption], torch.arange(len(loader))


def _texts(model: DualEncoder, loader: Loader) -> TextOutput:
    """Embed every caption, or every class name, of the loader's split."""
    ids = loader.captions if loader.videos.task == "retrieval" else loader.classes
    return joined([model.encode_text(part.to(model.device)) for part in ids.split(TEXTS_AT_ONCE)])


@torch.no_grad()
def embedded(model: DualEncoder, loader: Loader) -> VideoOutput:
    """Embed every clip of the loader's split, all views of a clip in a row."""
    batches = loader.in_order(max(1, CLIPS_AT_ONCE // loader.views))
    return joined([embed(model, to_device(batch, model.device)) for batch in batches])


def _scores(
    model: DualEncoder, text: TextOutput, video: VideoOutput, loader: Loader, over: str | None = None
) -> Float[np.ndarray, "texts clips"]:
    """Return the similarity of every caption (or class name) to every clip, averaged over views and templates.

    over: what is averaged over templates; None for what the data's config says.
    """
    similarity = model.similarity(text, video).double().cpu().numpy()
    scores = similarity.reshape(len(similarity), -1, loader.views).mean(-1)
    if loader.videos.task == "recognition":
        each = scores.reshape(len(loader.templates), -1, scores.shape[1])
        if (over or loader.template_average) == "probabilities":
            return mean_probabilities(torch.from_numpy(each)).numpy()
        scores = each.mean(0)
    return scores


def _retrieval(scores: Rescored, loader: Loader) -> Measured:
    clips, owner, seen = loader.videos.clips, loader.owner, _seen(loader)
    names = _query_names(loader)
    found: dict[str, Any] = metrics.retrieval(scores.t2v, owner, seen, names, scores.v2t)
    t2v, _ = metrics.retrieval_ranks(scores.t2v, owner, names)
    _, v2t = metrics.retrieval_ranks(scores.v2t, owner, names)
    arrays = {
        "query_ids": np.array(names),
        "t2v": t2v,
        "video_ids": np.array([c.id for c in clips]),
        "v2t": v2t,
        "captions": np.array([caption for c in clips for caption in c.captions]),
        "owner": owner.astype(np.int32),
        "answers": _best(scores.t2v),
    }
    if seen is not None:
        arrays["seen"] = seen[owner]
    return _with_order(found, arrays, scores.v2t.T, loader.first_caption, loader)


def _recognition(logits: Float[np.ndarray, "clips classes"], loader: Loader) -> Measured:
    clips, seen = loader.videos.clips, _seen(loader)
    names, labels = [c.id for c in clips], np.array([c.label for c in clips])
    arrays = {
        "video_ids": np.array(names),
        "ranks": metrics.ranks(logits, labels, names),
        "classes": np.array(loader.videos.classes),
        "labels": labels.astype(np.int32),
        "answers": _best(logits),
    }
    if seen is not None:
        arrays["seen"] = seen
    found = metrics.recognition(logits, labels, seen, names)
    return _with_order(found, arrays, logits, labels, loader)


def _best(scores: Float[np.ndarray, "Q C"]) -> Int[np.ndarray, "Q 5"]:
    """Return the first answers to every query, the best first.

    `stan.report.lost_queries` shows them beside the right answer.
    """
    return np.argsort(-scores, axis=1, kind="stable")[:, :ANSWERS].astype(np.int32)


def _with_order(
    found: dict[str, Any],
    arrays: dict[str, np.ndarray],
    scores: Float[np.ndarray, "clips texts"],
    own: np.ndarray,
    loader: Loader,
) -> Measured:
    """Add whether each clip with a time-reversed twin is nearer to its own text than to its twin's.

    If clips are marked as seen or unseen, order accuracy is also computed for each of these groups.
    """
    clips = loader.videos.clips
    twins = np.where(loader.twins >= 0, own[loader.twins], -1)
    index, hits = metrics.order_hits(scores, own, twins)
    if len(index) == 0:
        return Measured(found, arrays)
    found = found | {"order": metrics.accuracy(hits)}
    ids, kinds = (np.array([getattr(clips[i], name) or "" for i in index]) for name in ("id", "kind"))
    arrays = arrays | {"order_ids": ids, "order_correct": hits, "order_kinds": kinds}
    seen = _seen(loader)
    if seen is None:
        return Measured(found, arrays)
    of_twins = seen[index]
    for group, chosen in (("seen", of_twins), ("unseen", ~of_twins)):
        if group in found and chosen.any():
            found[group] = found[group] | {"order": metrics.accuracy(hits[chosen])}
    return Measured(found, arrays | {"order_seen": of_twins})


def _seen(loader: Loader) -> np.ndarray | None:
    """Return which clips show only seen concepts; None if the data doesn't tell."""
    seen = [clip.seen for clip in loader.videos.clips]
    return None if None in seen else np.array(seen, bool)


def _query_names(loader: Loader) -> list[str]:
    return [
        clip.id if len(clip.captions) == 1 else f"{clip.id}#{k}"
        for clip in loader.videos.clips
        for k in range(len(clip.captions))
    ]
