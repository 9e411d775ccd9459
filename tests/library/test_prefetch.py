"""Files are read ahead of the model, so far and no further; lists of paths and addresses serve as folders do."""

from __future__ import annotations

import hashlib
import threading
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import fsspec
import numpy as np
import pytest

from stan.common import retry
from stan.data.video.decoding import VideoError
from stan.library.indexing import update
from stan.library.prefetch import READERS, LocalIndexEngine, Task
from stan.library.sources import Addresses, RemoteSource, Source
from tests.stress.killed_indexing import embed, empty_store, engine


@pytest.fixture
def store(tmp_path):
    return empty_store(tmp_path / "library")


@pytest.fixture
def memory():
    files = fsspec.filesystem("memory")
    files.store.clear()
    yield files
    files.store.clear()


def tasks(folder, names):
    for name in names:
        (folder / name).write_text(name)
    return [Task(Source(str(folder / name), str(folder), name), None) for name in names]


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def test_the_next_files_are_read_while_the_model_works(tmp_path):
    """Each of the next two, and none beyond: the model goes on only once they have been begun."""
    names = [f"{i}.mp4" for i in range(6)]
    begun = {name: threading.Event() for name in names}

    def reads(file):
        begun[file.name].set()
        yield file

    def embeds(files):
        i = names.index(next(files).name)
        assert all(begun[name].wait(60) for name in names[i : i + 1 + READERS])
        assert not any(begun[name].is_set() for name in names[i + 1 + READERS :])
        return i

    videos = LocalIndexEngine(reads, embeds).videos(tasks(tmp_path, names), ())
    assert [video.embed() for video in videos] == list(range(6)) and not readers()


def test_a_long_file_is_read_one_group_ahead(tmp_path):
    read = [threading.Event() for _ in range(5)]

    def reads(file):
        for i, event in enumerate(read):
            event.set()
            yield i

    def embeds(groups):
        for i in groups:
            assert all(event.wait(60) for event in read[: i + 2])
            assert not any(event.is_set() for event in read[i + 2 :])
        return i

    for video in LocalIndexEngine(reads, embeds).videos(tasks(tmp_path, ["long.mp4"]), ()):
        assert video.embed() == 4 and video.waited > 0


def test_what_is_known_is_not_decoded_ahead_but_can_be(tmp_path):
    decoded = []

    def reads(file):
        decoded.append(file.name)
        yield file.name

    work = tasks(tmp_path, ["known.mp4"])
    known = {hashlib.sha256(b"known.mp4").hexdigest()}
    for video in LocalIndexEngine(reads, next).videos(work, known):
        assert video.look().hash in known and decoded == []
        assert video.embed() == "known.mp4" == decoded[0]


def test_an_interruption_ends_the_readers_and_removes_what_they_fetched(memory):
    copies = []

    def reads(file):
        copies.append(file)
        yield file.read_bytes()

    for i in range(5):
        memory.pipe(f"/{i}.mp4", bytes([i]))
    work = [Task(RemoteSource(f"memory://{i}.mp4", "memory://", f"{i}.mp4"), None) for i in range(5)]
    videos = LocalIndexEngine(reads, next).videos(work, ())
    assert next(videos).embed() == b"\0"
    videos.close()
    assert 1 <= len(copies) <= 1 + READERS and not any(file.exists() for file in copies) and not readers()


def report_of(store, listed):
    found = update(store, Addresses(listed), engine(embed))
    counts = tuple(found[name] for name in ("indexed", "unchanged", "removed"))
    return counts, {one["file"]: one["reason"] for one in found["skipped"]}


def test_a_list_of_paths_and_addresses_is_indexed_as_a_folder_is(tmp_path, store, memory):
    (tmp_path / "a b.mp4").write_text("a")
    (tmp_path / "c.mp4").write_text("c")
    memory.pipe("/far/d.mp4", b"d")
    listed = tmp_path / "list.txt"
    listed.write_text(
        f"a b.mp4\n\n{(tmp_path / 'a b.mp4').as_uri()}\n{tmp_path}/c.mp4\n"
        "memory://far/d.mp4\nmemory://far/none.mp4\nnotes.txt\n"
    )
    notes = {str(tmp_path / "notes.txt"): "its name does not end as a video's does"}
    none = {"memory://far/none.mp4": "there is no such file"}
    assert report_of(store, listed) == ((3, 0, 0), notes | none)
    rows = {row["path"]: row for row in store.rows([entry.id for entry in store.entries()])}
    assert rows["memory://far/d.mp4"]["name"] == "d.mp4"
    for path, content in (("memory://far/d.mp4", b"d"), (str(tmp_path / "a b.mp4"), b"a")):
        assert np.array(rows[path]["video"]).tolist() == rows_of(tmp_path, content)

    assert report_of(store, listed)[0] == (0, 3, 0)
    memory.pipe("/far/d.mp4", b"changed")
    (tmp_path / "c.mp4").unlink()
    assert report_of(store, listed)[0] == (1, 1, 1)
    listed.write_text("a b.mp4")  # what is no longer named stays
    assert report_of(store, listed) == ((0, 1, 0), {}) and len(store.entries()) == 2


