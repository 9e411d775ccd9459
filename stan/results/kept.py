"""Folders of runs in; the JSON documents of one kind that are kept there beside the studies out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from stan.common.json_values import from_json

Document = dict[str, Any]


def load(
    roots: Iterable[str | Path], folder: str, check: Callable[[Any], None]
) -> tuple[list[Document], list[dict[str, str]]]:
    """Return the documents in `folder` of each root, the latest first, and the files that can't be read.

    The latter are {"file", "reason"}. check: raises ValueError, which says what isn't as it should be, for a document
    of another kind; every document must have a `date`.
    """
    found, damaged = [], []
    for file in sorted(file for root in roots for file in (Path(root) / folder).glob("*.json")):
        try:
            found.append(_read(file, check))
        except ValueError as error:
            damaged.append({"file": file.name, "reason": str(error)})
    return sorted(found, key=lambda document: document["date"], reverse=True), damaged


def _read(file: Path, check: Callable[[Any], None]) -> Document:
    try:
        document = from_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"no JSON that can be read: {error}") from None
    check(document)
    return document
