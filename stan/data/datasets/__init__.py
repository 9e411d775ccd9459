"""A data set's name, folder and split in, a `VideoSet` out; one small file per data set, this dict names them all."""

from __future__ import annotations

from stan.data.datasets import didemo, kinetics, lsmdc, msrvtt, something
from stan.data.datasets.base import SPLITS, Clip, VideoSet

__all__ = ["READERS", "WORLD", "Clip", "VideoSet", "load"]

READERS = {
    "msrvtt": msrvtt.read,
    "didemo": didemo.read,
    "lsmdc": lsmdc.read,
    "kinetics": kinetics.read,
    "something": something.read,
}
WORLD = {"retrieval": "msrvtt", "paragraph": "didemo", "scenes": "kinetics", "motions": "something"}
"""Suites of the embedded world, and the data set whose layout each has."""


def load(spec: str, split: str) -> VideoSet:
    """One split of the data set that `spec` names: `msrvtt:ROOT`, or `world/retrieval:ROOT` for a made world.

    Warns about missing videos. Raises ValueError for an unknown set or split and for annotations that cannot be used.
    """
    name, colon, root = spec.partition(":")
    suite = name.removeprefix("world/")
    reader = WORLD.get(suite) if name.startswith("world/") else name
    if reader not in READERS or not colon or not root:
        known = ", ".join([*READERS, *(f"world/{suite}" for suite in WORLD)])
        raise ValueError(f"{spec!r} names no data set: write NAME:FOLDER with a name of {known}")
    if split not in SPLITS:
        raise ValueError(f"no split {split!r}; there are {', '.join(SPLITS)}")
    return READERS[reader](root, split, name=suite)
