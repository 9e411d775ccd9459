"""The demo's security floor: what is served, who is let in, what a visitor may name."""

from __future__ import annotations

import base64
import http.client
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, urlsplit

import pytest

from demo import app
from demo.service import access
from demo.service.backend import Backend, open_library
from demo.service.search_request import SearchRequest
from stan.data.video.decoding import VideoError
from stan.library.proxies import Proxies
from tests.support.fake_calls import ID, OTHER, calls, refuse
from tests.support.played import shown
from tests.support.small_clips import write_clip

# ---- the engine


def engine_over(folder: Path, library, **options) -> Backend:
    return Backend({"mine": lambda: library}, folder / "proxies", **options)


def test_an_engine_says_why_it_has_no_library_and_makes_none(tmp_path):
    missing = tmp_path / "none"
    engine = Backend({"none": lambda: open_library(str(missing), None)}, missing / "proxies")
    with pytest.raises(ValueError, match="stan index"):
        engine.videos("none")
    with pytest.raises(ValueError, match="no library 'other'"):
        engine.videos("other")
    assert not missing.exists()


def test_a_library_that_could_not_be_opened_is_opened_once_it_is_there(tmp_path):
    folder = tmp_path / "library"

    def open_if_there():
        if not folder.exists():
            raise ValueError("no library yet")
        return SimpleNamespace(entries=list)

    engine = Backend({"mine": open_if_there}, tmp_path / "proxies")
    with pytest.raises(ValueError, match="no library yet"):
        engine.videos("mine")
    folder.mkdir()
    assert engine.videos("mine") == []


def test_a_visitor_cannot_name_a_path(tmp_path):
    engine = engine_over(tmp_path, SimpleNamespace(entry=refuse, file=refuse, model=None))
    attempts = (
        lambda path: engine.media(path, "mp4"),
        lambda path: engine.recognise("mine", path, ["a"], []),
        lambda path: engine.explain("mine", path, "a", 4, print),
        lambda path: engine.attention("mine", path, 4),
        lambda path: engine.time("mine", path, "a"),
        lambda path: engine.search(SearchRequest(like=path)),
    )
    for attempt in attempts:
        with pytest.raises(ValueError, match="no such thing"):
            attempt("/etc/hostname")


def test_an_upload_is_known_by_its_id_alone(tmp_path):
    upload = write_clip(tmp_path / "mine.mp4")
    engine = engine_over(tmp_path, SimpleNamespace(entry=refuse))
    id = engine.calls().admit(upload)
    assert shown(engine.media(id, "mp4")).times and "mine" not in id
    with pytest.raises(ValueError, match="no such thing"):
        engine.media(str(upload), "mp4")
    upload.unlink()
    with pytest.raises(OSError):
        engine.media(id, "webp")


def indexing(tmp_path, **options) -> tuple[Backend, list[Path]]:
    added: list[Path] = []
    report = {"indexed": 1, "unchanged": 0, "removed": 0, "seconds": 0.5, "skipped": []}

    def add(root, progress):
        added.append(Path(root))
        return report

    held = [SimpleNamespace(folder=str(tmp_path)), SimpleNamespace(folder=str(tmp_path / "gone"))]
    library = SimpleNamespace(add=add, entries=lambda: held)
    return engine_over(tmp_path, library, **options), added


def test_only_folders_that_the_operator_allowed_are_indexed(tmp_path):
    allowed = tmp_path / "allowed"
    (allowed / "below").mkdir(parents=True)
    (tmp_path / "allowed too").mkdir()
    (allowed / "out").symlink_to(tmp_path / "allowed too")
    engine, added = indexing(tmp_path, folders=[allowed])
    engine.index("mine", str(allowed), "", print)
    engine.index("mine", str(allowed), "below", print)
    assert added == [allowed, allowed / "below"]
    for below in ("..", "../allowed too", "/etc", "out", "below/../..", "nul\0"):
        with pytest.raises(ValueError, match="leads out"):
            engine.index("mine", str(allowed), below, print)
    with pytest.raises(ValueError, match="none of the folders"):
        engine.index("mine", str(tmp_path), "", print)
    with pytest.raises(ValueError, match="has no folder"):
        engine.index("mine", str(allowed), "missing", print)
    assert len(added) == 2


