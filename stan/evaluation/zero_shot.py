"""A video and labels in; how likely each is, or none of them, where in time, and which can't be told apart, out.

Letters: C labels, B sentences of a bank, T frames, E embedding width. All embeddings are normalised.
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
from jaxtyping import Float
from torch import Tensor

from stan.data import prompts
from stan.data.label_sets import unrelated
from stan.data.preprocessing import token_ids
from stan.evaluation.calibration import temperature_of
from stan.models.dual_encoder import DualEncoder
from stan.models.similarity.cosine import Cosine

PLAIN = prompts.named("plain")
ALIKE_ODDS = 4.0
"""Two labels are too alike where not even a video embedded exactly at one of them has these odds of being it.

In the embedded world's tests, at fitted temperatures, such pairs were told apart in 66 % of cases on retrieval and
50 % on motions (chance is 50), those a little less alike in 72 and 78 %.
"""

TEXTS_AT_ONCE = 256
VECTORS_KEPT = 16
"""Sets of labels whose vectors are kept per model."""


class EmbeddedVideo(NamedTuple):
    """What a model made of one video; `times` in seconds, `name` what results call it."""

    name: str
    path: str
    video: Float[Tensor, " E"]
    frames: Float[Tensor, "T E"]
    times: Float[np.ndarray, " T"]


@torch.inference_mode()
def recognise(
    model: DualEncoder,
    video: str | Path | EmbeddedVideo,
    labels: Iterable[str],
    *,
    templates: Sequence[str] = PLAIN,
    top: int = 5,
    pieces: int | None = None,
) -> dict[str, Any]:
    """How likely each of `labels` is for `video`, the `top` best first.

    templates: sentences with `{}` for the label; several make an ensemble. pieces: the strip over time shows so many
    equal parts of the video, each seen by the whole model; None: its frames, in which a branch's part is the same
    throughout, so that a strip of motions needs pieces.

    {"video", "labels": [{"label", "probability", "score"}], "none": {"probability", "rejected", "bank"}, "alike":
    [[a, b, cosine]], "over_time": {"of", "times", "labels", "best", "probabilities"}, "temperature", "calibrated",
    "ms"}. probability: softmax of cosine / temperature over all labels, given that one of them is right;
    "calibrated" says whether the temperature was fitted (`stan.evaluation.calibration`) or is only that of CLIP's own
    scale, and probabilities can do no more than compare. none: see `none_of_these`; alike: see `too_alike`, and labels
    given twice. over_time: times in seconds, "best" label at each, probabilities (times, labels) of the labels shown.

    Raises ValueError without labels, and for a model that doesn't score by cosine; VideoError for a video that can't
    be decoded.
    """
    if not isinstance(model.score, Cosine):
        raise ValueError(
            f"this model scores by {type(model.score).__name__}: labels have one vector each, take one with cosine"
        )
    names, repeated = distinct(labels)
    if not names:
        raise ValueError("there are no labels: give at least one, one per line")
    temperature, fitted = temperature_of(model)
    started = time.perf_counter()
    seen = video if isinstance(video, EmbeddedVideo) else embed(model, video)
    strip = ("frames", seen.frames, seen.times) if pieces is None else _pieces(model, seen.path, pieces)
    encoded = time.perf_counter()
    vectors = class_vectors(model, names, templates)
    scores = vectors @ seen.video
    chances = (scores / temperature).softmax(0)
    best = chances.topk(min(top, len(names))).indices.tolist()
    found = {
        "video": seen.name,
        "labels": [
            {"label": names[i], "probability": float(chances[i]), "score": float(scores[i])} for i in best
        ],
        "none": _none(model, seen.video, names, scores, templates, temperature),
        "alike": repeated + too_alike(names, vectors, temperature),
        "over_time": _over_time(*strip, names, vectors, best, temperature),
        "temperature": temperature,
        "calibrated": fitted,
    }
    ended = time.perf_counter()
    return found | {"ms": {"encode": _ms(encoded - started), "labels": _ms(ended - encoded)}}


def distinct(labels: Iterable[str]) -> tuple[list[str], list[list[Any]]]:
    """Labels without empty ones and repetitions, whatever their case and spaces; [first, again, 1.0] of the latter."""
    first: dict[str, str] = {}
    repeated: list[list[Any]] = []
    for label in filter(None, (" ".join(label.split()) for label in labels)):
        key = label.lower()
        if key in first:
            repeated.append([first[key], label, 1.0])
        first.setdefault(key, label)
    return list(first.values()), repeated


def embed(model: DualEncoder, path: str | Path) -> EmbeddedVideo:
    """A video file as the model sees it. Raises VideoError for one that can't be decoded."""
    frames, times = model.decode(path)
    output = model.encode_video(frames[None].to(model.device))
    video, frames = (F.normalize(part[0], dim=-1).float().cpu() for part in (output.video, output.frames))
    return EmbeddedVideo(str(path), str(path), video, frames, times)


