"""A model and a split in, its metrics and per-query ranks out; the same for a stored run.

Conventions are those of `stan.metrics`; tricks that only testing uses are named in what comes out.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stan import metrics, results
from stan.calibration import dual_softmax
from stan.config import Experiment
from stan.data.loader import Batch, Loader
from stan.data.sources import video_set
from stan.experiments import task as task_of
from stan.models.clip import TextOutput
from stan.models.dual_encoder import DualEncoder
from stan.models.presets import load_model
from stan.models.video_encoder import VideoOutput
from stan.progress import Report, stage

CLIPS_AT_ONCE = 64
TEXTS_AT_ONCE = 256

TRICKS = {
    "dsl": "dual softmax, prior over all N test queries",
    "views-1x3": "scores averaged over three crops along the long side",
}
"""Tricks used only when testing, and how they are named beside a number."""


@dataclass(frozen=True)
class Measured:
    """`metrics` as eval.json holds them; `arrays` as ranks.npz does."""

    metrics: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def headline(self, task: str) -> float:
        """The metric by which validation picks an epoch."""
        value: Any = self.metrics
        for part in metrics.HEADLINE[task].split("."):
            value = value[part]
        return float(value)


def check_tricks(test_time: Iterable[str], task: str) -> None:
    """Raises ValueError for a trick that isn't known or doesn't suit the task."""
    for trick in test_time:
        if trick not in TRICKS:
            raise ValueError(f"test_time {trick!r} is not known; there are {', '.join(TRICKS)}")
        if trick == "dsl" and task != "retrieval":
            raise ValueError("test_time 'dsl' is for retrieval: class names are no queries to share a prior")


def views_of(test_time: Iterable[str]) -> int:
    """Crops of every clip that the tricks ask for."""
    return 3 if "views-1x3" in test_time else 1


def measure(
    model: DualEncoder,
    loader: Loader,
    test_time: Iterable[str] = (),
    precision: AbstractContextManager | None = None,
) -> Measured:
    """All metrics of `model` on the loader's split; the loader must give the views that `test_time` asks for.

    precision: a context for the forward passes (fabric's autocast).
    Raises ValueError for an unknown trick, and where a score is NaN or infinite, naming the query.
    """
    check_tricks(test_time, loader.videos.task)
    assert loader.views == views_of(test_time), "the loader's views are not those of test_time"
    was_training = model.training
    model.eval()
    with torch.no_grad(), precision or nullcontext():
        scores = _scores(model, loader)
    model.train(was_training)
    if loader.videos.task == "retrieval":
        return _retrieval(scores, loader, "dsl" in test_time)
    return _recognition(scores.T, loader)


def evaluate(
    run: str | Path, split: str = "test", test_time: Iterable[str] = (), worlds_root: str | Path = "worlds"
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A stored run's weights (best on validation) measured again: (evaluation, arrays of per-query ranks).

    evaluation: run, split, task, headline, test_time, tricks, metrics. Nothing is written to the run.
    Raises ValueError for a run without weights, and for tricks that aren't known or don't suit its task.
    """
    model, record = load_model(run), results.read(run)
    experiment = record["experiment"]
    if experiment is None:
        raise ValueError(f"{run} is no run: {record['reason']}")
    runs_root = Path(run).resolve().parents[2]
    test_time = tuple(test_time)
    check_tricks(test_time, task_of(experiment.data.suite))
    loader = open_split(experiment, model, split, worlds_root, runs_root, views=views_of(test_time))
    measured = measure(model, loader, test_time)
    found = {"run": record["id"], "split": split} | description(loader.videos.task, test_time)
    return found | {"metrics": measured.metrics}, measured.arrays


def description(task: str, test_time: Iterable[str]) -> dict[str, Any]:
    """What a number must be shown with: task, headline, and the test-time tricks in code and in words."""
    test_time = list(test_time)
    tricks = [TRICKS[trick] for trick in test_time]
    return {"task": task, "headline": metrics.HEADLINE[task], "test_time": test_time, "tricks": tricks}


def open_split(
    experiment: Experiment,
    model: DualEncoder,
    split: str,
    worlds_root: str | Path,
    runs_root: str | Path,
    views: int = 1,
    progress: Report | None = None,
) -> Loader:
    """A split as the experiment reads it: cached levels where the image tower is frozen, else decoded anew.

    `model` must still have its backbone's own image tower. Levels are kept in `<runs_root>/.levels`.
    """
    fixed = experiment.train.frozen != "nothing"
    videos = video_set(
        experiment.data, split, worlds_root, stage(progress, f"rendering {experiment.data.suite}")
    )
    augment = split == "train" and not fixed
    loader = Loader(videos, model.clip, experiment.data, views=views, augment=augment)
    if fixed and not model.temporal.changes_clip:
        shown = stage(progress, f"levels of {experiment.data.suite} {split}")
        loader.cache_levels(Path(runs_root) / ".levels", model.encoder, model.temporal.levels, shown)
    return loader


def embed(model: DualEncoder, batch: Batch) -> VideoOutput:
    """Embeds a batch, from its levels where it has them."""
    return model.encoder.from_levels(batch["levels"]) if "levels" in batch else model.encoder(batch["video"])


def _scores(model: DualEncoder, loader: Loader) -> Float[np.ndarray, "texts clips"]:
    """Similarity of every caption (or class name) to every clip, averaged over views and templates."""
    ids = loader.captions if loader.videos.task == "retrieval" else loader.classes
    text = _joined(
        TextOutput, [model.encode_text(part.to(model.device)) for part in ids.split(TEXTS_AT_ONCE)]
    )
    batches = loader.in_order(max(1, CLIPS_AT_ONCE // loader.views))
    video = _joined(VideoOutput, [embed(model, to_device(batch, model.device)) for batch in batches])
    similarity = model.similarity(text, video).double().cpu().numpy()
    scores = similarity.reshape(len(ids), len(loader), loader.views).mean(-1)
    if loader.videos.task == "recognition":
        scores = scores.reshape(len(loader.templates), -1, len(loader)).mean(0)
    return scores


def _retrieval(scores: Float[np.ndarray, "texts clips"], loader: Loader, dual: bool) -> Measured:
    clips, owner, seen = loader.videos.clips, loader.owner, _seen(loader)
    names = _query_names(loader)
    by_direction = dual_softmax(scores) if dual else (scores, scores)
    both = [metrics.retrieval(s, owner, seen, names) for s in by_direction]
    found: dict[str, Any] = {"t2v": both[0]["t2v"], "v2t": both[1]["v2t"]}
    for group in ("seen", "unseen"):
        if group in both[0]:
            found[group] = {"t2v": both[0][group]["t2v"], "v2t": both[1][group]["v2t"]}
    t2v, _ = metrics.retrieval_ranks(by_direction[0], owner, names)
    _, v2t = metrics.retrieval_ranks(by_direction[1], owner, names)
    arrays = {
        "query_ids": np.array(names),
        "t2v": t2v,
        "video_ids": np.array([c.id for c in clips]),
        "v2t": v2t,
    }
    if seen is not None:
        arrays["seen"] = seen[owner]
    return _with_order(found, arrays, by_direction[1].T, loader.first_caption, loader)


def _recognition(logits: Float[np.ndarray, "clips classes"], loader: Loader) -> Measured:
    clips, seen = loader.videos.clips, _seen(loader)
    names, labels = [c.id for c in clips], np.array([c.label for c in clips])
    arrays = {"video_ids": np.array(names), "ranks": metrics.ranks(logits, labels, names)}
    if seen is not None:
        arrays["seen"] = seen
    found = metrics.recognition(logits, labels, seen, names)
    return _with_order(found, arrays, logits, labels, loader)


def _with_order(
    found: dict[str, Any],
    arrays: dict[str, np.ndarray],
    scores: Float[np.ndarray, "clips texts"],
    own: np.ndarray,
    loader: Loader,
) -> Measured:
    """Adds whether each clip with a time-reversed twin is nearer to its own text than to its twin's.

    Where clips are told to be seen or unseen, it is counted for each of these, too.
    """
    clips = loader.videos.clips
    twins = np.where(loader.twins >= 0, own[loader.twins], -1)
    index, hits = metrics.order_hits(scores, own, twins)
    if len(index) == 0:
        return Measured(found, arrays)
    found = found | {"order": _accuracy(hits)}
    ids, kinds = (np.array([getattr(clips[i], name) or "" for i in index]) for name in ("id", "kind"))
    arrays = arrays | {"order_ids": ids, "order_correct": hits, "order_kinds": kinds}
    seen = _seen(loader)
    if seen is None:
        return Measured(found, arrays)
    of_twins = seen[index]
    for group, chosen in (("seen", of_twins), ("unseen", ~of_twins)):
        if group in found and chosen.any():
            found[group] = found[group] | {"order": _accuracy(hits[chosen])}
    return Measured(found, arrays | {"order_seen": of_twins})


def _accuracy(hits: np.ndarray) -> dict[str, Any]:
    return {"accuracy": float(100 * hits.mean()), "N": len(hits)}


def _seen(loader: Loader) -> np.ndarray | None:
    """Which clips show seen concepts only; None where the data doesn't tell."""
    seen = [clip.seen for clip in loader.videos.clips]
    return None if None in seen else np.array(seen, bool)


def _query_names(loader: Loader) -> list[str]:
    return [
        clip.id if len(clip.captions) == 1 else f"{clip.id}#{k}"
        for clip in loader.videos.clips
        for k in range(len(clip.captions))
    ]


def _joined(kind: type, parts: list[Any]) -> Any:
    return kind(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def to_device(value: Any, device: torch.device) -> Any:
    """Tensors in nested dicts."""
    if isinstance(value, Tensor):
        return value.to(device)
    return {key: to_device(inner, device) for key, inner in value.items()}
