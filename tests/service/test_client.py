"""The client gives what the library gives, over a real connection, and refusals as errors."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import date

import pytest

from stan.library import Filters
from stan.service.access import Tokens
from stan.service.app import build
from stan.service.client import Client, ServiceError
from stan.service.limits import Limits
from tests.service.conftest import made_up
from tests.support.service import running

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def client(library_calls):
    with running(build(library_calls, Limits(upload=100_000), Tokens([TOKEN]))) as address:
        yield Client(f"{address}/", TOKEN)


def without_places(results) -> list[dict]:
    return [{**one, "folder": "videos"} | {"video": None, "match": None} for one in results]


def test_a_search_is_the_librarys(client, library):
    for asked in ({}, {"top": 1, "gain": 0.5, "correct_hubs": True}, {"where": Filters(longest=1.0)}):
        found, expected = client.search("a red square", **asked), library.search("a red square", **asked)
        assert without_places(found) == without_places(expected)
        assert (found.query, found.no_match, set(found.ms)) == (
            "a red square",
            expected.no_match,
            set(expected.ms),
        )
    names = [one["name"] for one in client.search("a", where=Filters("videos/below", since=date(2020, 1, 1)))]
    assert names == ["below/blue.mp4"]


def test_moments_and_similar_videos_are_the_librarys(client, library, folder):
    found, expected = client.moments("a red square", 2), library.moments("a red square", 2)
    assert without_places(found) == without_places(expected)
    id = client.entries()[0]["id"]
    assert without_places(client.similar(id, start=1.0)) == without_places(library.similar(id, start=1.0))
    by_file = library.similar(folder / "red.mp4", 2)
    assert [one["id"] for one in client.similar(folder / "red.mp4", 2)] == [one["id"] for one in by_file]
    below = client.similar(folder / "red.mp4", where=Filters("videos/below", 1.0, since=date(2020, 1, 1)))
    assert [one["name"] for one in below] == ["below/blue.mp4"]


def test_videos_and_their_number(client, library, monkeypatch):
    monkeypatch.setattr("stan.service.client.PAGE", 2)
    assert [one["id"] for one in client.entries()] == [entry.id for entry in library.entries()]
    assert len(client) == 3 and client.entry(client.entries()[1]["id"]) == client.entries()[1]
    assert client.about()["model"] == library.made_by and client.health()["status"] == "ok"


def test_labels_and_explanations(client, library, folder):
    id = client.entries()[0]["id"]
    by_id = client.recognise(id, ["red", "blue"], templates=["a {}"])
    expected = library.recognise(id, ["red", "blue"], templates=["a {}"])
    assert [one["probability"] for one in by_id["labels"]] == [
        one["probability"] for one in expected["labels"]
    ]
    by_file = client.recognise(folder / "red.mp4", ["red & blue", "{}?"], 1, pieces=2)
    assert len(by_file["labels"]) == 1 and by_file["over_time"]["of"] == "pieces"
    assert client.explain(id, "a red square", 2)["query"] == "a red square"


def test_a_folder_is_added_with_its_progress(client):
    told = []
    report = client.add("videos", lambda *step: told.append(step), below="below")
    assert (report["indexed"], report["unchanged"]) == (0, 1)
    assert all(total == 1 and name == "blue.mp4" for _, total, name in told)


def test_refusals_are_errors_in_words(client, tmp_path):
    with pytest.raises(ServiceError, match="the query is empty") as refused:
        client.search(" ")
    assert refused.value.status == 422
    with pytest.raises(ServiceError, match="has no video"):
        client.entry("0" * 16)
    with pytest.raises(ServiceError, match="none of the folders"):
        client.add("elsewhere")
    (tmp_path / "large.mp4").write_bytes(b"x" * 200_000)
    with pytest.raises(ServiceError, match="more than 100000 bytes"):
        client.similar(tmp_path / "large.mp4")


def test_a_failed_job_is_an_error(client, library):
    with library._store.writing(), pytest.raises(ServiceError, match="another process is indexing"):
        client.add("videos")


def test_no_room_tells_when_to_come_back():
    go = threading.Event()
    calls = made_up(search=lambda *_, **__: go.wait(30))
    with running(build(calls, Limits(workers=1, waiting=0))) as address:
        first = threading.Thread(target=lambda: pytest.raises(ServiceError, Client(address).search, "a"))
        first.start()
        client = Client(address)
        while client.health()["running"] == 0:
            pass
        with pytest.raises(ServiceError) as refused:
            client.search("a")
        go.set()
        first.join()
    assert refused.value.status == 429 and refused.value.seconds == 3


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8600", "ftp://here", "http://", "http://h:99999", "http://h:x", "http://["]
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(ValueError, match="no address of a service"):
        Client(url)


@pytest.mark.slow
def test_the_client_needs_neither_torch_nor_the_extra():
    code = "import sys, stan.service.client; print([m for m in ('torch', 'lancedb', 'fastapi') if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"
