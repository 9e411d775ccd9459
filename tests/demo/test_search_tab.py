"""The demo's search over made-up calls: requests, cards, chips, the map, two libraries; hostile text shown as text."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import parse_qsl

import gradio as gr
import pytest

from demo.components import cards, downloads
from demo.components.page import sent
from demo.components.video_map import DRAWN
from demo.service.search_request import SearchRequest
from demo.tabs import search, side_by_side, video_map
from stan.library.video_map import Map, Place
from tests.support.fake_calls import HOSTILE, ID, OTHER, calls, refuse, results

WISH = SearchRequest(q="a cat")


# ---- what is searched for


def test_an_address_spells_a_wish_and_is_read_again():
    request = SearchRequest(
        "mine",
        "a red & a <b> + 2:c",
        gain=0.5,
        folder="x/ü",
        shortest=1.5,
        since="2026-01-31",
        region="0.1,0.4,0,1",
    )
    assert request.sides == ((0.1, 0.4), (0.0, 1.0)) and SearchRequest().sides is None
    assert SearchRequest.of(dict(parse_qsl(request.address[1:]))) == request
    assert SearchRequest(q="a").address == "?q=a"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gain", "nan"),
        ("gain", "-1"),
        ("gain", "3"),
        ("top", "0"),
        ("top", "121"),
        ("region", "0,1"),
        ("region", "0,1,0,1.1"),
        ("region", "0.5,0.4,0,1"),
        ("region", "0,nan,0,1"),
        ("top", "x"),
        ("top", [1]),
        ("top", float("inf")),
        ("start", []),
        pytest.param("gain", 10**400, id="gain-huge"),
        ("since", "soon"),
        ("since", {}),
        ("region", [0, 1]),
        ("q", "a" * 501),
        ("q", "\ud800"),
        ("q", ["a cat"]),
        ("like", "\ud800"),
        ("like", {}),
        ("library", "\ud800"),
        ("folder", "\ud800"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name} is "):
        SearchRequest.of({name: value})


@pytest.mark.parametrize("data", [None, [], "id", 1])
def test_an_event_of_another_page_tells_nothing(data):
    assert sent(SimpleNamespace(_data=data)) == {} and sent(SimpleNamespace(_data={"id": ID})) == {"id": ID}


@pytest.mark.parametrize("moment", [{"start": "1"}, {"end": "1"}, {"start": "2", "end": "1"}])
def test_half_a_moment_and_one_that_ends_before_it_starts_are_refused(moment):
    with pytest.raises(ValueError, match=r"start is .*, end is .*: a moment needs both"):
        SearchRequest.of({"like": ID, **moment})


def test_a_form_left_empty_is_no_wish():
    assert (
        SearchRequest.of({"q": "", "shortest": None, "folder": ""}) == SearchRequest()
        and not SearchRequest().asks
    )
    assert SearchRequest(like=ID).asks


# ---- results


def test_a_card_says_what_was_found():
    drawn = cards.cards(results({}), WISH)
    assert f'src="media/{ID}.webp"' in drawn and 'data-start="1.000" data-duration="4.000"' in drawn
    assert "0.500" in drawn and "90&nbsp;%" in drawn and "1.0–2.0" in drawn
    assert '<rect class="best" x="25.00" y="0" width="25.00"' in drawn


def test_cards_show_hostile_text_as_text():
    request = SearchRequest(q=HOSTILE)
    status, drawn = search.show(calls(search=lambda _: results({"name": HOSTILE}, query=HOSTILE)), request)
    for text in (status, drawn):
        assert "<img src=x" not in text and "&lt;img" in text
    outside_tags = re.sub(r"<[^<>]*>", "", drawn)
    assert "onerror" in outside_tags and "'\"" not in drawn


def test_curves_share_one_scale():
    low = {"times": [0.0, 4.0], "scores": [0.0, 0.1]}
    high = {"times": [0.0, 4.0], "scores": [0.5, 1.0]}
    drawn = cards.cards(results({"curve": low}, {"curve": high}), WISH)
    tops = [
        min(float(y) for y in re.findall(r"L[\d.]+ ([\d.]+)", path))
        for path in re.findall(r' d="(.*?)"', drawn)
    ]
    assert tops[1] == pytest.approx(0) and tops[0] == pytest.approx(
        cards.HEIGHT * (1 - 0.08 - 0.92 * 0.1), abs=0.01
    )


def test_the_still_is_the_picture_nearest_to_the_moment():
    still = lambda start, end: re.search(  # noqa: E731
        r"--still:([\d.]+)%", cards.cards(results({"start": start, "end": end, "duration": 8.0}), WISH)
    )[1]
    assert still(0.0, 1.0) == "0.0" and still(7.0, 8.0) == "100.0" and still(3.0, 4.0) == "42.9"


def downloaded(links: str, name: str) -> str:
    return base64.b64decode(re.search(rf'download="{name}" href="data:[^,]*,(.*?)"', links)[1]).decode()


def test_downloads_hold_the_results_without_paths():
    found = results({"name": "=1+1"}, {"name": "b,\n.mp4"})
    links = downloads.of_results(found, found.document())
    document = json.loads(downloaded(links, "results.json"))
    assert [one["name"] for one in document["results"]] == ["=1+1", "b,\n.mp4"] and "private" not in str(
        document
    )
    rows = list(csv.DictReader(io.StringIO(downloaded(links, "results.csv"))))
    assert [row["name"] for row in rows] == ["'=1+1", "b,\n.mp4"] and rows[0]["score"] == "0.5"
    cuts = downloaded(links, "results.edl")
    assert cuts.startswith("TITLE: a cat\r\n") and "* FROM CLIP NAME: b, .mp4\r\n" in cuts


def test_results_that_no_edit_decision_list_can_hold_have_no_link_to_one():
    found = results({"start": 359_999.0, "end": 360_001.0, "duration": 400_000.0})
    links = downloads.of_results(found, found.document())
    assert "results.csv" in links and "results.edl" not in links


def test_the_status_holds_times_and_a_link_back():
    status, _ = search.show(calls(), SearchRequest(q="a cat", gain=0.5))
    assert "encode 1.0" in status and "search 0.5" in status and "render" in status
    assert 'href="?q=a+cat&amp;gain=0.5"' in status


def test_what_others_are_like_is_named():
    like = SearchRequest(like=ID, start=1.0, end=2.0)
    status, drawn = search.show(calls(), like)
    assert "a.mp4" in status and "1.0–2.0" in status and f"?like={ID}&amp;start=1.0&amp;end=2.0" in drawn


@pytest.mark.parametrize(
    ("search_call", "asked", "says"),
    [
        (refuse, WISH, "no such thing"),
        (lambda _: results(), WISH, "stan index"),
        (lambda _: results(), SearchRequest(q="a", longest=1.0), "Filters"),
        (refuse, SearchRequest(q="  "), "query is empty"),
    ],
)
def test_a_search_without_results_says_what_to_do(search_call, asked, says):
    status, drawn = search.show(calls(search=search_call), asked)
    assert says in status and "<article" not in drawn and "<img" not in status


def test_no_good_match_is_said_and_the_nearest_shown():
    status, drawn = search.show(calls(search=lambda _: results({}, no_match=True)), WISH)
    assert "No good match" in status and "warn" in status and drawn.count("<article") == 1


def test_more_results_are_asked_for_while_there_may_be_any():
    many = calls(search=lambda request: results(*[{}] * min(request.top, 20)))
    assert 'class="more"' in search.show(many, SearchRequest(q="a"))[1]
    request, _, drawn, top = search.more_of(many, SearchRequest(q="a"))
    assert request == SearchRequest(q="a", top=18) and top == 18 and drawn.count("<article") == 18
    request, _, drawn, _ = search.more_of(many, request)
    assert drawn.count("<article") == 20 and 'class="more"' not in drawn
    assert search.more_of(many, SearchRequest(q="a", top=115))[0].top == 120
    at_most = calls(search=lambda request: results(*[{}] * request.top))
    assert 'class="more"' not in search.show(at_most, SearchRequest(q="a", top=120))[1]


NARROW = SearchRequest(q="a", folder=HOSTILE, shortest=1.5, until="2026-01-31")


def test_filters_are_shown_as_chips_even_if_nothing_is_left():
    for found in (results({}), results()):
        _, drawn = search.show(calls(search=lambda _, found=found: found), NARROW)
        assert drawn.count('class="chip"') == 3 and "1.5 s or longer ✕" in drawn and "<img src=x" not in drawn
        assert "changed until 2026-01-31" in drawn and "in &lt;img" in drawn
    assert 'class="chip' not in cards.cards(results({}), WISH)


def test_a_chip_takes_its_filter_away():
    request, status, _, *filters = search.without_filter(calls(), NARROW, "shortest")
    assert request == replace(NARROW, shortest=None) and "1 best" in status
    assert filters == [gr.skip(), None, gr.skip(), gr.skip(), gr.skip(), gr.skip()]
    assert search.without_filter(calls(), NARROW, "folder")[3] == ""
    for unknown in ("longest", "q", "None"):
        assert search.without_filter(calls(), NARROW, unknown) == [gr.skip()] * 9


@pytest.mark.parametrize(
    ("typed", "searches"),
    [("a cat", True), ("a cat -", False), ("2:", False), ("", False), ("  ", False), ("a dog", False)],
)
def test_words_are_searched_for_as_they_are_typed_once_they_can_be_read(typed, searches):
    before = SearchRequest(q="a dog")
    answer = search.as_typed(calls(), before, {"q": typed})
    if searches:
        request, status, drawn = answer
        assert request.q == typed and "a cat" in status and "<article" in drawn
    else:
        assert answer == [gr.skip()] * 3


# ---- the map


def test_the_map_shows_each_video_and_how_much_it_shows():
    drawn = video_map.show(calls(map=lambda _: Map([Place(ID, HOSTILE, 0.25, 0.75)], 0.625)), "mine")
    assert (
        '<circle cx="25.00" cy="25.00"' in drawn and "62&nbsp;%" in drawn and 'aria-label="1 video"' in drawn
    )
    assert "<img" not in drawn and "<title>&lt;img" in drawn


def test_a_large_library_has_some_of_its_points_drawn():
    many = Map([Place(ID, "a", 0.5, 0.5)] * (2 * DRAWN + 1), 1.0)
    drawn = video_map.show(calls(map=lambda _: many), "mine")
    assert drawn.count("<circle") == (2 * DRAWN + 1) // 3 + 1 and "One point in 3" in drawn


def test_without_a_map_the_reason_is_said():
    told = video_map.show(calls(map=refuse), "mine")
    assert "no such thing" in told and "<svg" not in told and "<img" not in told


# ---- side by side


def test_what_only_one_library_finds_stands_out():
    found = {
        "left": results({}, {"id": OTHER, "name": HOSTILE}),
        "right": results({"id": "2" * 16}, {}, no_match=True),
    }
    asked = []
    page = calls(search=lambda request: asked.append(request) or found[request.library])
    said, drawn = side_by_side.show(page, "a cat", "left", "right")
    assert asked == [SearchRequest(name, "a cat", top=side_by_side.TOP) for name in ("left", "right")]
    assert "1 of the first 8" in said and drawn.count('class="alone"') == 2
    left, right = drawn.split("</section>")[:2]
    assert "rank 2 in <bdi>right</bdi>" in left and "not among the first 8 in <bdi>right</bdi>" in left
    assert "rank 1 in <bdi>left</bdi>" in right and "No good match" in right and "No good match" not in left
    assert "<img src=x" not in drawn and "&lt;img" in left


@pytest.mark.parametrize(
    ("query", "says"), [(" ", "query is empty"), ("a" * 501, "500 characters"), ("a", "no such")]
)
def test_without_two_answers_the_reason_is_said(query, says):
    said, drawn = side_by_side.show(calls(search=refuse), query, "mine", "other")
    assert says in said and drawn == "" and "<img" not in said
