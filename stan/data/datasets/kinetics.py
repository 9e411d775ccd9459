"""A folder in Kinetics' layout in, its splits as entries out, read from lines `path label`.

The lists are `kinetics400_{train,val,test}_list_videos.txt` or `kinetics_video_{train,val,test}_se320.txt`. Class names
come from `label_map_k400.txt` beside them; without it they are Kinetics-400's own. If there is no test list with
labels, as in the published set, `test` is the published validation list, and `val` is a twentieth of the training
videos, held out of training.
"""

from __future__ import annotations

from pathlib import Path

from stan.common.paths import ASSETS
from stan.data.datasets.base import AnnotationEntry, Annotations, DataSet, of_training
from stan.data.datasets.files import annotation, lines, listed_classes, optional_annotation, without_extension


def annotations(root: Path, split: str) -> Annotations:
    """Return the split train, val or test."""
    names = optional_annotation(root, "label_map_k400.txt")
    classes = class_names(names)
    whole = optional_annotation(root, *_names("test")) is not None
    wanted = split if whole else {"train": "train", "val": "train", "test": "val"}[split]
    file = annotation(root, *_names(wanted))
    entries, files = labelled(file, len(classes)), (file, *([names] if names else []))
    if whole or split == "test":
        return Annotations(entries, files, classes)
    return Annotations(of_training(split, entries), files, classes, held_out=True)


def class_names(path: Path | None = None) -> tuple[str, ...]:
    """Return the class names in index order, from a file with one per line; None: the 400 classes of Kinetics-400."""
    if path is not None:
        return listed_classes(path)
    shipped = ASSETS / "labels" / "kinetics400.txt"
    return tuple(shipped.read_text(encoding="utf-8").split("\n")[:400])


def labelled(path: Path, classes: int, first: int = 0) -> tuple[AnnotationEntry, ...]:
    """Return one entry per line. first: the label of the first class."""
    entries = []
    for number, line in lines(path):
        video, _, label = line.rpartition(" ")
        if not video or not label.isdecimal():
            raise ValueError(f"{path}:{number}: `path label` is expected, not {line[:80]!r}")
        if not first <= int(label) < classes + first:
            raise ValueError(f"{path}:{number}: label {label} where there are {classes} classes")
        entries.append(AnnotationEntry(without_extension(video), video, label=int(label) - first))
    return tuple(entries)


def _names(split: str) -> tuple[str, str]:
    return f"kinetics400_{split}_list_videos.txt", f"kinetics_video_{split}_se320.txt"


SET = DataSet(
    "kinetics",
    "recognition",
    annotations,
    "kinetics400_train_list_videos.txt, kinetics400_val_list_videos.txt (or kinetics_video_*_se320.txt); optionally"
    " label_map_k400.txt",
    "github.com/cvdfoundation/kinetics-dataset; lists: mmaction2's tools/data/kinetics",
    {"train": (240_436,), "test": (19_796,)},
    classes=400,
    shrinks=True,
)
