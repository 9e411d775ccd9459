"""A folder in Something-Something v2's layout in, its splits as entries out: a class is a template of what happens.

The files are `labels.json` ({text: index}; without it, the 174 labels of v2), `train.json`, `validation.json` and
`test.json` ([{"id", "template", ...}]), which may also be named `something-something-v2-*.json`. A template without its
brackets is the label's text. If the test items have no templates, as in the published set, `test` is the published
validation file, and `val` is a twentieth of the training videos, held out of training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stan.common.paths import ASSETS
from stan.data.datasets.base import AnnotationEntry, Annotations, DataSet, of_training
from stan.data.datasets.files import annotation, document, items, name, optional_annotation, text

FILES = {"train": "train", "val": "validation", "test": "test"}


def annotations(root: Path, split: str) -> Annotations:
    """Return the split train, val or test."""
    labels = optional_annotation(root, *_names("labels"))
    classes = class_names(labels)
    whole = _has_templates(optional_annotation(root, *_names("test")))
    wanted = split if whole else {"train": "train", "val": "train", "test": "val"}[split]
    file = annotation(root, *_names(FILES[wanted]))
    entries, files = labelled(file, classes), (file, *([labels] if labels else []))
    if whole or split == "test":
        return Annotations(entries, files, classes)
    return Annotations(of_training(split, entries), files, classes, held_out=True)


def class_names(path: Path | None = None) -> tuple[str, ...]:
    """Return the label texts in index order; None: the 174 of version 2."""
    if path is None:
        shipped = ASSETS / "labels" / "something_v2.txt"
        return tuple(shipped.read_text(encoding="utf-8").split("\n")[:174])
    values = document(path)
    if not isinstance(values, dict) or sorted(map(str, values.values())) != sorted(
        map(str, range(len(values)))
    ):
        raise ValueError(
            f"{path}: an object from label text to index, 0 to the number of labels, is expected"
        )
    return tuple(sorted(values, key=lambda text: int(values[text])))


def labelled(path: Path, classes: tuple[str, ...]) -> tuple[AnnotationEntry, ...]:
    """Return one entry per item."""
    index = {label: i for i, label in enumerate(classes)}

    def entry(item: dict[str, Any]) -> AnnotationEntry:
        label, id = plain(text(item["template"])), name(item["id"])
        if label not in index:
            raise ValueError(f"the labels do not hold {label!r}")
        return AnnotationEntry(id, id, label=index[label])

    return tuple(items(path, entry))


def plain(template: str) -> str:
    """Return a template such as `Pushing [something] off [something]` without its brackets."""
    return template.replace("[", "").replace("]", "")


def _has_templates(path: Path | None) -> bool:
    return path is not None and any(
        isinstance(item, dict) and "template" in item for item in document(path, list)[:1]
    )


def _names(part: str) -> tuple[str, str]:
    return f"{part}.json", f"something-something-v2-{part}.json"


SET = DataSet(
    "something",
    "recognition",
    annotations,
    "train.json, validation.json; optionally labels.json and test.json (or something-something-v2-*.json)",
    "developer.qualcomm.com (Something-Something v2)",
    {"train": (168_913,), "test": (24_777,)},
    classes=174,
)
