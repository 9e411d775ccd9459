"""The annotations of a split and a folder of videos in, a `VideoSet` out: what all data sets share."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from stan.common.json_values import from_json, require
from stan.data.datasets.files import VideoFolder, lines
from stan.data.shards import VideoFile

SPLITS = ("train", "val", "test")
SIDECAR = "clips.jsonl"
"""File beside the annotations of a made world: one JSON object per clip, with id, seen, twin and kind."""
HELD_OUT = 20
"""One in so many training videos is kept for validation if a data set has no validation split of its own."""


@dataclass(frozen=True)
class VideoItem:
    """One video of a split."""

    id: str
    path: VideoFile
    captions: tuple[str, ...] = ()
    """All captions; empty in recognition."""
    label: int | None = None
    seen: bool | None = None
    """Whether all its concepts occur in training; None if that is unknown."""
    twin: str | None = None
    """Id of the time-reversed clip in the same split."""
    kind: str | None = None


@dataclass(frozen=True)
class VideoSet:
    """One split of a data set. task: retrieval or recognition; classes: label texts in index order."""

    name: str
    split: str
    task: str
    clips: tuple[VideoItem, ...]
    classes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Videos that the annotations name but the folder does not hold; their clips are left out."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """By clip id, why a clip was left out whose file gives no frames; empty unless that was asked for."""

    @cached_property
    def hash(self) -> str:
        """SHA-256 over task, classes and each clip's id, captions, label, seen, twin and size of its video file."""
        digest = hashlib.sha256(json.dumps([self.task, self.classes]).encode())
        for clip in self.clips:
            facts = [clip.id, clip.captions, clip.label, clip.seen, clip.twin, clip.path.stat().st_size]
            digest.update(json.dumps(facts).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class AnnotationEntry:
    """What an annotation file says of one video, before the video file is looked for."""

    id: str
    video: str
    """Name or relative path of the video file, with or without its extension."""
    captions: tuple[str, ...] = ()
    label: int | None = None
    other_name: str | None = None
    """Name of the file in some copies of the set."""

    def file(self, folder: VideoFolder) -> VideoFile | None:
        return folder.find(self.video, *([self.other_name] if self.other_name else []))


@dataclass(frozen=True)
class Annotations:
    """One split as its annotation files describe it."""

    entries: tuple[AnnotationEntry, ...]
    files: tuple[Path, ...]
    classes: tuple[str, ...] = ()
    held_out: bool = False
    """Whether train and val are parts of one training list that the function `held_out` divides."""


@dataclass(frozen=True)
class DataSet:
    """A public data set under one protocol: how to read its annotation files, and what a whole copy of it holds."""

    name: str
    task: str
    annotations: Callable[[Path, str], Annotations]
    """Reads a split's annotations in a folder. Raises Absent for a file that isn't there, ValueError for bad files."""
    layout: str
    """Files that must be in the folder, beside the videos."""
    source: str
    """Source of these files."""
    sizes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Known numbers of videos by split, the usual one first. Where val is held out of train, train's number covers
    both."""
    classes: int = 0
    """Number of classes of a recognition set."""
    shrinks: bool = False
    """Whether copies differ in size because videos disappear from their source."""
    own: bool = False
    """Whether this is a layout for sets of one's own, and no published set."""


def usable(told: Annotations, task: str) -> Annotations:
    """Return what an annotation says without captions that say nothing.

    Raises ValueError for a video without captions in retrieval, and in recognition for one without a known class.
    """
    where = ", ".join(file.name for file in told.files)
    if task == "recognition":
        for entry in told.entries:
            if entry.label not in range(len(told.classes)):
                raise ValueError(
                    f"{where}: {entry.id} has class {entry.label} where there are {len(told.classes)}"
                )
        return told
    entries = tuple(replace(one, captions=tuple(filter(str.strip, one.captions))) for one in told.entries)
    silent = [entry.id for entry in entries if not entry.captions]
    if silent:
        raise ValueError(
            f"{where}: no caption that says anything for {len(silent)} videos, such as {silent[0]}"
        )
    return replace(told, entries=entries)


def assemble(name: str, split: str, task: str, root: Path, told: Annotations) -> VideoSet:
    """Return the set of all entries whose video is there, with the sidecar's facts if there is a sidecar.

    Warns with the number and names of the missing videos. Raises ValueError if ids repeat, two entries mean one file,
    no video is there, or a twin is not its twin's.
    """
    _refuse_repeated(name, split, told.entries)
    folder, facts = VideoFolder(root), _sidecar(root)
    found = [(entry, entry.file(folder)) for entry in told.entries]
    missing = tuple(entry.video for entry, path in found if path is None)
    if len(missing) == len(found):
        shown = ", ".join(missing[:3]) or "none is named"
        raise ValueError(
            f"{root}: no video of {name}'s {split} split is here ({shown}); put them into {root}/videos"
        )
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        warnings.warn(
            f"{name} {split}: {len(missing)} of {len(found)} videos are missing: {shown}", stacklevel=3
        )
    clips = tuple(
        VideoItem(entry.id, path, entry.captions, entry.label, **facts.get(entry.id, {}))
        for entry, path in found
        if path is not None
    )
    _refuse_shared(name, split, clips)
    _refuse_one_sided(root, clips)
    return VideoSet(name, split, task, clips, told.classes, missing)


def held_out(name: str) -> bool:
    """Return whether a training video is kept for validation. Only its name decides, so it never changes sides."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % HELD_OUT == 0


def of_training(
    split: str,
    entries: Iterable[AnnotationEntry],
    source: Callable[[AnnotationEntry], str] = lambda entry: entry.id,
) -> tuple[AnnotationEntry, ...]:
    """Return the part of all training entries that is `train`, or the part held out as `val`.

    source: what an entry's clip was cut from, if all clips of one video must stay on one side.
    """
    return tuple(entry for entry in entries if held_out(source(entry)) == (split == "val"))


def paragraph(sentences: Iterable[str]) -> str:
    """Return the sentences about a video in their order, joined by a space."""
    return " ".join(sentence.strip() for sentence in sentences)


FACTS = {"seen": "bool | None", "twin": "str | None", "kind": "str | None"}
"""What is told of a clip beside its annotations, and of what kind it is."""


def _sidecar(root: Path) -> dict[str, dict[str, Any]]:
    """Return seen, twin and kind by clip id."""
    path, facts = root / SIDECAR, {}
    for number, line in lines(path) if path.is_file() else ():
        try:
            clip = from_json(line)
            facts[clip["id"]] = {key: clip.get(key) for key in FACTS}
            for key, kind in FACTS.items():
                require(key, clip.get(key), kind)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}:{number}: no JSON object with an id ({error!r})") from error
    return facts


def _refuse_repeated(name: str, split: str, entries: Iterable[AnnotationEntry]) -> None:
    met = set()
    for entry in entries:
        if entry.id in met:
            raise ValueError(f"{name} {split}: video {entry.id} stands twice in the annotations; remove one")
        met.add(entry.id)


def _refuse_shared(name: str, split: str, clips: Iterable[VideoItem]) -> None:
    """Another clip's file may be found where an entry's own, of the same name in another folder, is missing."""
    owners: dict[VideoFile, str] = {}
    for clip in clips:
        other = owners.setdefault(clip.path, clip.id)
        if other != clip.id:
            first, second = sorted((other, clip.id))
            raise ValueError(
                f"{name} {split}: {first} and {second} both mean {clip.path}; bring the missing file, or remove its"
                " entry"
            )


def _refuse_one_sided(root: Path, clips: Iterable[VideoItem]) -> None:
    """An epoch takes twins together, so each must be the other's."""
    twins = {clip.id: clip.twin for clip in clips}
    for id, twin in twins.items():
        if twin in twins and (twin == id or twins[twin] != id):
            raise ValueError(f"{root / SIDECAR}: {id}'s twin is {twin}, whose twin is {twins[twin]}")
