"""The videos that a library shall hold and its store in, the updated store and a report out.

A file is recognised by its size and time of change, otherwise by the hash of its bytes: only bytes that the library has
not seen are embedded. Each row is written as soon as it is made, so an interruption loses only the videos in progress.
"""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stan.common.progress import FileProgress
from stan.data.video.decoding import VideoError
from stan.library.embedding import FileEmbeddings
from stan.library.entries import FACTS, Entry, Row, id_of
from stan.library.moves import follow, moves
from stan.library.prefetch import IndexEngine, Task, Video
from stan.library.sources import Addresses, FileState, Folder, Source
from stan.library.store import Store


@dataclass
class IndexReport:
    indexed: int = 0
    unchanged: int = 0
    removed: int = 0
    moved: int = 0
    """How many of those that were removed lie somewhere else now."""
    waited: float = 0.0
    """Seconds that all models together waited for frames."""
    held: set[str] = field(default_factory=set)
    """Paths of the videos whose embeddings stay in the library."""
    skipped: list[dict[str, str]] = field(default_factory=list)

    def skip(self, file: str, reason: str, remedy: str) -> None:
        self.skipped.append({"file": file, "reason": reason, "remedy": remedy})

    def document(self, seconds: float, models: int) -> dict[str, Any]:
        counts = {
            name: getattr(self, name) for name in ("indexed", "unchanged", "removed", "moved", "skipped")
        }
        return {**counts, "seconds": round(seconds, 3), "seconds_waiting": round(self.waited / models, 3)}


def update(
    store: Store, wanted: Folder | Addresses, engine: IndexEngine, progress: FileProgress | None = None
) -> dict[str, Any]:
    """Embed the `wanted` videos that are new or changed, and drop those that are gone or no longer decode.

    A local file that is gone from another folder is dropped, too, where its bytes are among the `wanted`: it moved.
    Marks and collections follow what moved.

    Returns {"indexed", "unchanged", "removed", "moved": how many of the removed lie somewhere else now, "skipped":
    [{"file", "reason", "remedy"}], "seconds", "seconds_waiting": how many of these seconds a model waited on average
    for the frames that it embedded}.
    """
    started = time.perf_counter()
    report, known = IndexReport(), {entry.path: entry for entry in store.entries()}
    by_hash = {entry.hash: entry.id for entry in known.values()}
    sources = wanted.sources(report.skip, leave_out=store.path.resolve() if store.path else None)
    tasks = [Task(source, known.get(source.path)) for source in sources]
    version = store.version
    with closing(engine.videos(tasks, by_hash)) as videos:
        for done, task in enumerate(tasks):
            if progress:
                progress(done, len(tasks), task.source.name)
            video = next(videos)
            path, told = video.source.path, wanted.told(video.source)
            try:
                _take(store, video, known.get(path), by_hash, report)
            except VideoError as error:
                report.skip(told, error.reason, error.remedy)
            except FileNotFoundError:
                report.skip(told, *wanted.missing)
            except OSError as error:
                report.held.add(path)  # the embeddings stay: the disk or server may fail only for a while
                report.skip(told, error.strerror or str(error), "make the file readable, or take it away")
    now = store.entries() if store.version != version else list(known.values())
    _drop_gone(store, wanted, report, list(known.values()), now)
    if store.version != version:
        store.settle()
    return report.document(time.perf_counter() - started, engine.models)


def _drop_gone(
    store: Store, wanted: Folder | Addresses, report: IndexReport, known: list[Entry], now: list[Entry]
) -> None:
    """Drop the rows of videos that are gone. known: the entries before this update; now: those after it."""
    here = {entry.hash for entry in now if entry.path in report.held}

    def is_gone(entry: Entry) -> bool:
        if wanted.names(entry.path):
            return entry.path not in report.held
        return entry.hash in here and not entry.is_remote and not Path(entry.path).exists()

    gone = {entry.id for entry in now if is_gone(entry)}
    moved = moves(known, [entry for entry in now if entry.id not in gone])
    if moved and store.path is not None:
        follow(store.path, moved)
    if gone:
        store.drop(sorted(gone))
    report.removed, report.moved = len(gone), len(gone & moved.keys())


def _take(
    store: Store, video: Video, before: Entry | None, by_hash: dict[str, str], report: IndexReport
) -> None:
    """Bring one video's row up to date."""
    state, digest = video.look()
    embedded = False
    if digest is not None:
        place = _place(video.source, state, digest)
        twin = by_hash.get(digest)
        embedded = twin is None
        row = columns(video.embed()) if embedded else store.rows([twin])[0]
        store.write([{**row, **place}], replace=before is not None)
        if before and by_hash.get(before.hash) == before.id:
            del by_hash[before.hash]  # the row with these bytes has just been replaced
        by_hash[digest] = place["id"]
    report.held.add(video.source.path)
    report.indexed += embedded
    report.unchanged += not embedded
    report.waited += embedded * video.waited


def _place(source: Source, state: FileState, digest: str) -> Row:
    return {
        "id": id_of(source.path),
        "path": source.path,
        "folder": source.folder,
        "name": source.name,
        "size": state.size,
        "mtime_ns": state.mtime_ns,
        "hash": digest,
    }


def columns(embedded: FileEmbeddings) -> Row:
    return {
        "duration": embedded.duration,
        "clip": list(embedded.clip),
        "video": list(embedded.video),
        "times": embedded.times,
        "frame_clip": embedded.frame_clip.astype(np.float16).ravel(),
        "frame_video": embedded.frame_video.astype(np.float16).ravel(),
        FACTS: None if embedded.facts is None else json.dumps(asdict(embedded.facts)),
    }
