"""A copy of a small library: read in the database's place while it is current, and never else."""

import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from stan.library import snapshot
from stan.library.indexing import update
from stan.library.sources import Folder
from stan.library.store import Store
from tests.stress.killed_indexing import embed, empty_store, engine


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.mp4").write_bytes(bytes([i]))
    return folder


def index(folder, address) -> Store:
    store = empty_store(address)
    with store.writing():
        update(store, Folder(folder), engine(embed))
    return store


def test_a_copy_answers_as_the_database_does(folder, tmp_path):
    opened = index(folder, tmp_path / "library")
    copied = Store(tmp_path / "library")
    ids = [entry.id for entry in copied.entries()]
    assert copied._opened is None and opened._opened is not None  # the one has never opened the database
    assert copied.entries() == opened.entries() and copied.maker == opened.maker
    assert (copied.version, copied.videos, copied.windows) == (opened.version, 3, 3)
    assert copied.read(["id", "clip"]).sort_by("id").equals(opened.read(["id", "clip"]).sort_by("id"))
    by_id = [sorted(store.rows(ids[:2]), key=lambda row: row["id"]) for store in (copied, opened)]
    for one, other in zip(*by_id, strict=True):
        np.testing.assert_equal(one, other)
    assert copied.rows([]) == []
    assert copied.rows(ids[:1], ["name"]) == opened.rows(ids[:1], ["name"])
    assert copied._opened is None


def test_a_condition_asks_the_database(folder, tmp_path):
    index(folder, tmp_path / "library")
    store = Store(tmp_path / "library")
    assert len(store.read(["id"], "name = '1.mp4'")) == 1 and store._opened is not None


def test_what_was_written_since_is_read_from_the_database(folder, tmp_path):
    opened = index(folder, tmp_path / "library")
    copied = Store(tmp_path / "library")
    assert copied.videos == 3
    opened.drop([copied.entries()[0].id])
    assert copied.videos == 2 and copied._opened is not None


def test_a_damaged_copy_is_not_read(folder, tmp_path):
    index(folder, tmp_path / "library")
    file = tmp_path / "library" / snapshot.FILE
    file.write_bytes(file.read_bytes()[:100])
    assert Store(tmp_path / "library").videos == 3
    file.unlink()
    assert Store(tmp_path / "library").videos == 3


def test_of_a_large_library_no_copy_is_kept(folder, tmp_path, monkeypatch):
    index(folder, tmp_path / "library")
    assert (tmp_path / "library" / snapshot.FILE).exists()
    (folder / "3.mp4").write_bytes(b"3")
    monkeypatch.setattr(snapshot, "LARGEST", 10)
    index(folder, tmp_path / "library")
    assert not (tmp_path / "library" / snapshot.FILE).exists()
    assert Store(tmp_path / "library").videos == 4


def test_a_full_disk_leaves_the_library_without_a_copy(folder, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot.os, "replace", full)
    index(folder, tmp_path / "library")
    assert Store(tmp_path / "library").videos == 3
    assert not [name for name in os.listdir(tmp_path / "library") if "arrow" in name]


def test_versions_that_are_gone_make_a_copy_old(tmp_path):
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "1").write_bytes(b"")
    snapshot.write(tmp_path, tmp_path / "versions", pa.table({"id": ["a"]}), 1)
    table, version = snapshot.read(tmp_path, tmp_path / "versions")
    assert table["id"].to_pylist() == ["a"] and version == 1
    (tmp_path / "versions" / "1").unlink()
    assert snapshot.read(tmp_path, tmp_path / "versions") is None
    assert snapshot.read(tmp_path, tmp_path / "nowhere") is None


@pytest.mark.slow
def test_reading_a_small_library_does_not_import_the_database(folder, tmp_path):
    index(folder, tmp_path / "library")
    code = (
        "import sys; from stan.library.store import Store; s = Store(sys.argv[1]);"
        "print(len(s.entries()), s.maker.model, 'lancedb' in sys.modules)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "library")], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["3", "made", "up", "False"]
