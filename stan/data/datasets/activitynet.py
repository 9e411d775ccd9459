"""A folder in ActivityNet Captions' layout in, its splits as entries out: a video's sentences joined to a paragraph.

The files are `train.json`, `val_1.json` and `val_2.json` ({"v_ID": {"duration", "timestamps", "sentences"}}); videos
are `v_ID.*` or `ID.*`. As in published work, `activitynet` tests on val_1. In val_2, other people describe nearly the
same videos, so that it can't serve for validation; `activitynet-val2` tests on it. `val` is a twentieth of the training
videos, held out of training.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from stan.data.datasets.base import AnnotationEntry, Annotations, DataSet, of_training, paragraph
from stan.data.datasets.files import annotation, document, text


def annotations(tested: str, root: Path, split: str) -> Annotations:
    """Return the split train, val or test; test comes from the file `tested`."""
    file = annotation(root, tested if split == "test" else "train.json")
    entries = paragraphs(file)
    if split == "test":
        return Annotations(entries, (file,))
    return Annotations(of_training(split, entries), (file,), held_out=True)


def paragraphs(path: Path) -> tuple[AnnotationEntry, ...]:
    """Return one entry per video, its sentences joined in the file's order."""
    return tuple(_entry(path, video, told) for video, told in document(path, dict).items())


def _entry(path: Path, video: str, told: Any) -> AnnotationEntry:
    try:
        caption = paragraph(text(sentence) for sentence in told["sentences"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: {video} has no list of sentences ({error!r})") from error
    return AnnotationEntry(video, video, (caption,), other_name=video.removeprefix("v_"))


SETS = tuple(
    DataSet(
        name,
        "retrieval",
        partial(annotations, tested),
        f"train.json, {tested}",
        "cs.stanford.edu/people/ranjaykrishna/densevid; videos: activity-net.org",
        {"train": (10_009,), "test": (videos,)},
        shrinks=True,
    )
    for name, tested, videos in (
        ("activitynet", "val_1.json", 4917),
        ("activitynet-val2", "val_2.json", 4885),
    )
)