def rows_of(folder: Path, content: bytes):
    (folder / "expected").write_bytes(content)
    return embed(folder / "expected").video.tolist()


def test_an_unchanged_address_is_not_fetched_again(tmp_path, store, memory, monkeypatch):
    memory.pipe("/d.mp4", b"d")
    listed = tmp_path / "list.txt"
    listed.write_text("memory://d.mp4")
    assert report_of(store, listed)[0] == (1, 0, 0)
    monkeypatch.setattr(type(memory), "get_file", None)
    assert report_of(store, listed) == ((0, 1, 0), {})


def test_a_server_that_fails_costs_no_embeddings(tmp_path, store, memory, monkeypatch):
    memory.pipe("/d.mp4", b"d")
    listed = tmp_path / "list.txt"
    listed.write_text("memory://d.mp4")
    assert report_of(store, listed)[0] == (1, 0, 0)
    monkeypatch.setattr(retry, "PAUSES", (0, 0))
    calls, info = [], type(memory).info

    def fails(self, path, **options):
        calls.append(path)
        if len(calls) <= 3:
            raise RuntimeError("too busy")
        return info(self, path, **options)

    monkeypatch.setattr(type(memory), "info", fails)
    assert report_of(store, listed) == ((0, 0, 0), {"memory://d.mp4": "RuntimeError: too busy"})
    assert len(calls) == 3 and len(store.entries()) == 1
    calls[:] = [None, None]  # fails once, then serves
    assert report_of(store, listed) == ((0, 1, 0), {})


class Server:
    """What fsspec's file systems say of one file; each names its facts differently."""

    def __init__(self, info, modified=None):
        self.info = lambda path: info
        self._modified = modified

    def modified(self, path):
        if self._modified is None:
            raise NotImplementedError
        return self._modified


@pytest.mark.parametrize(
    ("server", "known_by"),
    [
        (Server({"size": 3, "ETag": '"x"'}, datetime.fromtimestamp(5)), "time"),
        (Server({"size": 3, "ETag": '"x"'}), "tag"),
        (Server({"size": None}), "bytes"),
    ],
)
def test_a_state_is_known_by_time_or_tag_or_not_at_all(monkeypatch, server, known_by):
    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda address: (server, address))
    state = RemoteSource("https://a.example/v.mp4", "https://a.example", "v.mp4").state()
    assert (state.mtime_ns, bool(state.tag)) == (5 * 10**9 * (known_by == "time"), known_by == "tag")
    same = SimpleNamespace(size=state.size, mtime_ns=state.mtime_ns, hash=state.tag or "of the bytes")
    assert state.is_that_of(same) == (known_by != "bytes")
    other = SimpleNamespace(size=state.size, mtime_ns=state.mtime_ns + 1, hash="of other bytes")
    assert not state.is_that_of(other)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.txt", None, "not a folder, and no text file"),
        ("empty.txt", b"\n", "not a folder, and no text file"),
        ("clip.mp4", b"text", "not a folder, and no text file"),
        ("bytes.txt", b"\xff\xfe", "not a folder, and no text file"),
        ("list.txt", b"nowhere://x/a.mp4", "nowhere://x/a.mp4 cannot be opened: .*nowhere"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=says):
        Addresses(tmp_path / name)


def test_a_broken_file_is_raised_where_it_is_looked_at_and_the_rest_goes_on(tmp_path):
    def reads(file):
        if file.name == "b.mp4":
            raise VideoError(file, "is broken", "repair it")
        yield file.name

    found = []
    for video in LocalIndexEngine(reads, next).videos(tasks(tmp_path, ["a.mp4", "b.mp4", "c.mp4"]), ()):
        try:
            found.append(video.embed())
        except VideoError as error:
            found.append(error.reason)
    assert found == ["a.mp4", "is broken", "c.mp4"]
