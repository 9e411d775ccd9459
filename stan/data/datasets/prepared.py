"""A folder that `stan data prepare` wrote in, its splits as entries out, for every data set.

The files are `manifest.json` ({"set", "classes", "held_out", "videos": {file: {"bytes", "sha256"}}, ...}) and
`{train,val,test}.jsonl` (one object per line: id, video, captions, label).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stan.common.json_values import from_json, require
from stan.data.datasets.base import AnnotationEntry, Annotations
from stan.data.datasets.files import annotation, document, lines, name, text

MANIFEST = "manifest.json"


def is_prepared(root: Path) -> bool:
    return (root / MANIFEST).is_file()


def manifest(root: Path, name: str) -> dict[str, Any]:
    """Return the manifest. Raises ValueError if it belongs to another set than `name`, or isn't whole."""
    found = document(root / MANIFEST, dict)
    if found.get("set") != name:
        raise ValueError(f"{root / MANIFEST}: was prepared as {found.get('set')}, not as {name}")
    for key, kind in {"held_out": "bool", "classes": "Sequence[str]", "videos": "dict[str, Any]"}.items():
        require(f"{root / MANIFEST}: {key}", found.get(key), kind)
    for video, facts in found["videos"].items():
        require(f"{root / MANIFEST}: {video}", facts, "dict[str, Any]")
        require(f"{root / MANIFEST}: bytes of {video}", facts.get("bytes"), "int")
        require(f"{root / MANIFEST}: sha256 of {video}", facts.get("sha256"), "str")
    return found


def annotations(root: Path, split: str, name: str) -> Annotations:
    """Return the split train, val or test of the set `name`."""
    told, file = manifest(root, name), annotation(root, f"{split}.jsonl")
    entries = tuple(_entry(file, number, line) for number, line in lines(file))
    held_out = told["held_out"] and split != "test"
    return Annotations(entries, (file, root / MANIFEST), tuple(told["classes"]), held_out)


def line(entry: AnnotationEntry, video: str) -> str:
    """Return the entry as a line that `annotations` reads."""
    values = {"id": entry.id, "video": video, "captions": entry.captions, "label": entry.label}
    return json.dumps(values, ensure_ascii=False)


def _entry(file: Path, number: int, line: str) -> AnnotationEntry:
    try:
        told = from_json(line)
        require("label", told["label"], "int | None")
        return AnnotationEntry(
            name(told["id"]), name(told["video"]), tuple(map(text, told["captions"])), told["label"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file}:{number}: no JSON object with id, video, captions, label ({error!r})"
        ) from error