def test_without_allowed_folders_only_what_is_held_is_looked_through(tmp_path):
    engine, added = indexing(tmp_path)
    assert engine.index("mine", None, "", print)["indexed"] == 1 and added == [tmp_path]
    assert engine.calls().folders == []


def test_places_name_folders_without_telling_where_they_are(tmp_path):
    entries = [
        SimpleNamespace(folder="/srv/private/videos", name="a.mp4"),
        SimpleNamespace(folder="/srv/private/videos", name="trips/rome/b.mp4"),
        SimpleNamespace(folder="/srv/other/videos", name="c.mp4"),
    ]
    searched = []
    library = SimpleNamespace(
        entries=lambda: entries, search=lambda query, top, gain, where: searched.append(where.folder)
    )
    engine = engine_over(tmp_path, library)
    names = ["videos", "videos (2)", "videos (2)/trips", "videos (2)/trips/rome"]
    assert engine.places("mine") == names
    engine.search(SearchRequest(q="a", folder="videos (2)/trips"))
    engine.search(SearchRequest(q="a"))
    assert searched == ["/srv/private/videos/trips", None]
    with pytest.raises(ValueError, match="no video of the library lies in"):
        engine.search(SearchRequest(q="a", folder="/srv/private/videos"))


# ---- who is let in


def test_an_open_address_needs_a_password_unless_told(monkeypatch):
    monkeypatch.delenv(app.PASSWORD, raising=False)
    for host in ("0.0.0.0", "192.0.2.1", "example.org"):
        with pytest.raises(ValueError, match=app.PASSWORD):
            app.settings(calls(), host)
        assert app.settings(calls(), host, without_password=True)["server_name"] == host
    for host in ("127.0.0.1", "localhost", "::1"):
        assert app.settings(calls(), host)["server_name"] == host


def test_what_the_operator_can_mend_ends_with_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv(app.PASSWORD, raising=False)
    for wrong in (["--host", "0.0.0.0"], ["--allow-folders", str(tmp_path / "none")]):
        assert app.main(["--library", str(tmp_path), *wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_libraries_of_the_same_name_are_told_apart():
    assert app.named(["a/mine", "b/mine", "s3://bucket/other"]) == {
        "mine": "a/mine",
        "mine (2)": "b/mine",
        "other": "s3://bucket/other",
    }


def test_settings_keep_the_floor():
    settings = app.settings(calls())
    assert settings["share"] is False and settings["run_history"] is False and settings["max_file_size"]
    assert settings["allowed_paths"] == [] and settings["mcp_server"] is False
    assert settings["state_session_capacity"] <= 1000  # each visitor's state takes memory


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        *(
            (path, True)
            for path in ("/", "/config", "/assets/a.js", "/media/a.mp4", "/gradio_api/queue/join")
        ),
        *(
            (path, False)
            for path in ("/gradio_api/run/predict", "/gradio_api/proxy=http://x/", "/docs", "//")
        ),
        *(
            (path, False)
            for path in ("/gradio_api/file=https://x/", "/monitoring", "/gradio_api/component_server")
        ),
    ],
)
def test_only_what_the_page_needs_is_reached(path, needed):
    assert access.is_needed(path) is needed


# ---- over HTTP


def launched(folder: Path, **options):
    """A running page over made-up calls whose media come from `folder`: its blocks and address."""
    original = write_clip(folder / "original.mp4")
    proxies = Proxies(folder / "proxies")

    def served(id: str, kind: str, part: int | None = None) -> Path:
        if id == OTHER:
            raise VideoError(f"{folder}/private.mp4", "is gone", "index again")
        if id != ID:
            raise ValueError(f"there is no video {id!r}")
        return proxies(original, kind, part)

    made_up = calls(media=served)
    blocks = app.build(made_up)
    _, address, _ = blocks.launch(**app.settings(made_up, **options), prevent_thread_lock=True, quiet=True)
    return blocks, address


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    blocks, address = launched(folder)
    yield address, folder, blocks
    blocks.close()


