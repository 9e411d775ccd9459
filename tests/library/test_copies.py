"""Videos at addresses become local files of the bytes that were indexed, within limits, or errors without secrets."""

from __future__ import annotations

import threading

import pytest

from stan.common import retry
from stan.data.video.decoding import VideoError
from stan.library import copies, scan, sources
from stan.library.copies import Copies
from stan.library.entries import Entry
from stan.library.sources import Addresses, FetchLimits
from tests.support.file_server import serving

SECRET = "?signature=a/secret"


@pytest.fixture
def server():
    with serving({"/films/a.mp4": b"a" * 300_000, "/films/b.mp4": b"b" * 200_000}) as started:
        yield started


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(retry, "PAUSES", (0,))


def indexed(folder, address: str, content: bytes) -> Entry:
    """Return the entry that indexing writes of a video at an address."""
    (folder / "list.txt").write_text(address)
    [source] = Addresses(folder / "list.txt").sources(print, None)
    state = source.state()
    assert state.size == len(content) and state.tag
    return Entry("0" * 16, source.path, source.folder, source.name, state.size, 0, state.tag, 1.0)


@pytest.fixture
def entry(tmp_path, server):
    return indexed(tmp_path, server.address("/films/a.mp4") + SECRET, server.files["/films/a.mp4"])


def refused(entry: Entry) -> VideoError:
    with pytest.raises(VideoError) as caught, Copies().file(entry):
        pass
    assert "secret" not in str(caught.value) and "127.0.0.1" not in str(caught.value)
    return caught.value


def test_a_name_holds_no_part_of_the_query(entry):
    assert entry.name == "a.mp4" and entry.path.endswith(SECRET) and "secret" not in entry.folder


def test_a_video_is_fetched_once_and_kept(server, entry):
    kept = Copies()
    for _ in range(3):
        with kept.file(entry) as file:
            assert file.read_bytes() == server.files["/films/a.mp4"] and file.suffix == ".mp4"
            assert "secret" not in str(file)
    assert server.fetched == {"/films/a.mp4": 1}


def test_a_local_video_is_its_own_file(tmp_path):
    entry = Entry("0" * 16, str(tmp_path / "a.mp4"), str(tmp_path), "a.mp4", 1, 1, "", 1.0)
    with Copies().file(entry) as file:
        assert file == tmp_path / "a.mp4"


def test_what_was_changed_since_is_not_shown_as_what_was_indexed(server, entry):
    server.files["/films/a.mp4"] = b"c" * 300_000
    assert refused(entry).reason == "is no longer what was indexed"


def test_a_video_without_time_and_tag_is_known_by_its_bytes(tmp_path, server, entry, monkeypatch):
    monkeypatch.setattr(sources.RemoteSource, "state", lambda *_: sources.FileState(300_000, 0))
    file = tmp_path / "same"
    file.write_bytes(server.files["/films/a.mp4"])
    hashed = Entry(**{**vars(entry), "hash": scan.digest(file)})
    with Copies().file(hashed) as copy:
        assert copy.read_bytes() == file.read_bytes()
    assert refused(entry).reason == "is no longer what was indexed"


@pytest.mark.parametrize("tells_size", [True, False])
def test_a_video_over_the_limit_of_bytes_is_refused(server, entry, monkeypatch, tells_size):
    monkeypatch.setattr(copies, "LIMITS", FetchLimits(bytes=200_000))
    server.tells_size = tells_size
    assert refused(entry).reason == "is larger than the limit of 0 MiB"


def test_a_server_that_drips_is_given_up(server, entry, monkeypatch):
    monkeypatch.setattr(copies, "LIMITS", FetchLimits(seconds=1))
    server.pause = 0.6
    assert "the limit of 1 s" in refused(entry).reason


def test_a_server_that_is_silent_is_given_up(server, entry, monkeypatch):
    monkeypatch.setattr(copies, "LIMITS", FetchLimits(seconds=1))
    server.pause = 30
    assert refused(entry).reason


def test_a_server_that_is_gone_is_told(server, entry):
    server.files.clear()
    error = refused(entry)
    assert (
        error.reason.startswith("cannot be fetched") and error.remedy == "try again once its server answers"
    )


def test_copies_used_longest_ago_go_but_none_in_use(tmp_path, server, entry, monkeypatch):
    other = indexed(tmp_path, server.address("/films/b.mp4"), server.files["/films/b.mp4"])
    monkeypatch.setattr(copies, "ROOM", 250_000)
    kept = Copies()
    with kept.file(entry) as first, kept.file(other) as second:
        assert first.exists() and second.exists()  # both are in use
    with kept.file(other) as second:
        assert second.exists() and not first.exists()
    with kept.file(entry):
        pass
    assert server.fetched == {"/films/a.mp4": 2, "/films/b.mp4": 1}


def test_several_who_ask_at_once_fetch_once(server, entry):
    kept, found = Copies(), []

    def ask() -> None:
        with kept.file(entry) as file:
            found.append(file.stat().st_size)

    asking = [threading.Thread(target=ask) for _ in range(6)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert found == [300_000] * 6 and server.fetched == {"/films/a.mp4": 1}
