"""A folder or address of WebDataset's shards in, its splits as entries out; the videos stay in the shards.

A sample is what has one name up to the first dot in a shard: `key.mp4` with `key.txt` (a caption), `key.json` (an
object with `caption` or `text`, and `label`) or `key.cls` (a class by number or name). Splits are told by the words
train, validation and test in a shard's path, as in `video_folder`; if no shard names one, all are training. Class names
for numbers are the lines of `classes.txt` beside the shards, if it is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from stan.common.json_values import from_json
from stan.data import shards
from stan.data.datasets.base import AnnotationEntry, Annotations, DataSet, of_training
from stan.data.datasets.files import EXTENSIONS, Absent, VideoFolder, listed_classes
from stan.data.datasets.split_names import indexed, of_split, split_of
from stan.data.shards import Member

TEXT, JSON, CLASS = "txt", "json", "cls"
LARGEST = 1 << 20
"""Most bytes of a sample's text."""
DIGITS = 9
"""Most digits of a class's number."""


@dataclass(frozen=True)
class _Sample:
    key: str
    shard: str
    video: Member | None
    captions: tuple[str, ...]
    label: str | None


@dataclass(frozen=True)
class _Entry(AnnotationEntry):
    member: Member | None = None

    def file(self, folder: VideoFolder) -> Member | None:
        return self.member


def annotations(task: str, root: Path, split: str) -> Annotations:
    """Return the split train, val or test. root: a folder, or an address as a Path."""
    place = shards.address(root)
    splits = {shard: split_of(within) for shard, within in shards.shards(root).items()}
    if not splits:
        packed = "packed ones (.tar.gz) cannot be read in place: unpack them to .tar"
        raise Absent(f"{place}: there is no shard ({shards.SUFFIX}); {packed}")
    wanted, held_out = of_split(split, splits, place)
    chosen = [shard for shard in splits if shard in wanted]
    classes = _classes(root, splits) if task == "recognition" else ()
    entries: Iterable[AnnotationEntry] = (
        _entry(sample, task, classes) for shard in chosen for sample in _samples(shard)
    )
    entries = of_training(split, entries) if held_out and split != "test" else tuple(entries)
    return Annotations(entries, tuple(Path(shard) for shard in chosen), classes, held_out)


def _classes(root: Path, all_shards: Iterable[str]) -> tuple[str, ...]:
    names = root / "classes.txt"
    if names.is_file():
        return listed_classes(names)
    return indexed(
        {sample.label for shard in all_shards for sample in _samples(shard) if sample.label is not None}
    )


def _entry(sample: _Sample, task: str, classes: tuple[str, ...]) -> AnnotationEntry:
    video = f"{sample.key} in {sample.shard}"
    if task == "retrieval":
        return _Entry(sample.key, video, sample.captions, member=sample.video)
    label = sample.label
    if label is None:
        raise ValueError(f"{video}: no {CLASS}, nor label in {JSON}")
    known = classes.index(label) if label in classes else int(label) if label.isdecimal() else -1
    if not 0 <= known < len(classes):
        raise ValueError(f"{video}: {label!r} is none of the {len(classes)} classes")
    return _Entry(sample.key, video, label=known, member=sample.video)


@lru_cache(maxsize=4096)
def _read(shard: str, changed: int) -> tuple[_Sample, ...]:
    """Return a shard's samples. changed: time or size of the shard, which makes the cache forget an older one."""
    return tuple(_sample(shard, key, parts) for key, parts in shards.samples(shard).items())


def _samples(shard: str) -> tuple[_Sample, ...]:
    return _read(shard, 0 if shards.is_address(shard) else Path(shard).stat().st_mtime_ns)


def _sample(shard: str, key: str, parts: dict[str, Member]) -> _Sample:
    videos = [member for kind, member in parts.items() if f".{kind}" in EXTENSIONS and kind]
    if len(videos) > 1:
        raise ValueError(
            f"{shard}: {key} is several videos ({', '.join(one.name for one in videos)}): keep one"
        )
    dotted = [member for member in parts.values() if member.suffix.lower() in EXTENSIONS]
    if dotted and not videos:
        raise ValueError(
            f"{dotted[0]}: a sample's name ends at its first dot, which makes this a part of {key!r}:"
            " rename it, and what belongs to it, with no dot but that before the extension"
        )
    told = _object(parts[JSON]) if JSON in parts else {}
    caption = _text(parts[TEXT]) if TEXT in parts else told.get("caption", told.get("text"))
    captions = caption if isinstance(caption, list) else [] if caption is None else [caption]
    if not all(isinstance(one, str) for one in captions):
        raise ValueError(f"{parts[JSON]}: {caption!r} is no caption")
    label = _text(parts[CLASS]) if CLASS in parts else told.get("label", told.get("cls"))
    if label is not None:
        label = _class(parts[CLASS] if CLASS in parts else parts[JSON], label)
    return _Sample(key, shard, next(iter(videos), None), tuple(captions), label)


def _class(member: Member, label: Any) -> str:
    """Return a class as text. Raises ValueError for what is neither name nor number."""
    text = str(label).strip()
    is_long = text.isdecimal() and len(text) > DIGITS
    if not isinstance(label, str | int) or isinstance(label, bool) or not text or is_long:
        raise ValueError(
            f"{member}: {label!r:.80} is no class: a name, or a number of at most {DIGITS} digits"
        )
    return text


def _object(member: Member) -> dict[str, Any]:
    text = _text(member)
    try:
        found = from_json(text)
    except ValueError as error:
        raise ValueError(f"{member} is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise ValueError(f"{member}: an object with caption or label is expected, not {type(found).__name__}")
    return found


def _text(member: Member) -> str:
    if member.size > LARGEST:
        raise ValueError(f"{member} has {member.size} bytes: that is no caption")
    try:
        return member.content().decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"{member} is no UTF-8 text ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise ValueError(f"{member} cannot be read ({error})") from error


SETS = tuple(
    DataSet(
        name,
        task,
        partial(annotations, task),
        f"shards (.tar) with KEY.mp4 and {texts}, named by split; or their address",
        "github.com/webdataset/webdataset",
        own=True,
    )
    for name, task, texts in (
        ("webdataset", "retrieval", "KEY.txt or KEY.json"),
        ("webdataset-labels", "recognition", "KEY.cls or KEY.json"),
    )
)