def fetch(address: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30) as reply:
            return reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


def fetch_raw(address: str, path: str) -> int:
    """The status of a path that is sent as it stands: urllib would tidy `..` away."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    connection.putrequest("GET", path, skip_host=False)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.slow
def test_the_page_may_not_reach_out(page):
    status, headers, _ = fetch(page[0])
    assert status == 200 and headers["content-security-policy"] == access.PAGE_POLICY
    assert "http" not in access.PAGE_POLICY and headers["x-content-type-options"] == "nosniff"


def test_media_are_served_by_id_in_parts_and_harmless(page):
    status, headers, whole = fetch(f"{page[0]}media/{ID}.mp4")
    assert (
        status == 200
        and headers["content-type"] == "video/mp4"
        and "sandbox" in headers["content-security-policy"]
    )
    status, headers, part = fetch(f"{page[0]}media/{ID}.mp4", Range="bytes=4-7")
    assert (status, part) == (206, whole[4:8]) == (206, b"ftyp")
    status, headers, strip = fetch(f"{page[0]}media/{ID}.webp")
    assert headers["content-type"] == "image/webp" and strip[:4] == b"RIFF"


def test_what_cannot_be_served_says_why_without_paths(page):
    status, _, said = fetch(f"{page[0]}media/{OTHER}.mp4")
    assert status == 404 and said == b"private.mp4: is gone; index again"


def test_no_other_file_is_served(page):
    address, folder, _ = page
    original, proxies = folder / "original.mp4", folder / "proxies"
    (proxies / "link.mp4").symlink_to("/etc/hostname")
    paths = [
        "/etc/hostname",
        str(original),
        f"{proxies}/../original.mp4",
        f"{proxies}/link.mp4",
        app.__file__,
    ]
    for path in paths:
        for route in ("gradio_api/file=", "media/", "static/", "assets/", "svelte/", "gradio_api/upload/"):
            for told in (path, quote(path, safe=""), quote(quote(path, safe=""), safe="")):
                assert fetch_raw(address, f"/{route}{told}") in (403, 404, 405), (route, told)
    for path in (
        "../original.mp4",
        "..%2foriginal.mp4",
        "%2e%2e/original.mp4",
        "....//original.mp4",
        f"{ID}.html",
    ):
        assert fetch_raw(address, f"/media/{path}") in (403, 404), path


def test_nothing_is_fetched_on_behalf_of_others(page):
    for path in ("file=http://127.0.0.1:1/", "file=https%3A//example.org/", "proxy=http://x/"):
        assert fetch(f"{page[0]}gradio_api/{path}")[0] == 403


def test_another_site_under_this_address_is_refused(page):
    assert fetch(page[0], Host="evil.example")[0] == 403
    assert fetch(page[0], Host="localhost:1")[0] == 200


def test_a_password_guards_every_path(tmp_path, monkeypatch):
    monkeypatch.setenv(app.PASSWORD, "me:a:secret")
    blocks, address = launched(tmp_path)
    try:
        for path in ("", "config", f"media/{ID}.mp4", "gradio_api/queue/data", "assets/x"):
            status, headers, _ = fetch(address + path)
            assert status == 401 and headers["www-authenticate"].startswith("Basic"), path
        for told, status in (("me:a:secret", 200), ("me:wrong", 401), ("me:a:secret ", 401)):
            word = base64.b64encode(told.encode()).decode()
            assert fetch(address, Authorization=f"Basic {word}")[0] == status
        for broken in ("Basic ä", "Basic", "Bearer bWU6YTpzZWNyZXQ=", ""):
            assert fetch(address, Authorization=broken)[0] == 401
    finally:
        blocks.close()


def test_the_model_runs_one_at_a_time(page):
    events = [event for event in page[2].fns.values() if event.concurrency_id == "model"]
    assert len(events) >= 10 and all(event.concurrency_limit == 1 for event in events)


def test_the_page_keeps_no_history_and_cleans_up(page):
    blocks = page[2]
    assert blocks.run_history is False and blocks.delete_cache and blocks.analytics_enabled is False
    assert not blocks.share
