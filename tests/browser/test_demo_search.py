"""Searching in the demo: as one types, with filters as chips, for more, and in a part of the map."""

from __future__ import annotations

import threading

import pytest

from tests.support.demo_page import fits, ready, search

pytestmark = pytest.mark.browser


def test_words_are_searched_for_as_they_are_typed(address, open_page):
    page = ready(open_page(address))
    page.get_by_label("What should be seen?").press_sequentially("a red square", delay=20)
    page.locator("#search-status b", has_text="a red square").wait_for()
    page.get_by_label("What should be seen?").press_sequentially(" -", delay=20)
    page.wait_for_timeout(600)
    assert page.locator("#search-status b", has_text="a red square").count() == 1
    assert page.locator("#search-status [role=alert]").count() == 0


def test_a_search_that_waits_is_cancelled_when_typing_goes_on(address, open_page, library, monkeypatch):
    page = ready(open_page(address))
    run, entered, go = [], threading.Event(), threading.Event()
    whole = library.search

    def slow(query, *arguments, **options):
        run.append(query)
        entered.set()
        go.wait(60)
        return whole(query, *arguments, **options)

    monkeypatch.setattr(library, "search", slow)
    field = page.get_by_label("What should be seen?")
    field.fill("first")
    assert entered.wait(60)
    with page.expect_request(lambda request: "queue/join" in request.url):
        field.fill("second")
    with page.expect_request(lambda request: "queue/join" in request.url):
        field.fill("third")
    go.set()
    page.locator("#search-status b", has_text="third").wait_for()
    assert run == ["first", "third"]


def test_filters_that_leave_nothing_say_what_to_do(address, open_page):
    page = ready(open_page(address))
    search(page, "a red square")
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("At least (seconds)").fill("100")
    page.get_by_text("No video passes the filters").wait_for()
    assert page.locator(".card").count() == 0


def test_more_results_are_loaded_on_demand(address, open_page):
    page = open_page(f"{address}?q=a+red+square&top=1")
    page.locator(".card").first.wait_for()
    assert page.locator(".card").count() == 1
    page.get_by_role("button", name="More results").click()
    page.wait_for_function("document.querySelectorAll('.card').length === 3")
    assert page.get_by_role("button", name="More results").count() == 0
    assert page.get_by_label("number input for Results").input_value() == "13" and "top=13" in page.url


@pytest.mark.parametrize("width", [1280, 400])
def test_a_filter_is_a_chip_that_can_be_removed(address, open_page, width):
    page = open_page(f"{address}?q=a+red+square&shortest=100&folder=videos%2Ftrips", width)
    page.get_by_text("No video passes the filters").wait_for()
    page.get_by_role("button", name="Remove the filter: 100 s or longer").click()
    page.locator(".card").first.wait_for()
    assert page.locator(".card h3 bdi").all_inner_texts() == ["trips/red.mp4"]
    page.get_by_role("button", name="Remove the filter: in videos/trips").click()
    page.wait_for_function("document.querySelectorAll('.card').length === 3")
    assert "folder" not in page.url and fits(page)
    page.get_by_role("button", name="Filters").click()
    assert page.get_by_label("At least (seconds)").input_value() == ""


@pytest.mark.parametrize("width", [1280, 400])
def test_a_rectangle_on_the_map_narrows_the_search(address, open_page, width):
    page = ready(open_page(address, width))
    search(page, "a red square")
    page.get_by_role("button", name="Map of the library").click()
    page.locator("#map circle").nth(2).wait_for()
    spots = page.locator("#map circle").evaluate_all(
        "all => all.map(c => [c.cx, c.cy].map(a => a.baseVal.value))"
    )
    ground = page.locator("#map svg")
    ground.scroll_into_view_if_needed()
    box = ground.bounding_box()
    x, y = (box[side] + spots[0][axis] / 100 * box["width"] for axis, side in enumerate("xy"))
    assert min(abs(a[0] - spots[0][0]) + abs(a[1] - spots[0][1]) for a in spots[1:]) > 20
    page.mouse.move(x - 15, y - 15)
    page.mouse.down()
    page.mouse.move(x + 15, y + 15, steps=3)
    page.mouse.up()
    page.get_by_role("button", name="Remove the filter: in a part of the map").wait_for()
    name = page.locator("#map circle title").first.evaluate("title => title.textContent")
    assert page.locator(".card h3 bdi").all_inner_texts() == [name] and "region=" in page.url
    assert fits(page)
    page.get_by_role("button", name="Remove the filter").click()
    page.wait_for_function("document.querySelectorAll('.card').length === 3")
    page.wait_for_function("document.querySelector('#map .brush').width.baseVal.value === 100")
