"""A data set's name and folder in; what is there, missing, broken, doubled or in the wrong split out.

Faults keep a copy from being whole: files that are missing or broken, annotations that can't be used, videos in two
splits, numbers other than the published ones. Notes are what a reader should know and what published sets have
themselves: captions or videos that occur twice, captions of the test set that occur in training, too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from stan.common.files import digest
from stan.data import datasets
from stan.data.datasets import SPLITS, Annotations, DataSet, named, prepared
from stan.data.datasets.broken import faults
from stan.data.datasets.files import Absent, VideoFolder
from stan.data.shards import VideoFile, address, is_address

SplitProgress = Callable[[str, int, int], None]
"""Called with a split, the files decoded and the number of all files to decode."""

DECODE = ("all", "sample", "none")
SAMPLE, SAMPLE_FRAMES = 50, 8
"""Size of a sample: videos per split, evenly spread, and frames decoded of each."""
EXAMPLES = 5
_EDGE = 1 << 16


@dataclass(frozen=True)
class Finding:
    """One thing that the check found."""

    what: str
    split: str
    fault: bool
    """True for a fault, which keeps the copy from being whole; False for a note."""
    count: int
    examples: tuple[str, ...]
    remedy: str


@dataclass(frozen=True)
class _Split:
    """One split that could be read: what its annotations say, and the file of each entry (None: missing)."""

    name: str
    told: Annotations
    files: tuple[VideoFile | None, ...]

    @cached_property
    def by_id(self) -> dict[str, VideoFile | None]:
        return dict(zip((entry.id for entry in self.told.entries), self.files, strict=True))

    @property
    def there(self) -> list[VideoFile]:
        return [file for file in self.files if file is not None]


def check(
    name: str, root: str | Path, decode: str = "sample", progress: SplitProgress | None = None
) -> dict[str, Any]:
    """Return what the copy in `root` holds and what is wrong with it.

    The result is {"data", "root", "task", "whole", "decoded", "splits": [counts], "findings": [Finding as a dict]}.
    name: a name that `datasets.named` knows. decode: `all` decodes every frame of every video, and compares hashes if
    there is a manifest; `sample` decodes a few frames of a few videos; `none` only looks at names and sizes.
    Raises ValueError for an unknown set, a root that is no folder, and an unknown `decode`.
    """
    dataset, suite = named(name)
    root = Path(root)
    if decode not in DECODE:
        raise ValueError(f"--decode {decode}: it can be {', '.join(DECODE)}")
    if not root.is_dir() and not is_address(address(root)):
        raise ValueError(f"{root} is no folder: give the one that holds the annotation files and the videos")
    folder = VideoFolder(root)
    splits, findings = _read(dataset, root, folder)
    broken = {split.name: _broken(split, decode, progress) for split in splits}
    findings += [finding for split in splits for finding in _of_split(split, dataset, broken[split.name])]
    findings += _between(splits)
    if dataset.own and len(splits) == len(SPLITS):
        findings += _unlisted(splits, folder)
    if dataset.name == suite:  # a made world has its own sizes
        findings += _sizes(splits, dataset)
    if prepared.is_prepared(root):
        findings += _changed(root, dataset, hashes=decode == "all")
    return {
        "data": name,
        "root": root,
        "task": dataset.task,
        "whole": not any(finding.fault for finding in findings),
        "decoded": decode,
        "splits": [_counts(split, broken[split.name]) for split in splits],
        "findings": [asdict(finding) for finding in sorted(findings, key=lambda finding: not finding.fault)],
    }


def _read(dataset: DataSet, root: Path, folder: VideoFolder) -> tuple[list[_Split], list[Finding]]:
    splits, findings = [], []
    for name in SPLITS:
        try:
            told = datasets.annotations(dataset, root, name)
        except ValueError as error:
            remedy = _remedy(dataset, isinstance(error, Absent))
            findings.append(Finding("annotations", name, True, 1, (str(error),), remedy))
            continue
        splits.append(_Split(name, told, tuple(entry.file(folder) for entry in told.entries)))
    return splits, findings


def _remedy(dataset: DataSet, absent: bool) -> str:
    """Return what to do about an annotation file that is absent or can't be used."""
    if dataset.own:
        return f"the set needs {dataset.layout} ({dataset.source})" if absent else "mend the file"
    if absent:
        return f"fetch it from {dataset.source}; the set needs {dataset.layout}"
    return f"mend the file, or fetch it again from {dataset.source}"


