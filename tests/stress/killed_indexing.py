"""An empty folder in; the number of survived SIGKILLs, sent at random moments of indexing, out.

It stops with an AssertionError if one of the 50 kills damages the library. It runs as a separate process, because
LanceDB must not have been used before a fork. Embeddings are made from the bytes of small files, so that the kills hit
the indexing and not a decoder.
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

import lancedb  # noqa: F401  imported here once, not in each child
import numpy as np

from stan.common.progress import FileProgress
from stan.library.embedding import FileEmbeddings
from stan.library.entries import Maker
from stan.library.indexing import update
from stan.library.prefetch import LocalIndexEngine
from stan.library.sources import Folder
from stan.library.store import Store

KILLS = 50
FILES = 6
MAKER = Maker("made up", "2", "2", "0")


def embed(path: Path) -> FileEmbeddings:
    """Return embeddings made of eight numbers that identify the file's bytes."""
    values = np.frombuffer(hashlib.sha256(path.read_bytes()).digest(), np.uint8)[:8].astype(np.float32)
    row = values.reshape(2, 4)
    return FileEmbeddings(2.0, row[:1], row[1:], np.array([0.5, 1.5], np.float32), row, row[::-1])


def engine(embed: Callable[[Path], FileEmbeddings]) -> LocalIndexEngine:
    """Return an engine that decodes nothing. Its second, empty group keeps a fetched file while it is embedded."""
    return LocalIndexEngine(lambda file: iter([file, None]), lambda files: embed(next(files)))


def empty_store(address: str | Path) -> Store:
    """Return an empty library of vectors of four numbers."""
    store = Store(address)
    with store.writing():
        store.create(4, MAKER)
    return store


def check_and_index(folder: Path, address: Path, files: int, said: int) -> None:
    """Check that the library holds the first `files` files, then index.

    Writes to the pipe `said`: `c` after the check, then `.` for every indexed file.
    """
    holds(folder, address, files)
    os.write(said, b"c")
    index(folder, address, lambda number, *_: os.write(said, b".") if number else None)


def index(folder: Path, address: Path, progress: FileProgress | None = None) -> None:
    store = Store(address)
    with store.writing():
        store.create(4, MAKER)
        update(store, Folder(folder), engine(embed), progress)


def holds(folder: Path, address: Path, files: int) -> None:
    """Assert that the library holds at least the first `files` files, all whole, none twice and no foreign ones."""
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
    """Return the process id of a child that does `work` and exits with 0, or with 1 if `work` raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # LanceDB warns about forks, but this process has never used it
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
    """Kill an indexing process `after` seconds of work.

    Return whether it was killed before its end, and how many files it had indexed by then.
    """
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
            # An undisturbed run has to complete the library. It is then deleted, so the next kills meet an empty one.
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
