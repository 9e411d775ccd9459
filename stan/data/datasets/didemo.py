"""A folder in DiDeMo's layout in, its splits as entries out: all descriptions of a video joined to one paragraph.

The files are `{train,val,test}_list.txt` (one video file per line; without a list, all videos of the JSON file count)
and `{train,val,test}_data.json` or `didemo_{...}_data.json` ([{"video", "description", "times", ...}]).
"""

from __future__ import annotations

from pathlib import Path

from stan.data.datasets.base import AnnotationEntry, Annotations, DataSet, paragraph
from stan.data.datasets.files import (
    annotation,
    items,
    lines,
    name,
    optional_annotation,
    text,
    without_extension,
)


def annotations(root: Path, split: str) -> Annotations:
    """Return the split train, val or test."""
    data = annotation(root, f"{split}_data.json", f"didemo_{split}_data.json")
    listed = optional_annotation(root, f"{split}_list.txt")
    return Annotations(paragraphs(data, listed), (data, *([listed] if listed else [])))


def paragraphs(data: Path, listed: Path | None = None) -> tuple[AnnotationEntry, ...]:
    """Return one entry per video, its descriptions joined by a space in the file's order.

    The published files name some videos with two endings (`x.mov`, `x.mp4`), or with a bare dot (`x.`). These are one
    video with all descriptions: so counted, val and test hold the 1065 and 1004 videos of the lists.
    But if a list names one of the two, only the descriptions under that name count, as in other code for the lists.
    """
    by_name: dict[str, list[str]] = {}
    by_stem: dict[str, list[str]] = {}
    first: dict[str, str] = {}
    for video, description in items(data, lambda item: (name(item["video"]), text(item["description"]))):
        stem = _stem(video)
        by_name.setdefault(video, []).append(description)
        by_stem.setdefault(stem, []).append(description)
        first.setdefault(stem, video)
    if listed is None:
        return tuple(_entry(first[stem], sentences) for stem, sentences in by_stem.items())
    entries = []
    for number, line in lines(listed):
        stem = line if line in by_stem else _stem(line)  # lists often leave out or change the ending
        if stem not in by_stem:
            raise ValueError(f"{listed}:{number}: {line} has no description in {data.name}")
        entries.append(_entry(line if line in by_name else first[stem], by_name.get(line, by_stem[stem])))
    return tuple(entries)


def _entry(video: str, sentences: list[str]) -> AnnotationEntry:
    return AnnotationEntry(_stem(video), video, (paragraph(sentences),))


def _stem(video: str) -> str:
    return without_extension(Path(video).name)


SET = DataSet(
    "didemo",
    "retrieval",
    annotations,
    "train_data.json, val_data.json, test_data.json; train_list.txt, val_list.txt, test_list.txt, without which all"
    " videos of the JSON files are taken",
    "github.com/LisaAnne/LocalizingMoments; lists: github.com/albanie/collaborative-experts",
    {"train": (8392,), "val": (1065,), "test": (1004,)},
)
