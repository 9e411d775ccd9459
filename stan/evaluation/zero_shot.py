"""A video and labels in; the probability of each label and of none, also over time, and labels that are too alike out.

Letters: C labels, B sentences of a bank, T frames, E embedding width.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from stan.common.durations import milliseconds
from stan.common.json_values import require, require_count
from stan.common.tensors import joined
from stan.data import prompts
from stan.data.label_sets import unrelated
from stan.data.preprocessing import token_ids
from stan.evaluation.calibration import temperature_of
from stan.models.dual_encoder import DualEncoder
from stan.models.similarity.cosine import Cosine
from stan.models.similarity.linear_classifier import LinearClassifier
from stan.models.video_encoder import VideoOutput

PLAIN = prompts.named("plain")
ALIKE_ODDS = 4.0
"""Two labels are too alike if even a video embedded exactly at one of them has lower odds than this of being it.

In the embedded world's tests, at fitted temperatures, such pairs were told apart in 66 % of cases on retrieval and
50 % on motions (chance is 50 %). Pairs that are a little less alike were told apart in 72 % and 78 %.
"""

TEXTS_AT_ONCE = 256
VECTORS_KEPT = 16
"""Number of label sets whose vectors are kept per model."""


class EmbeddedVideo(NamedTuple):
    """A model's embeddings of one video, normalised where the model scores by cosine. `times` are in seconds; `name` is
    the video's name in results.

    context: see `VideoOutput`, for one video; embeddings from a library have none, so they are scored by cosine only.
    """

    name: str
    path: str
    video: Float[Tensor, " E"]
    frames: Float[Tensor, "T E"]
    times: Float[np.ndarray, " T"]
    context: Float[Tensor, " *read"] = torch.empty(0)

    def output(self) -> VideoOutput:
        """Return it as a batch of one video, whose frames are all real."""
        real = torch.ones(1, len(self.frames), dtype=torch.bool)
        return VideoOutput(self.frames[None], self.video[None], real, self.context[None])

    def output_by_frame(self) -> VideoOutput:
        """Return each frame as a video of its own, with the whole video's context."""
        real = torch.ones(len(self.frames), 1, dtype=torch.bool)
        context = self.context[None].expand(len(self.frames), *self.context.shape)
        return VideoOutput(self.frames[:, None], self.frames, real, context)


@torch.inference_mode()
def recognise(
    model: DualEncoder,
    video: str | Path | EmbeddedVideo,
    labels: Iterable[str] = (),
    *,
    templates: Sequence[str] = PLAIN,
    average: str = "scores",
    top: int = 5,
    pieces: int | None = None,
) -> dict[str, Any]:
    """Return how likely each of `labels` is for `video`; the `top` best ones, the best first.

    templates: sentences with `{}` for the label; several make an ensemble. average: what becomes one number over the
    ensemble: `scores`, or `probabilities`, as in ActionCLIP. pieces: number of equal parts of the video that the strip
    over time shows, each seen by the whole model. None: the strip shows the video's frames. A branch adds the same to
    every frame, so a strip of motions needs pieces. For a model that ends in a classifier, the labels are the names of
    its classes in their order, and templates don't count; without labels, they are the names that the model brings.

    The result: {"video", "labels": [{"label", "probability", "score"}], "none": {"probability", "rejected", "bank"},
    "alike": [[a, b, cosine]], "over_time": {"of", "times", "labels", "best", "probabilities"}, "temperature",
    "calibrated", "ms"}. probability: softmax of score / temperature over all labels, given that one of them is right.
    match: probability of the label alone, whatever the other labels are (see `DualEncoder.pair_probability`); only from
    models that judge pairs one by one, such as SigLIP. calibrated: whether the temperature was fitted
    (`stan.evaluation.calibration`). If not, it is CLIP's own, and probabilities are only good for comparison. none: see
    `none_of_these`; None for a classifier, which knows its own classes only. alike: see `too_alike`, for scores that
    are cosines; also holds labels given twice. over_time: times in seconds, the best label at each, and probabilities
    (times, labels) of the labels shown. ms: milliseconds for encoding the video and for scoring the labels.

    Raises ValueError without labels or names of classes, for another number of labels than a classifier has classes,
    for templates without one place for the label, for another average, and for a `top` or `pieces` below 1; VideoError
    for a video that can't be decoded.
    """
    require_count("top", top)
    if pieces is not None:
        require_count("pieces", pieces)
    names, repeated = distinct(labels)
    temperature, fitted = temperature_of(model)
    asked = _asked(model, names, templates, average, temperature)
    started = time.perf_counter()
    seen = video if isinstance(video, EmbeddedVideo) else embed(model, video)
    strip = ("frames", seen.output_by_frame(), seen.times)
    if pieces is not None:
        strip = _pieces(model, seen.path, pieces)
    encoded = time.perf_counter()
    scores, chances = (of_video[0] for of_video in asked.of(seen.output()))
    matches = model.pair_probability(scores)
    best = chances.topk(min(top, len(chances))).indices.tolist()
    found = {
        "video": seen.name,
        "labels": [
            {"label": asked.names[i], "probability": float(chances[i]), "score": float(scores[i])}
            | ({} if matches is None else {"match": float(matches[i])})
            for i in best
        ],
        "none": asked.none(seen.output(), scores),
        "alike": repeated + asked.alike(),
        "over_time": asked.over_time(*strip, best),
        "temperature": temperature,
        "calibrated": fitted,
    }
    ended = time.perf_counter()
    return found | {
        "ms": {"encode": milliseconds(encoded - started), "labels": milliseconds(ended - encoded)}
    }


