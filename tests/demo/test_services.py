"""The demo over services gives what it gives over the library itself, and says what a service keeps it from."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from demo import app
from demo.service.search_request import SearchRequest
from demo.service.services import Services
from stan.config import ModelConfig
from stan.library import Library
from stan.library.proxies import Proxies
from stan.library.roots import Roots
from stan.models.dual_encoder import build as build_model
from stan.service.access import Tokens
from stan.service.app import build
from stan.service.calls import LibraryCalls
from stan.service.client import Client, ServiceError
from stan.service.limits import Limits
from tests.support import fake_calls
from tests.support.played import shown
from tests.support.service import running
from tests.support.small_clips import write_clip

TOKEN = "0123456789abcdef"
NAME = "films"


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Library:
    root = tmp_path_factory.mktemp("services")
    (root / "videos" / "below").mkdir(parents=True)
    write_clip(root / "videos" / "red.mp4", (220, 30, 30))
    write_clip(root / "videos" / "below" / "blue.mp4", (30, 30, 220))
    torch.manual_seed(0)
    made = Library(root / "library", build_model(ModelConfig(pretrained="random"), frames=4).eval())
    made.add(root / "videos")
    return made


@pytest.fixture(scope="module")
def videos(library) -> Path:
    return Path(library.path).parent / "videos"


@pytest.fixture(scope="module")
def address(library, videos):
    calls = LibraryCalls(library, Roots({"videos": videos}), Proxies(videos.parent / "proxies"))
    with running(build(calls, Limits(), Tokens([TOKEN]))) as address:
        yield address


@pytest.fixture(scope="module")
def services(address) -> Services:
    return Services({NAME: Client(address, TOKEN)})


def known(result: dict) -> tuple:
    return result["id"], result["score"], result["start"], result["end"], result["curve"]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"q": "a red square"}, None),
        ({"q": "a red square", "gain": 0.5, "top": 1}, None),
        ({"q": "a red square", "top": 120, "longest": 1.0, "until": "2020-01-01"}, []),
        ({"q": "a red square", "folder": "videos/below", "since": "2020-01-01"}, ["below/blue.mp4"]),
    ],
)
def test_a_search_is_the_librarys(services, library, asked, names):
    found = services.search(SearchRequest(NAME, **asked))
    if names is None:
        expected = library.search(asked["q"], asked.get("top", 6), gain=asked.get("gain", 1.0))
        assert [known(one) for one in found] == [known(one) for one in expected]
    else:
        assert [one["name"] for one in found] == names


def test_videos_like_a_moment_are_the_librarys(services, library):
    [_, (_, id)] = services.videos(NAME)
    found = services.search(SearchRequest(NAME, like=id, start=0.5, end=1.0))
    expected = library.similar(id, 6, start=0.5, end=1.0)
    assert [known(one) for one in found] == [known(one) for one in expected]


def test_a_video_or_an_upload_is_recognised(services, library, videos):
    labels = ["red", "blue"]
    [_, (name, id)] = services.videos(NAME)
    assert name == "red.mp4"
    expected = library.recognise(id, labels, templates=["a {}"])["labels"]
    for video in (id, videos / "red.mp4"):
        found = services.recognise(NAME, video, labels, ["a {}"])
        assert [one["probability"] for one in found["labels"]] == pytest.approx(
            [one["probability"] for one in expected]
        )
        assert found["over_time"]["times"] and not found["calibrated"]


def test_videos_and_uploads_are_seen(services, videos):
    [_, (_, id)] = services.videos(NAME)
    upload = services.calls().admit(videos / "below" / "blue.mp4")
    for kind in ("webp", "mp4"):
        made = services.media(id, kind).read_bytes()
        assert made in [file.read_bytes() for file in (videos.parent / "proxies").glob(f"*.{kind}")]
        own = services.media(upload, kind)
        assert own.suffix == f".{kind}" and own.read_bytes() not in (b"", made)
    reds = shown(services.media(id, "mp4")).pictures[0].reshape(-1, 3).mean(0)
    blues = shown(services.media(upload, "mp4")).pictures[0].reshape(-1, 3).mean(0)
    assert reds.argmax() == 0 and blues.argmax() == 2


@pytest.mark.parametrize("id", ["0" * 16, "../../secret", "0" * 15, "é" * 16])
def test_a_visitor_cannot_name_a_path_or_a_call(services, id):
    with pytest.raises(ValueError, match="no video"):
        services.media(id, "mp4")


def test_an_allowed_folder_is_indexed_with_its_progress(services):
    told = []
    report = services.index(NAME, "videos", "below", lambda *now: told.append(now))
    assert (report["indexed"], report["unchanged"], report["skipped"]) == (0, 1, [])
    assert services.index(NAME, None, "", lambda *_: None)["unchanged"] == 2
    with pytest.raises(ServiceError, match="secret"):
        services.index(NAME, "secret", "", lambda *_: None)


def test_the_state_is_told_without_waiting(services):
    started, videos = time.monotonic(), None
    while videos is None and time.monotonic() - started < 60:
        videos = services.state(NAME).videos
        time.sleep(0.05)
    assert videos == 2 and services.state(NAME).indexing == ()
    assert services.calls().places(NAME) == ["videos", "videos/below"]


def test_a_page_over_services_has_what_they_have_calls_for(services, address):
    calls = services.calls()
    assert calls.without == {"map", "keeping", "inside", "facts"} and calls.folders == ["videos"]
    read_only = Services({NAME: Client(address, TOKEN)}, read_only=True).calls()
    assert read_only.without == calls.without | {"indexing"} and read_only.folders == []
    with pytest.raises(ValueError, match="over the library itself"):
        services.search(SearchRequest(NAME, q="a red square", region="0,1,0,1"))
    for left_out in (calls.map, calls.explain, calls.kept.marks):
        with pytest.raises(ValueError, match="over the library itself"):
            left_out(NAME)


def test_a_service_that_does_not_answer_is_named(library, videos):
    with running(build(LibraryCalls(library, Roots({})), Limits())) as address:
        services = Services({"gone": Client(address)})
        [_, (_, id)] = services.videos("gone")
        with pytest.raises(ValueError, match="gone shows no pictures: it needs stan api --pictures"):
            services.media(id, "webp")
    with pytest.raises(
        ValueError, match="the service at gone does not answer .*refused.*is stan api running"
    ):
        services.search(SearchRequest("gone", q="a red square"))
    with pytest.raises(ValueError, match="does not answer"):
        Services({"gone": Client(address)})


def test_a_wrong_token_and_an_unknown_library_are_told(address, services):
    with pytest.raises(ValueError, match="a token, please"):
        Services({NAME: Client(address, "0" * 16)})
    with pytest.raises(ValueError, match="no library 'other'"):
        services.videos("other")


@pytest.mark.parametrize("address", ["http://h:99999", "http://[", "ftp://h"])
def test_what_is_no_address_is_named(capsys, address):
    assert app.main(["--api", address]) == 2
    assert capsys.readouterr().err.startswith(f"{address} is no address of a service")


# ---- read-only pages


def components(calls) -> set[str]:
    return {one["props"].get("elem_id") for one in app.build(calls).config["components"]}


def events(calls) -> set[str]:
    dependencies = app.build(calls).config["dependencies"]
    return {event for one in dependencies for _, event in one["targets"]}


def test_a_read_only_page_has_nothing_that_writes():
    writing = {"collection", "moments", "marks-status", "index-status"}
    whole, read_only = fake_calls.calls(), fake_calls.calls(without=app.READ_ONLY)
    assert components(whole) >= writing and not components(read_only) & writing
    assert events(whole) - events(read_only) >= {"judged", "chosen"}
    assert events(read_only) >= {"typed", "similar", "more"}


def test_cards_of_a_read_only_page_have_no_buttons_that_write():
    from demo.tabs import search

    asked = SearchRequest("mine", q="a cat")
    for without, count in ((frozenset(), 1), (app.READ_ONLY, 0)):
        _, drawn = search.show(fake_calls.calls(without=without), asked)
        assert drawn.count('class="choose"') == count and drawn.count('class="verdicts"') == count
