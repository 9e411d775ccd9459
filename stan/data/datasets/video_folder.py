"""A folder in the layout of Hugging Face's `videofolder` in, its splits as entries out.

The files are `metadata.csv` or `metadata.jsonl` in the folder or the folders of the splits, with `file_name` (relative
to the metadata file) and `caption` (or `text`; in .jsonl also a list) or `label`. Without metadata, the folder of a
video is its class: `train/dog/1.mp4`. Splits are told by the words train, validation and test in a path, but not by
those in a class: `val/training dog/1.mp4` is for validation. If only one of validation and test is there, it is the
test set, and a twentieth of training is held out for validation.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from stan.common.json_values import from_json, require
from stan.data.datasets.base import AnnotationEntry, Annotations, DataSet, of_training
from stan.data.datasets.files import EXTENSIONS, VideoFolder, annotation, folders, lines, rows
from stan.data.datasets.split_names import indexed, of_split, splits_of

METADATA = ("metadata.csv", "metadata.jsonl")
CAPTION, LABEL = ("caption", "captions", "text"), ("label", "labels", "class")
"""Columns in the order in which they are looked for."""


@dataclass(frozen=True)
class _Row:
    file: str
    """Relative path of the video."""
    values: Mapping[str, Any]
    where: str
    """Metadata file and line, for messages."""
    place: str
    """The part of the path that may name a split: not the folder that is a class."""


@dataclass(frozen=True)
class _Entry(AnnotationEntry):
    def file(self, folder: VideoFolder) -> Path | None:
        """Return the very file: the same name in another split is another video."""
        path = folder.root / self.video
        return path if path.is_file() else None


def annotations(task: str, root: Path, split: str) -> Annotations:
    """Return the split train, val or test."""
    files = [folder / name for folder in folders(root) for name in METADATA if (folder / name).is_file()]
    if not files and task == "retrieval":
        annotation(root, *METADATA)  # which raises Absent
    listed = [row for file in files for row in _rows(root, file)] or _in_class_folders(root)
    told = splits_of({row.place for row in listed})
    wanted, held_out = of_split(split, {row.file: told[row.place] for row in listed}, str(root))
    classes = indexed([str(_value(row, LABEL)) for row in listed]) if task == "recognition" else ()
    entries = tuple(_entry(row, task, classes) for row in listed if row.file in wanted)
    if held_out and split != "test":
        entries = of_training(split, entries)
    return Annotations(entries, tuple(files), classes, held_out)


def _rows(root: Path, file: Path) -> Iterator[_Row]:
    if file.suffix == ".csv":
        numbered: Iterable[tuple[int, Mapping[str, Any]]] = rows(file, ("file_name",))
    else:
        numbered = ((number, _object(file, number, line)) for number, line in lines(file))
    for number, values in numbered:
        where, given = f"{file}:{number}", values.get("file_name")
        require(f"{where}: file_name", given, "str")
        name = PurePosixPath(str(given))
        if name.is_absolute() or ".." in name.parts:
            raise ValueError(f"{where}: file_name is {given!r}, no path within {file.parent}")
        path = (file.parent.relative_to(root) / name).as_posix()
        yield _Row(path, values, where, place=path)


def _object(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found = from_json(line)
    except ValueError as error:
        raise ValueError(f"{file}:{number}: is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"{file}:{number}: an object with file_name is expected, not {type(found).__name__}")
    return found


def _in_class_folders(root: Path) -> list[_Row]:
    """Return every video below the folder, with the name of its own folder as its label."""
    found = []
    for folder, inner, names in os.walk(root):
        inner.sort()
        within = Path(folder).relative_to(root)
        found += [
            _Row(
                (within / name).as_posix(),
                {"label": within.name},
                where=str(within / name),
                place=within.parent.as_posix(),
            )
            for name in sorted(names)
            if os.path.splitext(name)[1].lower() in EXTENSIONS and len(within.parts) > 0
        ]
    if not found:
        annotation(root, *METADATA)  # which raises Absent
    return found


def _entry(row: _Row, task: str, classes: tuple[str, ...]) -> AnnotationEntry:
    id = os.path.splitext(row.file)[0]
    if task == "recognition":
        return _Entry(id, row.file, label=classes.index(str(_value(row, LABEL))))
    told = _value(row, CAPTION)
    captions = told if isinstance(told, list) else [told]
    if not all(isinstance(one, str) for one in captions):
        raise ValueError(f"{row.where}: {told!r} is no caption")
    return _Entry(id, row.file, tuple(captions))


def _value(row: _Row, names: tuple[str, ...]) -> Any:
    found = next((row.values[name] for name in names if row.values.get(name) not in (None, "")), None)
    if found is None:
        raise ValueError(f"{row.where}: no {' or '.join(names)}; there is {', '.join(map(str, row.values))}")
    return found


SETS = tuple(
    DataSet(
        name,
        task,
        partial(annotations, task),
        f"metadata.csv or metadata.jsonl with file_name and {column}{alone}; folders train, validation, test",
        "huggingface.co/docs/datasets (video folder)",
        own=True,
    )
    for name, task, column, alone in (
        ("videofolder", "retrieval", "caption", ""),
        ("videofolder-labels", "recognition", "label", ", or a folder for each class"),
    )
)