class _Labels(NamedTuple):
    """Labels that videos are scored for, and how (see `recognise`)."""

    model: DualEncoder
    names: Sequence[str]
    templates: Sequence[str]
    average: str
    temperature: float

    def of(self, video: VideoOutput) -> tuple[Float[Tensor, "videos C"], Float[Tensor, "videos C"]]:
        """Return `label_scores`, and the probabilities that they or, by `average`, each template's own become."""
        scores = label_scores(self.model, self.names, self.templates, video)
        if self.average == "scores":
            return scores, (scores / self.temperature).softmax(1)
        each = [label_scores(self.model, self.names, [template], video) for template in self.templates]
        return scores, (torch.stack(each) / self.temperature).softmax(2).mean(0)

    def none(self, video: VideoOutput, scores: Float[Tensor, " C"]) -> dict[str, Any] | None:
        """Return the entry "none"; with n templates, the bank has one n-th of the sentences: it costs the same."""
        if isinstance(self.model.score, LinearClassifier):
            return None
        bank = unrelated()[:: len(self.templates)]
        own = {name.lower() for name in self.names}
        others = torch.tensor([sentence.lower() not in own for sentence in bank])
        against = label_scores(self.model, bank, self.templates, video)[0][others]
        probability = none_of_these(scores, against, self.temperature)
        return {"probability": probability, "rejected": probability > 0.5, "bank": len(against)}

    def alike(self) -> list[list[Any]]:
        """Return the pairs of `too_alike`; none where scores are no cosines."""
        if not isinstance(self.model.score, Cosine):
            return []
        return too_alike(self.names, class_vectors(self.model, self.names, self.templates), self.temperature)

    def over_time(
        self, of: str, parts: VideoOutput, times: Float[np.ndarray, " N"], shown: list[int]
    ) -> dict[str, Any]:
        """Return the entry "over_time" of a video's frames or pieces, with the labels that are shown."""
        _, chances = self.of(parts)
        return {
            "of": of,
            "times": [round(float(t), 3) for t in times],
            "labels": [self.names[i] for i in shown],
            "best": [self.names[i] for i in chances.argmax(1).tolist()],
            "probabilities": chances[:, shown].tolist(),
        }


def _asked(
    model: DualEncoder, names: Sequence[str], templates: Sequence[str], average: str, temperature: float
) -> _Labels:
    """Return the labels, or the classes that the model brings. Raises ValueError as `recognise` does for either."""
    templates = prompts.checked(templates, "templates")
    prompts.averaged(average)
    names = names or class_names(model)
    if not names:
        raise ValueError("there are no labels: give at least one, one per line")
    return _Labels(model, names, templates, average, temperature)


def class_names(model: DualEncoder) -> list[str]:
    """Return the names of its classes that a model brings: none, unless it ends in a classifier."""
    return model.score.names if isinstance(model.score, LinearClassifier) else []


def distinct(labels: Iterable[str]) -> tuple[list[str], list[list[Any]]]:
    """Return the labels without empty and repeated ones, and [first, again, 1.0] for each repetition.

    Labels are the same if they differ only in case and spaces. Raises ValueError for what is no list of texts.
    """
    if isinstance(labels, Iterable) and not isinstance(labels, str):
        labels = list(labels)
    require("labels", labels, "Sequence[str]")
    first: dict[str, str] = {}
    repeated: list[list[Any]] = []
    for label in filter(None, (" ".join(label.split()) for label in labels)):
        key = label.lower()
        if key in first:
            repeated.append([first[key], label, 1.0])
        first.setdefault(key, label)
    return list(first.values()), repeated


def embed(model: DualEncoder, path: str | Path) -> EmbeddedVideo:
    """Embed a video file. Raises VideoError for a file that can't be decoded."""
    frames, times = model.decode(path)
    output = _encoded(model, frames)
    return EmbeddedVideo(str(path), str(path), output.video[0], output.frames[0], times, output.context[0])