def class_vectors(
    model: DualEncoder, names: Sequence[str], templates: Sequence[str] = PLAIN
) -> Float[Tensor, "C E"]:
    """Each name's normalised mean of its normalised sentences (CLIP's prompt ensembles); kept for the next call.

    What is kept belongs to the model's weights as they are: a model that is trained on needs a new object.
    """
    kept = _VECTORS.setdefault(model, {})
    key = (tuple(names), tuple(templates))
    if key not in kept:
        while len(kept) >= VECTORS_KEPT:
            kept.pop(next(iter(kept)))
        sentences = [prompts.fill(template, name) for name in names for template in templates]
        ids = token_ids(model.clip.tokenize, sentences, model.clip.context_length)
        parts = [model.encode_text(part.to(model.device)).text for part in ids.split(TEXTS_AT_ONCE)]
        each = F.normalize(torch.cat(parts).float(), dim=-1).unflatten(0, (len(names), len(templates)))
        kept[key] = F.normalize(each.mean(1), dim=-1).cpu()
    return kept[key]


_VECTORS: WeakKeyDictionary[DualEncoder, dict[Any, Tensor]] = WeakKeyDictionary()


def too_alike(names: Sequence[str], vectors: Float[Tensor, "C E"], temperature: float) -> list[list[Any]]:
    """[a, b, cosine] of the pairs that can't be told, most alike first.

    A video embedded exactly at a scores 1 for a and the cosine c of the two for b: its odds are exp((1 - c) /
    temperature). Below `ALIKE_ODDS` not even this best of all videos tells them apart.
    """
    cosines = vectors @ vectors.T
    a, b = (cosines.triu(1) > 1 - temperature * math.log(ALIKE_ODDS)).nonzero(as_tuple=True)
    pairs = [[names[i], names[j], float(cosines[i, j])] for i, j in zip(a.tolist(), b.tolist(), strict=True)]
    return sorted(pairs, key=lambda pair: -pair[2])


def none_of_these(scores: Float[Tensor, " C"], bank: Float[Tensor, " B"], temperature: float) -> float:
    """The probability that no label fits, judged by what unrelated sentences score on the same video.

    The labels' mean of exp(score / temperature) against the bank's: Bayes' rule where the truth is as likely to be
    among the labels as among as many sentences of the bank. So it doesn't depend on how large the bank is, and a few
    sentences in it that do fit hardly outweigh a label that does. It trusts the model to weigh any sentence against
    any other: one trained on sentences can, one trained on the names of its classes alone rejects far too much.
    """
    of_labels = torch.logsumexp(scores / temperature, 0) - math.log(len(scores))
    of_bank = torch.logsumexp(bank / temperature, 0) - math.log(len(bank))
    return float(torch.sigmoid(of_bank - of_labels))


def _none(
    model: DualEncoder,
    video: Float[Tensor, " E"],
    names: list[str],
    scores: Float[Tensor, " C"],
    templates: Sequence[str],
    temperature: float,
) -> dict[str, Any]:
    """Of more templates the bank takes as many fewer sentences, so that it costs the same."""
    bank = unrelated()[:: len(templates)]
    own = {name.lower() for name in names}
    others = torch.tensor([sentence.lower() not in own for sentence in bank])
    against = class_vectors(model, bank, templates)[others] @ video
    probability = none_of_these(scores, against, temperature)
    return {"probability": probability, "rejected": probability > 0.5, "bank": len(against)}


def _over_time(
    of: str,
    parts: Float[Tensor, "N E"],
    times: Float[np.ndarray, " N"],
    names: list[str],
    vectors: Float[Tensor, "C E"],
    shown: list[int],
    temperature: float,
) -> dict[str, Any]:
    chances = (parts @ vectors.T / temperature).softmax(1)
    return {
        "of": of,
        "times": [round(float(t), 3) for t in times],
        "labels": [names[i] for i in shown],
        "best": [names[i] for i in chances.argmax(1).tolist()],
        "probabilities": chances[:, shown].tolist(),
    }


def _pieces(
    model: DualEncoder, path: str, pieces: int
) -> tuple[str, Float[Tensor, "N E"], Float[np.ndarray, " N"]]:
    """Embeddings of so many equal parts of a video, and the times of their middles."""
    frames, times = model.decode(path, pieces * model.frames)
    each = [model.encode_video(part[None].to(model.device)).video[0] for part in frames.split(model.frames)]
    parts = F.normalize(torch.stack(each), dim=-1).float().cpu()
    return "pieces", parts, times.reshape(pieces, -1).mean(1)


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 2)
