"""A data set's name, folder and split in, a `VideoSet` out; one small file per data set, and `SETS` names them all."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from stan.data.datasets import (
    activitynet,
    didemo,
    hmdb51,
    kinetics,
    lsmdc,
    msrvtt,
    msvd,
    prepared,
    something,
    ucf101,
    video_folder,
    webdataset,
)
from stan.data.datasets.base import SPLITS, Annotations, DataSet, VideoItem, VideoSet, assemble, usable

__all__ = [
    "SETS",
    "SPLITS",
    "WORLD",
    "Annotations",
    "VideoItem",
    "DataSet",
    "VideoSet",
    "annotations",
    "load",
    "named",
    "task",
]

SETS: dict[str, DataSet] = {
    one.name: one
    for one in (
        *msrvtt.SETS,
        didemo.SET,
        lsmdc.SET,
        msvd.SET,
        *activitynet.SETS,
        kinetics.SET,
        something.SET,
        *ucf101.SETS,
        *hmdb51.SETS,
        *video_folder.SETS,
        *webdataset.SETS,
    )
}
WORLD = {"retrieval": "msrvtt", "paragraph": "didemo", "scenes": "kinetics", "motions": "something"}
"""Suite of the embedded world to the data set whose layout it has."""


def named(name: str) -> tuple[DataSet, str]:
    """Return the data set whose layout `name` has (`msrvtt`; `world/retrieval` for a made world), and the suite's name.

    Raises ValueError for an unknown name, listing the known ones.
    """
    suite = name.removeprefix("world/")
    known = WORLD.get(suite) if name.startswith("world/") else name
    if known not in SETS:
        there = ", ".join([*SETS, *(f"world/{suite}" for suite in WORLD)])
        raise ValueError(f"there is no data set {name!r}; there are {there}")
    return SETS[known], suite


def annotations(dataset: DataSet, root: str | Path, split: str) -> Annotations:
    """Return what the files in `root` say of a split: the set's own files, or those of `stan data prepare`.

    Raises Absent for a file that isn't there, ValueError for files that cannot be used, for an unknown split, and if
    there are too few training videos to hold some out for validation.
    """
    if split not in SPLITS:
        raise ValueError(f"no split {split!r}; there are {', '.join(SPLITS)}")
    root = Path(root)
    read = dataset.annotations
    if prepared.is_prepared(root):
        read = partial(prepared.annotations, name=dataset.name)
    told = usable(read(root, split), dataset.task)
    if split == "val" and told.held_out and not told.entries:
        raise ValueError(
            f"{root}: too few training videos: none of them is in the twentieth that is held out for validation; choose"
            " some, and name them as the validation split"
        )
    return told


def load(spec: str, split: str) -> VideoSet:
    """Return one split of the data set that `spec` names: `msrvtt:ROOT`, or `world/retrieval:ROOT` for a made world.

    Warns about missing videos. Raises ValueError for an unknown set or split and for annotations that cannot be used.
    """
    name, colon, root = spec.partition(":")
    if not colon or not root:
        raise ValueError(f"{spec!r} names no data set: write NAME:FOLDER with a name of {', '.join(SETS)}")
    dataset, suite = named(name)
    return assemble(suite, split, dataset.task, Path(root), annotations(dataset, root, split))


def task(suite: str) -> str:
    """Return "retrieval" or "recognition".

    It is retrieval for a suite that is not known here, which another version's record may name.
    """
    known = SETS.get(WORLD.get(suite, suite))
    return "retrieval" if known is None else known.task