def _counts(split: _Split, broken: tuple[int, dict[VideoFile, str]]) -> dict[str, Any]:
    entries, (decoded, faulty) = split.told.entries, broken
    return {
        "split": split.name,
        "videos": len(entries),
        "there": len(split.there),
        "missing": len(entries) - len(split.there),
        "decoded": decoded,
        "broken": len(faulty),
        "captions": sum(len(entry.captions) for entry in entries),
        "classes": len(split.told.classes),
        "held_out": split.told.held_out,
        "files": [str(file) for file in split.told.files[:EXAMPLES]],
    }


def _broken(split: _Split, decode: str, progress: SplitProgress | None) -> tuple[int, dict[VideoFile, str]]:
    """Return how many files were decoded, and the broken ones with the reason.

    Empty files count as broken, whether decoded or not.
    """
    there, frames = list(dict.fromkeys(split.there)), None if decode == "all" else SAMPLE_FRAMES
    found = {path: "is empty" for path in there if path.stat().st_size == 0}
    if decode == "none" or not there:
        return 0, found
    if decode == "sample" and len(there) > SAMPLE:
        there = [there[i] for i in np.linspace(0, len(there) - 1, SAMPLE).round().astype(int)]
    shown = None if progress is None else partial(progress, split.name)
    found |= {path: error.reason for path, error in faults(there, frames, shown).items()}
    return len(there), found


def _of_split(split: _Split, dataset: DataSet, broken: tuple[int, dict[VideoFile, str]]) -> Iterator[Finding]:
    entries = split.told.entries
    missing = [entry.video for entry, file in zip(entries, split.files, strict=True) if file is None]
    if missing:
        remedy = f"fetch them into ROOT/videos ({dataset.source})"
        if dataset.own:
            remedy = "put them where the annotations say, or take their lines out"
        remedy += "; a run leaves them out, with a warning"
        yield _finding("missing videos", split.name, True, missing, remedy)
    if broken[1]:
        told = [f"{path.name}: {reason}" for path, reason in broken[1].items()]
        remedy = "fetch or re-encode them; a run stops at them unless it has --set data.skip_broken=true"
        yield _finding("broken videos", split.name, True, told, remedy)
    repeated = _repeated(entry.id for entry in entries)
    if repeated:
        remedy = "remove all but one of their lines from the annotations"
        yield _finding("listed twice", split.name, True, repeated, remedy)
    shared = _repeated(str(file) for file in split.there)
    if shared:
        remedy = (
            "the annotations mean several videos by one name: give the files the folders of the annotations"
        )
        yield _finding(
            "one file for several videos", split.name, True, [Path(file).name for file in shared], remedy
        )
    by_caption = defaultdict(set)
    for entry in entries:
        for caption in entry.captions:
            by_caption[_plain(caption)].add(entry.id)
    doubled = [caption for caption, videos in by_caption.items() if len(videos) > 1]
    if doubled:
        remedy = (
            "nothing to fix where the set is published so; they can't be told apart, ranks count them as ties"
        )
        yield _finding("captions of several videos", split.name, False, doubled, remedy)
    unused = set(range(len(split.told.classes))) - {entry.label for entry in entries}
    if unused:
        names = [split.told.classes[i] for i in sorted(unused)]
        yield _finding("classes without a video", split.name, False, names, "see whether the lists are whole")


