"""A folder in one of MSR-VTT's layouts in, its splits as entries out, under three protocols.

`msrvtt` (1k-A) reads `MSRVTT_train.9k.csv` (video_id), `MSRVTT_JSFUSION_test.csv` (key,vid_key,video_id,sentence; one
sentence per video) and `MSRVTT_data.json` ({"videos": [{"video_id", "split", ...}], "sentences": [{"video_id",
"caption"}]}). `msrvtt-7k` has the same test set and the smaller `MSRVTT_train.7k.csv`. Neither has a validation split
of its own. If there is a `MSRVTT_val.csv`, with the columns of the test file, it is the validation split. Otherwise a
twentieth of the training videos, chosen by the hash of their ids, is held out of training.
`msrvtt-full` is the published split, given by the `split` (train, validate, test) of each video in `MSRVTT_data.json`,
or in `train_val_videodatainfo.json` and `test_videodatainfo.json`; all sentences of a test video count.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from stan.data.datasets.base import AnnotationEntry, Annotations, DataSet, of_training
from stan.data.datasets.files import annotation, document, items, name, optional_annotation, rows, text

TEST, DATA, VALIDATION = "MSRVTT_JSFUSION_test.csv", "MSRVTT_data.json", "MSRVTT_val.csv"
PUBLISHED = {
    "train": "train_val_videodatainfo.json",
    "val": "train_val_videodatainfo.json",
    "test": "test_videodatainfo.json",
}
SPLIT_WORDS = {"train": "train", "val": "validate", "test": "test"}


def of_thousand(training_list: str, root: Path, split: str) -> Annotations:
    """Return a split of a protocol that tests on 1k-A."""
    validation = optional_annotation(root, VALIDATION)
    file = annotation(root, TEST) if split == "test" else validation
    if split in ("test", "val") and file is not None:
        return Annotations(pairs(file), (file,))
    files = annotation(root, training_list), annotation(root, DATA)
    entries = training(*files)
    return Annotations(entries if validation else of_training(split, entries), files, held_out=not validation)


def published(root: Path, split: str) -> Annotations:
    """Return a split of the published protocol, as each video's own `split` says."""
    file = annotation(root, DATA, PUBLISHED[split])
    values = document(file, dict)
    videos = items(file, lambda v: (name(v["video_id"]), v["split"]), values.get("videos"))
    captions = sentences(file, values)
    wanted = [video for video, own in videos if own == SPLIT_WORDS[split]]
    return Annotations(_with_captions(wanted, captions, file, f"the {split} split"), (file,))


def pairs(path: Path) -> tuple[AnnotationEntry, ...]:
    """Return one entry per video; a video in several rows keeps all its sentences."""
    captions: dict[str, list[str]] = {}
    for _, row in rows(path, ("video_id", "sentence")):
        captions.setdefault(row["video_id"], []).append(row["sentence"])
    return tuple(AnnotationEntry(video, video, tuple(sentences)) for video, sentences in captions.items())


def training(listed: Path, data: Path) -> tuple[AnnotationEntry, ...]:
    """Return one entry per listed video, with all its sentences."""
    captions = sentences(data, document(data, dict))
    wanted = [row["video_id"] for _, row in rows(listed, ("video_id",))]
    return _with_captions(wanted, captions, data, listed.name)


def sentences(path: Path, values: dict[str, Any]) -> dict[str, list[str]]:
    """Return the captions by video."""
    if "sentences" not in values:
        raise ValueError(f"{path}: an object with `sentences` is expected")
    captions: dict[str, list[str]] = {}
    for video, caption in items(
        path, lambda s: (name(s["video_id"]), text(s["caption"])), values["sentences"]
    ):
        captions.setdefault(video, []).append(caption)
    return captions


def _with_captions(
    wanted: list[str], captions: dict[str, list[str]], data: Path, listed: str
) -> tuple[AnnotationEntry, ...]:
    silent = [video for video in wanted if video not in captions]
    if silent:
        raise ValueError(f"{data}: no sentence for {len(silent)} videos of {listed}, such as {silent[0]}")
    return tuple(AnnotationEntry(video, video, tuple(captions[video])) for video in wanted)


_SOURCE = (
    "github.com/ArrowLuo/CLIP4Clip (msrvtt_data.zip); videos: www.robots.ox.ac.uk/~maxbain/frozen-in-time"
)
SETS = (
    DataSet(
        "msrvtt",
        "retrieval",
        partial(of_thousand, "MSRVTT_train.9k.csv"),
        f"MSRVTT_train.9k.csv, {TEST}, {DATA}; optionally {VALIDATION}",
        _SOURCE,
        {"train": (9000,), "test": (1000,)},
    ),
    DataSet(
        "msrvtt-7k",
        "retrieval",
        partial(of_thousand, "MSRVTT_train.7k.csv"),
        f"MSRVTT_train.7k.csv, {TEST}, {DATA}; optionally {VALIDATION}",
        _SOURCE,
        {"train": (7010,), "test": (1000,)},
    ),
    DataSet(
        "msrvtt-full",
        "retrieval",
        published,
        f"{DATA}, or train_val_videodatainfo.json and test_videodatainfo.json",
        _SOURCE,
        {"train": (6513,), "val": (497,), "test": (2990,)},
    ),
)
