"""What may not be asked is refused by a status and one line of JSON, and tells nothing about this machine."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from stan.data.video.decoding import VideoError
from stan.library.roots import Roots
from stan.service.app import build
from stan.service.calls import LibraryCalls
from stan.service.limits import Limits
from tests.service.conftest import made_up
from tests.support.service import running

TOKEN = "0123456789abcdef"
NOBODY = "0" * 16


def error(reply) -> str:
    """The one line that every error is."""
    assert reply.headers["content-type"] == "application/json"
    (words,) = reply.json().values()
    assert list(reply.json()) == ["error"] and "\n" not in words
    return words


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/v1/nothing", None, 404, "Not Found"),
        ("DELETE", "/v1/library", None, 405, "Method Not Allowed"),
        ("GET", f"/v1/videos/{NOBODY}", None, 404, "has no video"),
        ("GET", "/v1/videos/..%2f..%2fetc", None, 404, "Not Found"),
        ("GET", "/v1/videos/red.mp4", None, 422, "path.id"),
        ("GET", "/v1/videos?count=0", None, 422, "query.count"),
        ("GET", "/v1/videos?number=5", None, 422, "query.number"),
        ("GET", "/v1/videos?folder=/etc", None, 422, "no video of the library lies in a folder '/etc'"),
        ("POST", "/v1/search", {}, 422, "body.query"),
        ("POST", "/v1/search", {"query": ""}, 422, "body.query"),
        ("POST", "/v1/search", {"query": "  "}, 422, "the query is empty"),
        ("POST", "/v1/search", {"query": "a + "}, 422, "a term without words"),
        ("POST", "/v1/search", {"query": "a - a"}, 422, "cancel each other out"),
        ("POST", "/v1/search", {"query": "a", "top": 101}, 422, "body.top"),
        ("POST", "/v1/search", {"query": "a", "top": "5"}, 422, "body.top"),
        ("POST", "/v1/search", {"query": "a", "gain": -1}, 422, "body.gain"),
        ("POST", "/v1/search", {"query": "a", "more": 1}, 422, "body.more"),
        ("POST", "/v1/search", {"query": "a", "where": {"since": 5}}, 422, "body.where.since"),
        ("POST", "/v1/search", {"query": "a", "where": {"folder": "/"}}, 422, "lies in a folder '/'"),
        ("POST", "/v1/similar", {"to": NOBODY}, 404, "has no video"),
        ("POST", "/v1/recognise", {"video": NOBODY, "labels": ["a"]}, 404, "has no video"),
        ("POST", "/v1/recognise", {"video": NOBODY, "label_set": "none"}, 422, "no label set"),
        ("POST", "/v1/recognise", {"video": NOBODY, "templates": ["a"]}, 422, "places for a name"),
        ("POST", "/v1/explain", {"video": NOBODY, "query": "a"}, 404, "has no video"),
        ("POST", "/v1/jobs", {"folder": "/etc"}, 422, "none of the folders"),
        ("POST", "/v1/jobs", {"folder": "videos", "below": "../library"}, 422, "leads out of videos"),
        ("POST", "/v1/jobs", {"folder": "videos", "below": "nul\0"}, 422, "leads out of videos"),
        ("POST", "/v1/jobs", {"folder": "videos", "below": "none"}, 422, "has no folder"),
        ("POST", "/v1/jobs", {"folder": "videos", "below": "x" * 300}, 422, "has no folder"),
        ("GET", f"/v1/jobs/{NOBODY}", None, 404, "no job"),
        ("GET", f"/v1/jobs/{NOBODY}/events", None, 404, "no job"),
    ],
)
def test_an_error_is_a_status_and_one_line(api, method, path, body, status, words):
    reply = api.request(method, path, json=body)
    assert reply.status_code == status and words in error(reply)


@pytest.mark.parametrize("moment", [{"start": 5, "end": 1}, {"start": 1000}])
def test_a_moment_that_a_video_does_not_have_is_refused(api, moment):
    id = api.get("/v1/videos").json()["videos"][0]["id"]
    reply = api.post("/v1/similar", json={"to": id, **moment})
    assert reply.status_code == 422 and "has no moment with start" in error(reply)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 50_000, b'{"query": NaN}', b'{"query": "\\ud800"}', b"\xff\xfe", b"null"]
)
def test_a_body_that_is_no_json_of_ours_is_refused(api, body):
    reply = api.post("/v1/search", content=body, headers={"content-type": "application/json"})
    assert reply.status_code == 422 and error(reply)


def test_json_by_another_name_is_refused(api):
    reply = api.post("/v1/search", content=b'{"query": "a"}', headers={"content-type": "text/plain"})
    assert reply.status_code == 422 and error(reply)


def test_too_many_sentences_are_refused(client):
    calls = made_up(entry=lambda id: None)
    labels = [f"label {i}" for i in range(1000)]
    asked = {"video": NOBODY, "labels": labels, "templates": ["{}", "a {}", "b {}", "c {}", "d {}"]}
    reply = client(calls).post("/v1/recognise", json=asked)
    assert (
        reply.status_code == 422
        and "5000" not in error(reply)
        and "1000 labels in 5 templates" in error(reply)
    )


# ---- size


def test_a_body_that_is_too_large_is_refused_before_it_is_read(client, library_calls):
    api = client(library_calls, body=1000, upload=2000)
    reply = api.post("/v1/search", json={"query": "a" * 2000})
    assert reply.status_code == 413 and "1000 bytes" in error(reply)
    kind = {"content-type": "video/mp4"}
    assert api.post("/v1/similar/upload", content=b"x" * 2001, headers=kind).status_code == 413
    reply = api.post("/v1/similar/upload", content=b"x" * 2000, headers=kind)
    assert reply.status_code == 422 and "upload.mp4: is no video file" in error(reply)


def test_a_body_that_does_not_say_its_length_is_cut_off(client, library_calls):
    api = client(library_calls, body=1000, upload=2000)
    sent = []

    def endless():
        for i in range(1000):
            sent.append(i)
            yield b"x" * 500

    for path in ("/v1/similar/upload", "/v1/recognise/upload?label=a"):
        reply = api.post(path, content=endless(), headers={"content-type": "video/mp4"})
        assert reply.status_code == 413 and "2000 bytes" in error(reply)
    reply = api.post("/v1/search", content=endless(), headers={"content-type": "application/json"})
    assert reply.status_code == 413 and "1000 bytes" in error(reply)


@pytest.mark.parametrize("kind", ["text/plain", "", "image/gif", "video", "text/html"])
def test_an_upload_of_another_kind_is_refused(api, kind):
    reply = api.post("/v1/similar/upload", content=b"x", headers={"content-type": kind})
    assert reply.status_code == 422 and "content type" in error(reply)


@pytest.mark.parametrize(
    "content", [b"", b"#EXTM3U\n/etc/passwd\n", b"ffconcat version 1.0\nfile /etc/passwd\n", b"\0" * 5000]
)
def test_an_upload_that_is_no_video_is_refused(api, content):
    for path in ("/v1/similar/upload", "/v1/recognise/upload?label=a"):
        reply = api.post(path, content=content, headers={"content-type": "application/octet-stream"})
        assert reply.status_code == 422 and error(reply).startswith("upload.mp4: is ")


# ---- who may ask


def test_without_a_token_only_the_health_is_told(client, library_calls):
    api = client(library_calls, [TOKEN, "another token, longer"])
    assert api.get("/health").status_code == 200
    for path in ("/v1/library", "/v1/nothing", "/metrics", "/openapi.json"):
        reply = api.get(path)
        assert reply.status_code == 401 and reply.headers["www-authenticate"] == "Bearer" and error(reply)
    wrong = ("Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer \xe4")
    for header in wrong:
        told = {"authorization": header.encode("latin-1")}
        assert api.get("/v1/library", headers=told).status_code == 401
    for token in (TOKEN, "another token, longer"):
        assert api.get("/v1/library", headers={"authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}, {"origin": "null"}]
)
def test_another_sites_page_is_refused(api, headers):
    reply = api.get("/health", headers=headers)
    assert reply.status_code == 403 and error(reply)
    assert api.get("/health", headers={"host": "[::1]:80", "origin": "http://[::1]:80"}).status_code == 200


def test_calls_beyond_the_rate_are_refused_by_caller(client):
    api = client(made_up(), [TOKEN, TOKEN[::-1]], per_minute=3)
    mine, other = ({"authorization": f"Bearer {token}"} for token in (TOKEN, TOKEN[::-1]))
    statuses = [api.get("/v1/library", headers=mine).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    reply = api.get("/v1/library", headers=mine)
    assert 1 <= int(reply.headers["retry-after"]) <= 20 and error(reply)
    assert api.get("/v1/library", headers=other).status_code == 200
    assert api.get("/health").status_code == 200


# ---- time and room


def blocked(go: threading.Event):
    """Calls whose library searches as soon as it may."""
    from stan.library import Results

    def search(query, *_, **__):
        go.wait(30)
        return Results(query, [], True, {"encode": 0.0, "search": 0.0})

    return made_up(search=search)


def test_what_takes_too_long_is_given_up_and_keeps_its_place(client):
    go = threading.Event()
    api = client(blocked(go), workers=1, waiting=0, seconds=0.2)
    reply = api.post("/v1/search", json={"query": "a"})
    assert reply.status_code == 504 and "0.2 s" in error(reply)
    assert (
        api.post("/v1/search", json={"query": "a"}).status_code == 429
    )  # the thread still works for the first
    go.set()
    assert eventually(lambda: api.post("/v1/search", json={"query": "a"}).status_code == 200)


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/similar/upload", "video/mp4"), ("/v1/search", "application/json")]
)
def test_a_body_that_does_not_come_is_not_waited_for(library_calls, path, kind):
    with running(build(library_calls, Limits(seconds=0.2, slow_seconds=0.2))) as address:
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=20)
        connection.putrequest("POST", path)
        connection.putheader("Content-Type", kind)
        connection.putheader("Content-Length", "100")
        connection.endheaders()
        connection.send(b"{")
        reply = connection.getresponse()
        assert reply.status == 504 and "0.2 s" in json.loads(reply.read())["error"]
        connection.close()


def test_beyond_the_room_calls_are_refused_at_once_and_health_is_told(client):
    go, statuses = threading.Event(), []
    api = client(blocked(go), workers=1, waiting=2)

    def ask() -> None:
        statuses.append(api.post("/v1/search", json={"query": "a"}).status_code)

    callers = [threading.Thread(target=ask) for _ in range(3)]
    for one in callers:
        one.start()
    busy = {"status": "ok", "version": api.app.version, "running": 1, "waiting": 2}
    assert eventually(lambda: api.get("/health").json() == busy)
    reply = api.post("/v1/search", json={"query": "a"})
    assert reply.status_code == 429 and int(reply.headers["retry-after"]) >= 1 and error(reply)
    assert 'stan_calls{lane="quick",state="waiting"} 2.0' in api.get("/metrics").text
    go.set()
    for one in callers:
        one.join()
    assert statuses == [200, 200, 200]
    assert api.get("/health").json() | {"running": 0, "waiting": 0} == api.get("/health").json()


def eventually(holds) -> bool:
    end = time.monotonic() + 20
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


# ---- what is not told


def test_a_fault_of_the_service_tells_nothing(client, caplog):
    def search(*_, **__):
        raise RuntimeError("/srv/private/secret")

    with caplog.at_level(logging.CRITICAL):
        reply = client(made_up(search=search)).post("/v1/search", json={"query": "a"})
    assert reply.status_code == 500 and error(reply) == "the service failed; its log says how"


def test_errors_name_files_not_places(client, tmp_path):
    failures = [
        VideoError(tmp_path / "a\nb.mp4", f"cannot be reached: '{tmp_path}/a'", "index again"),
        ValueError(f"the library {tmp_path}/library was made by\nanother"),
    ]

    def search(*_, **__):
        raise failures.pop()

    api = client(made_up(search=search, path=tmp_path / "library"))
    assert error(api.post("/v1/search", json={"query": "a"})) == "the library library was made by another"
    assert error(api.post("/v1/search", json={"query": "a"})) == "a b.mp4: cannot be reached; index again"


@pytest.mark.parametrize(
    ("path", "said", "told"),
    [
        ("a", "a term: the library a was made by a run", "a term: the library a was made by a run"),
        ("lib", "no video of the library lies there", "no video of the library lies there"),
        (
            "own/lib",
            "at own/lib: own/lib/x, 'own/lib'. own/library",
            "at library: library/x, 'library'. own/library",
        ),
        ("/srv/lib", "/srv/lib.bak /srv/lib-2 /srv/lib.", "/srv/lib.bak /srv/lib-2 library."),
        ("/srv/lib", "(/srv/lib/a.mp4) /srv/videos/b.mp4", "(library/a.mp4) films/b.mp4"),
    ],
)
def test_folders_are_named_and_words_like_them_are_left_alone(tmp_path, path, said, told):
    folder = tmp_path / "videos"
    folder.mkdir()
    calls = LibraryCalls(SimpleNamespace(path=Path(path), made_by=None), Roots({"films": folder}))
    assert calls.without_folders(said.replace("/srv/videos", str(folder))) == told


def test_a_folder_with_too_long_a_name_is_no_folder():
    with pytest.raises(ValueError, match="is no folder"):
        Roots({"films": Path("x" * 300)})