def _between(splits: list[_Split]) -> Iterator[Finding]:
    """Yield findings about what two splits share: videos by name or by content, and captions."""
    for a, b in combinations(splits, 2):
        pair = f"{a.name}, {b.name}"
        ids = {id for id in a.by_id.keys() & b.by_id.keys() if _may_be_one(a.by_id[id], b.by_id[id])}
        files = {file.name for file in set(a.there) & set(b.there)}
        if ids or files:
            remedy = f"take them out of {a.name}: {b.name} would measure what was seen"
            yield _finding("videos in two splits", pair, True, sorted(ids or files), remedy)
    by_name = {split.name: split for split in splits}
    if {"train", "test"} <= by_name.keys():
        seen, asked = (
            {_plain(caption) for entry in by_name[name].told.entries for caption in entry.captions}
            for name in ("train", "test")
        )
        if seen & asked:
            remedy = "nothing to fix where the set is published so; report what is retrieved without them"
            yield _finding("captions of both", "train, test", False, sorted(seen & asked), remedy)
    place = {file: split.name for split in splits for file in split.there if file.stat().st_size}
    for group in _same_content(place):
        where = ", ".join(sorted({place[file] for file in group}, key=SPLITS.index))
        remedy = "see whether one was fetched under the name of another; published sets have a few"
        yield _finding("files with the same content", where, False, [file.name for file in group], remedy)


def _unlisted(splits: list[_Split], folder: VideoFolder) -> Iterator[Finding]:
    """Yield a finding for videos that no split lists. Only of own sets: a published one has several protocols."""
    listed = {file for split in splits for file in split.there}
    unlisted = [str(path.relative_to(folder.root)) for path in folder.paths() if path not in listed]
    if unlisted:
        remedy = "add them to the annotations if they belong to the set; no run reads them"
        yield _finding("videos that are not listed", "all", False, unlisted, remedy)


def _sizes(splits: list[_Split], dataset: DataSet) -> Iterator[Finding]:
    counts = {split.name: len(split.told.entries) for split in splits}
    parted = any(split.told.held_out for split in splits)
    if parted and {"train", "val"} <= counts.keys():
        counts["train"] += counts.pop("val")
    for name, known in dataset.sizes.items():
        if name in counts and counts[name] not in known and not (parted and name == "val"):
            whole = " with what is held out as val" if parted and name == "train" else ""
            told = (
                f"{counts[name]:,} videos{whole} where {' or '.join(f'{n:,}' for n in known)} are published"
            )
            remedy = (
                f"fetch the whole lists from {dataset.source}, or say beside your numbers that yours differ"
            )
            yield Finding("size", name, not dataset.shrinks, 1, (told,), remedy)


def _changed(root: Path, dataset: DataSet, hashes: bool) -> Iterator[Finding]:
    """Yield a finding for files that are no longer as the manifest says."""
    videos, changed = prepared.manifest(root, dataset.name)["videos"], []
    for name, told in videos.items():
        file = root / "videos" / name
        same = file.is_file() and file.stat().st_size == told["bytes"]
        if not same or hashes and digest(file) != told["sha256"]:
            changed.append(name)
    if changed:
        yield _finding(
            "changed since prepared", "all", True, changed, "run stan data prepare again, into a new folder"
        )


def _same_content(files: Iterable[VideoFile]) -> list[list[VideoFile]]:
    """Return groups of files with equal bytes.

    Only files of the same size with equal first and last 64 KiB are read whole.
    """
    groups = [list(files)]
    for key in (lambda file: file.stat().st_size, _edges, digest):
        groups = [same for group in groups for same in _grouped(group, key) if len(same) > 1]
    return groups


def _grouped(files: list[VideoFile], key: Callable[[VideoFile], Any]) -> list[list[VideoFile]]:
    found = defaultdict(list)
    for file in files:
        found[key(file)].append(file)
    return list(found.values())


def _edges(file: VideoFile) -> bytes:
    with file.open("rb") as stream:
        first = stream.read(_EDGE)
        stream.seek(max(0, file.stat().st_size - _EDGE))
        return first + stream.read(_EDGE)


def _may_be_one(a: VideoFile | None, b: VideoFile | None) -> bool:
    """Tell whether an id means one video in two splits: shards number theirs anew in every split."""
    return a is None or b is None or a == b


def _repeated(values: Iterable[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def _plain(caption: str) -> str:
    return " ".join(caption.lower().split()).rstrip(" .")


def _finding(what: str, split: str, fault: bool, all_of_them: list[str], remedy: str) -> Finding:
    return Finding(what, split, fault, len(all_of_them), tuple(all_of_them[:EXAMPLES]), remedy)
