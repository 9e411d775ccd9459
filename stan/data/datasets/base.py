"""Annotation entries and a folder in, a `VideoSet` out: what the readers of all data sets share."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

SPLITS = ("train", "val", "test")
EXTENSIONS = frozenset(
    [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv"]
    + [".flv", ".3gp", ".3g2", ".mts", ".m2ts", ".ts", ".ogv", ".asf", ".gif"]
)
SIDECAR = "clips.jsonl"
"""Beside the annotations of a made world: one JSON object a clip, with id, seen, twin and kind."""
HELD_OUT = 20
"""One training video in so many is kept for validation where a data set has no such split of its own."""


@dataclass(frozen=True)
class Clip:
    """One video of a split."""

    id: str
    path: Path
    captions: tuple[str, ...] = ()
    """All captions; none in recognition."""
    label: int | None = None
    seen: bool | None = None
    """Whether all its concepts occur in training; None where nobody knows."""
    twin: str | None = None
    """Id of the time-reversed clip in the same split."""
    kind: str | None = None


@dataclass(frozen=True)
class VideoSet:
    """One split of a data set. task: retrieval or recognition; classes: label texts in index order."""

    name: str
    split: str
    task: str
    clips: tuple[Clip, ...]
    classes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Videos that the annotations name and the folder does not hold; their clips are left out."""

    @cached_property
    def hash(self) -> str:
        """SHA-256 over ids, captions, labels, classes and the sizes of the video files."""
        digest = hashlib.sha256(json.dumps([self.task, self.classes]).encode())
        for clip in self.clips:
            facts = [clip.id, clip.captions, clip.label, clip.seen, clip.twin, os.stat(clip.path).st_size]
            digest.update(json.dumps(facts).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Entry:
    """What an annotation file says of one video, before the file is looked for."""

    id: str
    video: str
    """Name or relative path of the file, with or without its extension."""
    captions: tuple[str, ...] = ()
    label: int | None = None


@dataclass
class VideoFolder:
    """All video files under a folder, found by relative path, by name, or by either without the extension."""

    root: Path
    _files: dict[str, Path] = field(init=False)

    def __post_init__(self) -> None:
        top = self.root / "videos" if (self.root / "videos").is_dir() else self.root
        self._files = {}
        for file in sorted(_video_files(top)):
            relative = file.relative_to(top).as_posix()
            stems = (relative.removesuffix(file.suffix), file.stem)
            for key in (relative, file.name, *stems):
                self._files.setdefault(key, file)

    def find(self, video: str) -> Path | None:
        """The file that an annotation means; another extension will do, as sets are often re-encoded."""
        name = video.removeprefix("./").removeprefix("videos/")
        keys = (name, Path(name).name, name.removesuffix(Path(name).suffix), Path(name).stem)
        return next((self._files[key] for key in keys if key in self._files), None)


def assemble(
    name: str, split: str, task: str, root: Path, entries: Sequence[Entry], classes: Sequence[str] = ()
) -> VideoSet:
    """The set of all entries whose video is there, with the sidecar's facts where there is one.

    Warns with number and names of the missing videos; raises ValueError when ids repeat or none is there.
    """
    _refuse_repeated(name, split, entries)
    folder, facts = VideoFolder(root), _sidecar(root)
    found = [(entry, folder.find(entry.video)) for entry in entries]
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
        Clip(entry.id, path, entry.captions, entry.label, **facts.get(entry.id, {}))
        for entry, path in found
        if path is not None
    )
    return VideoSet(name, split, task, clips, tuple(classes), missing)


def held_out(video: str) -> bool:
    """Whether a training video is kept for validation; depends on its name alone, so it never changes sides."""
    return int.from_bytes(hashlib.sha256(video.encode()).digest()[:8], "big") % HELD_OUT == 0


def of_training(split: str, entries: Iterable[Entry]) -> list[Entry]:
    """The part of all training entries that is `train`, or the part held out as `val`."""
    return [entry for entry in entries if held_out(entry.id) == (split == "val")]


def annotation(root: Path, *names: str) -> Path:
    """The first of `names` in `root` or a folder in it. Raises ValueError naming them all."""
    found = optional_annotation(root, *names)
    if found is None:
        raise ValueError(f"{root}: there is no {' or '.join(names)}, neither here nor one folder down")
    return found


def optional_annotation(root: Path, *names: str) -> Path | None:
    """As `annotation`, None where there is none. Raises ValueError where `root` is no folder."""
    if not root.is_dir():
        raise ValueError(f"{root} is no folder: give the one that holds the annotation files and the videos")
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir())]
    return next((folder / name for name in names for folder in folders if (folder / name).is_file()), None)


def lines(path: Path) -> list[tuple[int, str]]:
    """(line number, text) of every line that is not blank. Raises ValueError for what is no UTF-8 text."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is no UTF-8 text ({error.reason} at byte {error.start})") from error
    return [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The rows of a CSV file with a header. Raises ValueError for absent columns or short rows, naming the line."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        absent = [column for column in columns if column not in (reader.fieldnames or ())]
        if absent:
            raise ValueError(f"{path}:1: no column {', '.join(absent)}; the header is {reader.fieldnames}")
        found = []
        for row in reader:
            if any(not row[column] for column in columns):
                raise ValueError(f"{path}:{reader.line_num}: a row without {', '.join(columns)}: {row}")
            found.append(row)
    return found


def document(path: Path) -> Any:
    """The JSON document. Raises ValueError naming the line where it breaks."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}:{error.lineno}: is no JSON ({error.msg})") from error


def items(path: Path, convert: Callable[[dict[str, Any]], Any], values: Any | None = None) -> list[Any]:
    """`convert` of each object of the JSON list in `path`. Raises ValueError naming the item that lacks a key."""
    values = document(path) if values is None else values
    if not isinstance(values, list):
        raise ValueError(f"{path}: a list of objects is expected, not {type(values).__name__}")
    found = []
    for number, value in enumerate(values):
        try:
            found.append(convert(value))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: item {number} is unusable ({error!r}): {str(value)[:120]}") from error
    return found


def _sidecar(root: Path) -> dict[str, dict[str, Any]]:
    """seen, twin and kind by clip id."""
    path, facts = root / SIDECAR, {}
    for number, line in lines(path) if path.is_file() else ():
        try:
            clip = json.loads(line)
            facts[clip["id"]] = {key: clip.get(key) for key in ("seen", "twin", "kind")}
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path}:{number}: no JSON object with an id ({error!r})") from error
    return facts


def _refuse_repeated(name: str, split: str, entries: Sequence[Entry]) -> None:
    met = set()
    for entry in entries:
        if entry.id in met:
            raise ValueError(f"{name} {split}: video {entry.id} stands twice in the annotations; remove one")
        met.add(entry.id)


def _video_files(top: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(top):
        yield from (Path(folder, name) for name in names if Path(name).suffix.lower() in EXTENSIONS)
