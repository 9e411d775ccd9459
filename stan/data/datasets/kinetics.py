"""A folder in Kinetics' layout in, a VideoSet out: lines `path label`.

`kinetics400_{train,val,test}_list_videos.txt`, or `kinetics_video_{train,val,test}_se320.txt`; class names from
`label_map_k400.txt` beside them, else Kinetics-400's own. Where no test list with labels is there, as in the published
set, `test` is the published validation list, and `val` a twentieth of the training videos, held out of training.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from stan.data.datasets.base import (
    Entry,
    VideoSet,
    annotation,
    assemble,
    lines,
    of_training,
    optional_annotation,
)


def read(root: str | Path, split: str, name: str = "kinetics") -> VideoSet:
    """The split train, val or test. Raises ValueError naming file and line of what cannot be used."""
    root = Path(root)
    classes = class_names(optional_annotation(root, "label_map_k400.txt"))
    if optional_annotation(root, *_names("test")):
        entries = labelled(annotation(root, *_names(split)), len(classes))
    elif split == "test":
        entries = labelled(annotation(root, *_names("val")), len(classes))
    else:
        entries = of_training(split, labelled(annotation(root, *_names("train")), len(classes)))
    return assemble(name, split, "recognition", root, entries, classes)


def class_names(path: Path | None = None) -> tuple[str, ...]:
    """One name a line in index order; None: the 400 classes of Kinetics-400."""
    if path is not None:
        return tuple(text for _, text in lines(path))
    shipped = resources.files("stan.data") / "labels" / "kinetics400.txt"
    return tuple(shipped.read_text(encoding="utf-8").split("\n")[:400])


def labelled(path: Path, classes: int) -> list[Entry]:
    """One entry a line."""
    entries = []
    for number, line in lines(path):
        video, _, label = line.rpartition(" ")
        if not video or not label.isdecimal():
            raise ValueError(f"{path}:{number}: `path label` is expected, not {line[:80]!r}")
        if int(label) >= classes:
            raise ValueError(f"{path}:{number}: label {label} where there are {classes} classes")
        entries.append(Entry(video.rpartition(".")[0] or video, video, label=int(label)))
    return entries


def _names(split: str) -> tuple[str, str]:
    return f"kinetics400_{split}_list_videos.txt", f"kinetics_video_{split}_se320.txt"
