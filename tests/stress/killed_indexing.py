"""An empty folder in; how many of 50 SIGKILLs at random moments of indexing left a library less than whole out.

A process of its own, because LanceDB must not have been used yet where it forks. What is embedded are the bytes of
small files, so that the moments fall into the indexing and not into a decoder.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import lancedb  # noqa: F401  not in each child anew
import numpy as np

from stan.common.progress import FileProgress
from stan.library.embedding import FileEmbeddings
from stan.library.indexing import update
from stan.library.prefetch import LocalIndexEngine
from stan.library.sources import Folder
from stan.library.store import Maker, Store

KILLS = 50
FILES = 6
MAKER = Maker("made up", "2", "2", "0")


def embed(path: Path) -> FileEmbeddings:
    """Eight numbers that tell the file's bytes."""
    values = np.frombuffer(hashlib.sha256(path.read_bytes()).digest(), np.uint8)[:8].astype(np.float32)
    row = values.reshape(2, 4)
    return FileEmbeddings(2.0, row[:1], row[1:], np.array([0.5, 1.5], np.float32), row, row[::-1])


def engine(embed: Callable[[Path], FileEmbeddings]) -> LocalIndexEngine:
    """One that has nothing to decode. The second group, an empty one, keeps a fetched file while it is embedded."""
    return LocalIndexEngine(lambda file: iter([file, None]), lambda files: embed(next(files)))


def empty_store(address: str | Path) -> Store:
    """A library of vectors of four numbers, with nothing in it."""
    store = Store(address)
    with store.writing():
        store.create(4, MAKER)
    return store


def check_and_index(folder: Path, address: Path, files: int, said: int) -> None:
    """Says `c` when the library has been found to hold the first `files`, then `.` for every file that was indexed."""
    holds(folder, address, files)
    os.write(said, b"c")
    index(folder, address, lambda number, *_: os.write(said, b".") if number else None)


def index(folder: Path, address: Path, progress: FileProgress | None = None) -> None:
    store = Store(address)
    with store.writing():
        store.create(4, MAKER)
        update(store, Folder(folder), engine(embed), progress)


def holds(folder: Path, address: Path, files: int) -> None:
    """Asserts that the library holds at least the first `files`, all of them whole, nothing else and nothing twice."""
    store = Store(address)
    ids = [entry.id for entry in store.entries()]
    rows = {row["name"]: row for row in store.rows(ids)}
    assert len(rows) == len(ids) >= files
    assert {f"{i}.mp4" for i in range(files)} <= rows.keys() <= {f"{i}.mp4" for i in range(FILES)}
    for name, row in rows.items():
        expected = embed(folder / name)
        assert np.array_equal(row["clip"], expected.clip) and np.array_equal(row["video"], expected.video)
        assert np.array_equal(np.reshape(row["frame_video"], (2, 4)), expected.frame_video)


def forked(work: Callable[[], None]) -> int:
    """Process id of a child that does `work` and ends with 0, or 1 where that raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LanceDB's about forks: this process has never used it
        child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def killed(folder: Path, address: Path, files: int, after: float) -> tuple[bool, int]:
    """Whether an indexing process was killed `after` seconds of work, and how many files it had done by then."""
    reader, writer = os.pipe()
    child = forked(lambda: check_and_index(folder, address, files, writer))
    os.close(writer)
    with open(reader, "rb") as said:
        assert said.read(1) == b"c", "the library is not whole"
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        return os.WIFSIGNALED(status), len(said.read())


def main(root: Path) -> None:
    folder, address, rng = root / "videos", root / "library", random.Random(0)
    folder.mkdir()
    for i in range(FILES):
        (folder / f"{i}.mp4").write_bytes(bytes([i]))
    kills, files, longest = 0, FILES, 0.0
    while kills < KILLS:
        if files >= FILES - 1:
            # The next run ends as an undisturbed one does, and the next kills meet an empty library.
            started = time.monotonic()
            done = forked(lambda: (index(folder, address), holds(folder, address, FILES)))
            assert os.waitpid(done, 0)[1] == 0, f"after {kills} kills the library was not completed"
            longest = longest or (time.monotonic() - started)
            shutil.rmtree(address)
            files = 0
        hit, done = killed(folder, address, files, rng.uniform(0, longest))
        kills, files = kills + hit, max(files, done)
    print(kills)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