def label_scores(
    model: DualEncoder, names: Sequence[str], templates: Sequence[str], video: VideoOutput
) -> Float[Tensor, "videos C"]:
    """Return each name's score for each video: the cosine with `class_vectors`, otherwise the mean over templates.

    Raises ValueError for another number of names than a classifier has classes.
    """
    if isinstance(model.score, Cosine):
        return video.video @ class_vectors(model, names, templates).T
    device = model.device
    video = VideoOutput(*(part.to(device) for part in video))
    if isinstance(model.score, LinearClassifier):
        return model.score.of_classes(len(names), video).cpu()
    ids = _sentences(model, names, templates)
    parts = [model.similarity(model.encode_text(part.to(device)), video) for part in ids.split(TEXTS_AT_ONCE)]
    return torch.cat(parts).float().cpu().unflatten(0, (len(names), len(templates))).mean(1).T


def class_vectors(
    model: DualEncoder, names: Sequence[str], templates: Sequence[str] = PLAIN
) -> Float[Tensor, "C E"]:
    """Return each name's normalised mean of its normalised sentence embeddings (CLIP's prompt ensembles).

    The vectors are kept for the next call. They belong to the model's present weights: after more training, the model
    needs a new object.
    """
    kept = _VECTORS.setdefault(model, {})
    key = (tuple(names), tuple(templates))
    if key not in kept:
        while len(kept) >= VECTORS_KEPT:
            kept.pop(next(iter(kept)))
        ids = _sentences(model, names, templates)
        parts = [model.encode_text(part.to(model.device)).text for part in ids.split(TEXTS_AT_ONCE)]
        each = F.normalize(torch.cat(parts).float(), dim=-1).unflatten(0, (len(names), len(templates)))
        kept[key] = F.normalize(each.mean(1), dim=-1).cpu()
    return kept[key]


def _sentences(
    model: DualEncoder, names: Sequence[str], templates: Sequence[str]
) -> Int[Tensor, "sentences L"]:
    """Return the token ids of every name in every template, name by name."""
    sentences = [prompts.fill(template, name) for name in names for template in templates]
    clip = model.clip
    return token_ids(clip.tokenize, sentences, clip.context_length, clip.reads_padding)


_VECTORS: WeakKeyDictionary[DualEncoder, dict[Any, Tensor]] = WeakKeyDictionary()


def too_alike(names: Sequence[str], vectors: Float[Tensor, "C E"], temperature: float) -> list[list[Any]]:
    """Return [a, b, cosine] of the pairs that can't be told apart, the most alike first.

    A video embedded exactly at a scores 1 for a and the cosine c of a and b for b: its odds are exp((1 - c) /
    temperature). Below `ALIKE_ODDS`, not even this best of all videos tells them apart.
    """
    cosines = vectors @ vectors.T
    a, b = (cosines > 1 - temperature * math.log(ALIKE_ODDS)).triu(1).nonzero(as_tuple=True)
    pairs = [[names[i], names[j], float(cosines[i, j])] for i, j in zip(a.tolist(), b.tolist(), strict=True)]
    return sorted(pairs, key=lambda pair: -pair[2])


def none_of_these(scores: Float[Tensor, " C"], bank: Float[Tensor, " B"], temperature: float) -> float:
    """Return the probability that no label fits, judged by the scores of unrelated sentences on the same video.

    It compares the mean of exp(score / temperature) over the labels with that over the bank. This is Bayes' rule if the
    truth is as likely to be among the labels as among an equal number of bank sentences. So the result doesn't depend
    on the size of the bank, and a few bank sentences that do fit hardly outweigh a label that does. It assumes that the
    model can weigh any sentence against any other: a model trained on sentences can; one trained only on the names of
    its classes rejects far too much.
    """
    of_labels = torch.logsumexp(scores / temperature, 0) - math.log(len(scores))
    of_bank = torch.logsumexp(bank / temperature, 0) - math.log(len(bank))
    return float(torch.sigmoid(of_bank - of_labels))


def _pieces(model: DualEncoder, path: str, pieces: int) -> tuple[str, VideoOutput, Float[np.ndarray, " N"]]:
    """Return "pieces", embeddings of that many equal parts of a video, and the times of their middles in seconds."""
    frames, times = model.decode(path, pieces * model.frames)
    parts = joined([_encoded(model, part) for part in frames.split(model.frames)])
    return "pieces", parts, times.reshape(pieces, -1).mean(1)


def _encoded(model: DualEncoder, frames: Float[Tensor, "T 3 S S"]) -> VideoOutput:
    """Return a video's embeddings on the CPU, normalised where the model scores by cosine."""
    output = model.encode_video(frames[None].to(model.device))
    video, frames = output.video.float().cpu(), output.frames.float().cpu()
    if isinstance(model.score, Cosine):
        video, frames = F.normalize(video, dim=-1), F.normalize(frames, dim=-1)
    return VideoOutput(frames, video, output.mask.cpu(), output.context.float().cpu())
