"""A folder in MSR-VTT's 1k-A layout in, a VideoSet out: one sentence a test video, many a training video.

`MSRVTT_train.9k.csv` (video_id), `MSRVTT_JSFUSION_test.csv` (key,vid_key,video_id,sentence) and `MSRVTT_data.json`
({"videos": [{"video_id", ...}], "sentences": [{"video_id", "caption"}]}). The set has no validation split of its own
beside these 9,000 and 1,000: `MSRVTT_val.csv`, in the test file's columns, is taken where it is there; otherwise a
twentieth of the training videos, chosen by the hash of their ids, is held out of training.
"""

from __future__ import annotations

from pathlib import Path

from stan.data.datasets.base import (
    Entry,
    VideoSet,
    annotation,
    assemble,
    document,
    items,
    of_training,
    optional_annotation,
    rows,
)

VALIDATION = "MSRVTT_val.csv"


def read(root: str | Path, split: str, name: str = "msrvtt") -> VideoSet:
    """The split train, val or test. Raises ValueError naming file and line of what cannot be used."""
    root = Path(root)
    validation = optional_annotation(root, VALIDATION)
    if split == "test":
        entries = pairs(annotation(root, "MSRVTT_JSFUSION_test.csv"))
    elif split == "val" and validation:
        entries = pairs(validation)
    else:
        listed = annotation(root, "MSRVTT_train.9k.csv", "MSRVTT_train.7k.csv")
        entries = training(listed, annotation(root, "MSRVTT_data.json"))
        entries = entries if validation else of_training(split, entries)
    return assemble(name, split, "retrieval", root, entries)


def pairs(path: Path) -> list[Entry]:
    """One entry a video; the sentences of a video that stands in several rows stay together."""
    captions: dict[str, list[str]] = {}
    for row in rows(path, ("video_id", "sentence")):
        captions.setdefault(row["video_id"], []).append(row["sentence"])
    return [Entry(video, video, tuple(sentences)) for video, sentences in captions.items()]


def training(listed: Path, data: Path) -> list[Entry]:
    """One entry a listed video, with all its sentences."""
    values = document(data)
    if not isinstance(values, dict) or "sentences" not in values:
        raise ValueError(f"{data}: an object with `sentences` is expected")
    captions: dict[str, list[str]] = {}
    for video, caption in items(data, lambda s: (s["video_id"], s["caption"]), values["sentences"]):
        captions.setdefault(video, []).append(caption)
    wanted = [row["video_id"] for row in rows(listed, ("video_id",))]
    silent = [video for video in wanted if video not in captions]
    if silent:
        raise ValueError(
            f"{data}: no sentence for {len(silent)} videos of {listed.name}, such as {silent[0]}"
        )
    return [Entry(video, video, tuple(captions[video])) for video in wanted]
