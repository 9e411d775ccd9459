"""A folder of videos and a library's store in, a store that holds just these videos and a report out.

A file is known by size and time of change, else by the hash of its bytes: only bytes that the library hasn't seen are
embedded. Every row is written as soon as it is made, so that an interruption loses only the video in hand.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stan.data.video import VideoError
from stan.library import folder as folders
from stan.library.embedding import Embedded
from stan.library.store import Entry, Row, Store

Progress = Callable[[int, int, str], None]
"""Called before each file with the number done, the number of all, and the file's name."""
Embed = Callable[[Path], Embedded]


@dataclass
class Report:
    indexed: int = 0
    unchanged: int = 0
    removed: int = 0
    held: set[str] = field(default_factory=set)
    """Paths of the files whose embeddings stand."""
    skipped: list[dict[str, str]] = field(default_factory=list)

    def skip(self, file: str, reason: str, remedy: str) -> None:
        self.skipped.append({"file": file, "reason": reason, "remedy": remedy})

    def document(self, seconds: float) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in ("indexed", "unchanged", "removed", "skipped")}
        return {**counts, "seconds": round(seconds, 3)}


def update(store: Store, root: Path, embed: Embed, progress: Progress | None = None) -> dict[str, Any]:
    """Embeds what is new or changed below `root` and drops what is gone from it or no longer decodes.

    Returns {"indexed", "unchanged", "removed", "skipped": [{"file", "reason", "remedy"}], "seconds"}.
    """
    started = time.perf_counter()
    report, known = Report(), {entry.path: entry for entry in store.entries()}
    by_hash = {entry.hash: entry.id for entry in known.values()}
    own = store.path.resolve() if store.path else None
    files = folders.video_files(root, report.skip, leave_out=own)
    version = store.version
    for done, file in enumerate(files):
        name = str(file.relative_to(root))
        if progress:
            progress(done, len(files), name)
        try:
            _take(store, root, file, known.get(str(file)), by_hash, embed, report)
        except VideoError as error:
            report.skip(name, error.reason, error.remedy)
        except FileNotFoundError:
            report.skip(name, "it vanished while indexing", "index again if it comes back")
        except OSError as error:
            report.skip(name, error.strerror or str(error), "make the file readable, or take it away")
    gone = [e.id for e in known.values() if Path(e.path).is_relative_to(root) and e.path not in report.held]
    if gone:
        store.drop(gone)
        report.removed = len(gone)
    if store.version != version:
        store.tidy()
        store.index()
    return report.document(time.perf_counter() - started)


def _take(
    store: Store,
    root: Path,
    file: Path,
    before: Entry | None,
    by_hash: dict[str, str],
    embed: Embed,
    report: Report,
) -> None:
    """Brings one file's row up to date."""
    state = file.stat()
    if before and (before.size, before.mtime_ns) == (state.st_size, state.st_mtime_ns):
        embedded = False
    else:
        place = _place(root, file, state.st_size, state.st_mtime_ns, folders.digest(file))
        twin = by_hash.get(place["hash"])
        embedded = twin is None
        row = columns(embed(file)) if embedded else store.rows([twin])[0]
        store.write([{**row, **place}], replace=before is not None)
        if before and by_hash.get(before.hash) == before.id:
            del by_hash[before.hash]  # that row has just been replaced
        by_hash[place["hash"]] = place["id"]
    report.held.add(str(file))
    report.indexed += embedded
    report.unchanged += not embedded


def _place(root: Path, file: Path, size: int, mtime_ns: int, digest: str) -> Row:
    return {
        "id": hashlib.sha256(str(file).encode()).hexdigest()[:16],
        "path": str(file),
        "folder": str(root),
        "name": str(file.relative_to(root)),
        "size": size,
        "mtime_ns": mtime_ns,
        "hash": digest,
    }


def columns(embedded: Embedded) -> Row:
    return {
        "duration": embedded.duration,
        "clip": list(embedded.clip),
        "video": list(embedded.video),
        "times": embedded.times,
        "frame_clip": embedded.frame_clip.astype(np.float16).ravel(),
        "frame_video": embedded.frame_video.astype(np.float16).ravel(),
    }
