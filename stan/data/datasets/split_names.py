"""Names of files and folders in; the splits that they belong to, as Hugging Face's loaders tell them, out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from stan.data.datasets.files import Absent

WORDS = {
    "train": ("train", "training"),
    "val": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Words in a path that name its split."""


def split_of(path: str) -> str | None:
    """Return the split that a relative path names; None if it names none.

    Of two names, that of the outer folder counts: `val/training dog/1.mp4` is of val.
    """
    return _first(path, r"(?<![a-z])({})(?![a-z])")


def splits_of(paths: Collection[str]) -> dict[str, str | None]:
    """Return the split that each path names.

    Where some name none, a word among others is no split's name either, but a class's, as "training dog": then only
    names that hold nothing else count, apart from digits and marks.
    """
    told = {path: split_of(path) for path in paths}
    return told if all(told.values()) else {path: _first(path, r"^[^a-z]*({})[^a-z]*$") for path in paths}


def _first(path: str, name: str) -> str | None:
    for part in path.lower().split("/"):
        for split, words in WORDS.items():
            if re.search(name.format("|".join(words)), part):
                return split
    return None


def part_of(split: str, there: Collection[str], where: str) -> tuple[str, bool]:
    """Return which published split stands for `split`, and whether val is held out of training.

    there: the published splits; none: everything is training. If only one of val and test is published, it is the test
    set. Raises Absent if there is none to test on.
    """
    tested = next((one for one in ("test", "val") if one in there), None)
    held_out = not {"val", "test"} <= set(there)
    if split != "test":
        return ("train" if split == "train" or held_out else "val"), held_out
    if tested is None:
        raise Absent(f"{where}: nothing to test on: name a folder or file by test or validation")
    return tested, held_out


def of_split(split: str, named: Mapping[str, str | None], where: str) -> tuple[set[str], bool]:
    """Return the files that belong to `split`, and whether val is held out of training.

    named: the split that each file's path names, as `split_of` tells it. Raises Absent as `part_of` does.
    """
    published = {one for one in named.values() if one}
    wanted, held_out = part_of(split, published, where)
    unnamed = None if published else "train"
    return {file for file, one in named.items() if (one or unnamed) == wanted}, held_out


def indexed(labels: Collection[str]) -> tuple[str, ...]:
    """Return the classes in the order of their index: by number if all are numbers, else by name."""
    return tuple(sorted(set(labels), key=lambda one: (int(one), one) if one.isdecimal() else (-1, one)))
