"""Every route answers what the library itself answers, without telling where anything lies."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from stan.library.proxies import Proxies
from stan.library.roots import Roots
from stan.service.calls import LibraryCalls
from tests.service.conftest import COLOURS

CLIP = {"content-type": "video/mp4"}


@pytest.fixture
def ids(library) -> dict[str, str]:
    return {entry.name: entry.id for entry in library.entries()}


def test_the_library_names_its_folders(api):
    about = api.get("/v1/library").json()
    assert about == {
        "model": "DualEncoder",
        "videos": 3,
        "folders": ["videos", "videos/below"],
        "may_be_indexed": ["videos"],
        "pictures": True,
    }


def test_videos_come_in_pages_and_by_folder(api, ids):
    whole = api.get("/v1/videos").json()
    assert whole["total"] == 3 and [one["name"] for one in whole["videos"]] == sorted(COLOURS)
    assert {one["name"]: one["id"] for one in whole["videos"]} == ids
    assert api.get("/v1/videos?first=1&count=1").json()["videos"] == whole["videos"][1:2]
    below = api.get("/v1/videos?folder=videos/below").json()
    assert (below["total"], [one["name"] for one in below["videos"]]) == (1, ["below/blue.mp4"])
    assert api.get(f"/v1/videos/{ids['red.mp4']}").json() == whole["videos"][2]


def test_a_search_finds_what_the_library_finds(api, library):
    query = "a red square + moving up - blue"
    found = api.post("/v1/search", json={"query": query, "top": 2, "gain": 0.5}).json()
    expected = library.search(query, 2, gain=0.5)
    assert [(one["id"], one["score"], one["start"], one["end"]) for one in found["results"]] == [
        (one["id"], one["score"], one["start"], one["end"]) for one in expected
    ]
    assert (found["query"], found["no_match"]) == (query, expected.no_match)
    assert {one["folder"] for one in found["results"]} == {"videos"}


def test_a_search_keeps_to_its_conditions(api):
    def names(**where):
        found = api.post("/v1/search", json={"query": "a square", "where": where}).json()
        return sorted(one["name"] for one in found["results"])

    assert names(folder="videos/below") == ["below/blue.mp4"]
    assert names(longest=1.0) == [] and names(shortest=1.0) == sorted(COLOURS)
    assert names(since="2000-01-01") == sorted(COLOURS) and names(until="2000-01-01") == []


def test_moments_are_those_of_the_library(api, library):
    found = api.post("/v1/moments", json={"query": "a red square"}).json()["moments"]
    expected = library.moments("a red square")
    kept = ("id", "score", "start", "end", "duration")
    assert [[one[name] for name in kept] for one in found] == [
        [one[name] for name in kept] for one in expected
    ]


def test_similar_videos_of_the_library_and_of_an_upload(api, ids, folder):
    of_library = api.post("/v1/similar", json={"to": ids["red.mp4"], "start": 0.0, "end": 1.0}).json()
    assert sorted(one["name"] for one in of_library["results"]) == ["below/blue.mp4", "green.mp4"]
    clip = (folder / "red.mp4").read_bytes()
    uploaded = api.post("/v1/similar/upload?top=1", content=clip, headers=CLIP).json()
    assert [one["name"] for one in uploaded["results"]] == ["red.mp4"]
    assert uploaded["results"][0]["score"] == pytest.approx(1, abs=1e-4)


def test_a_picture_is_searched_by(api, tmp_path):
    from PIL import Image

    Image.new("RGB", (64, 64), (220, 30, 30)).save(tmp_path / "red.png")
    picture = (tmp_path / "red.png").read_bytes()
    found = api.post("/v1/similar/upload", content=picture, headers={"content-type": "image/png"})
    assert found.status_code == 200 and len(found.json()["results"]) == 3


def test_recognised_labels_are_those_of_the_library(api, library, ids, folder):
    asked = {"video": ids["red.mp4"], "labels": ["red", "blue"], "templates": ["a {} square", "{}"]}
    found = api.post("/v1/recognise", json=asked).json()
    expected = library.recognise(ids["red.mp4"], ["red", "blue"], templates=["a {} square", "{}"])
    assert [(one["label"], one["probability"]) for one in found["labels"]] == [
        (one["label"], one["probability"]) for one in expected["labels"]
    ]
    by_upload = api.post(
        "/v1/recognise/upload?label=red&label=blue&template={}",
        content=(folder / "red.mp4").read_bytes(),
        headers=CLIP,
    ).json()
    assert by_upload["video"] == "upload"
    assert {one["label"] for one in by_upload["labels"]} == {"red", "blue"}


def test_an_explanation_is_that_of_the_model(api, library, ids, folder):
    from stan.explain import explain

    found = api.post(
        "/v1/explain", json={"video": ids["red.mp4"], "query": "a red square", "frames": 2}
    ).json()
    expected = explain(library.model, folder / "red.mp4", "a red square", 2).document()
    assert found == json.loads(json.dumps(expected))


def test_a_model_that_judges_pairs_tells_matches(api, library, monkeypatch):
    assert api.post("/v1/search", json={"query": "a"}).json()["results"][0]["match"] is None
    import torch

    monkeypatch.setattr(library.model.clip, "logit_bias", torch.nn.Parameter(torch.tensor(-2.0)))
    monkeypatch.setattr(library.model, "judges_pairs", True)
    assert 0 < api.post("/v1/search", json={"query": "a"}).json()["results"][0]["match"] < 1


def test_videos_are_seen_small_and_without_their_places(api, ids, library_calls):
    id, made = ids["red.mp4"], library_calls.pictures.folder
    for call, kind, type in (("strip", "webp", "image/webp"), ("playback", "mp4", "video/mp4")):
        reply = api.get(f"/v1/videos/{id}/{call}")
        assert reply.content in [file.read_bytes() for file in made.glob(f"*.{kind}")]
        assert reply.headers["content-type"] == type and "content-disposition" not in reply.headers
    late = api.get(f"/v1/videos/{id}/playback?part=9")
    assert (late.status_code, late.json()) == (422, {"error": "the video ends before its part 9"})
    assert api.get("/v1/videos/0000000000000000/strip").status_code == 404


def test_a_video_whose_file_is_gone_is_not_seen(client, library, tmp_path):
    gone = SimpleNamespace(entry=lambda id: replace(library.entry(id), path=str(tmp_path / "gone.mp4")))
    reply = client(LibraryCalls(gone, Roots({}), Proxies(tmp_path))).get(
        f"/v1/videos/{library.entries()[0].id}/strip"
    )
    assert reply.status_code == 404 and "index its folder again" in reply.json()["error"]


def test_nothing_is_seen_unless_that_was_allowed(client, library, ids):
    closed = client(LibraryCalls(library, Roots({})))
    assert closed.get("/v1/library").json()["pictures"] is False
    assert closed.get(f"/v1/videos/{ids['red.mp4']}/strip").status_code == 404


def test_metrics_count_by_route_and_nothing_else(api):
    api.get("/v1/videos/0000000000000000")
    api.get("/v1/no/such/route")
    told = api.get("/metrics").text
    assert 'stan_requests_total{route="video",status="404"} 1.0' in told
    assert 'stan_requests_total{route="other",status="404"} 1.0' in told
    assert "no/such" not in told
    assert 'stan_calls{lane="quick",state="running"} 0.0' in told
