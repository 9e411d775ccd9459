"""The demo, clicked through in Chromium over a small library and an untrained model."""

from __future__ import annotations

import csv
import json
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zipfile import ZipFile

import pytest
import torch

from demo import app
from demo.service.backend import Backend
from stan.config import ModelConfig
from stan.library import Library
from stan.models.dual_encoder import build
from tests.support.crowd import crowd
from tests.support.small_clips import write_clip
from tests.support.visitor import Visitor

pytestmark = pytest.mark.browser
NAMES = ["blue.mp4", "it's <i>green</i> {{value}}${1}.mp4".replace("/", "∕"), "trips/red.mp4"]
COLOURS = [(30, 30, 220), (30, 220, 30), (220, 30, 30)]
TABS = ("Search", "Collections", "Marks", "Recognise", "Look inside", "Library", "Does time matter?")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo")
    (root / "videos" / "trips").mkdir(parents=True)
    (root / "more").mkdir()
    for name, colour in zip(NAMES, COLOURS, strict=True):
        write_clip(root / "videos" / name, colour)
    return root


@pytest.fixture(scope="module")
def library(folder):
    torch.manual_seed(0)
    library = Library(folder / "library", build(ModelConfig(pretrained="random"), frames=4))
    library.add(folder / "videos")
    return library


@pytest.fixture(scope="module")
def address(folder, library):
    engine = Backend({"mine": lambda: library}, folder / "library" / "proxies", [folder / "more"])
    calls = engine.calls()
    page = app.build(calls)
    _, local, _ = page.launch(**app.settings(calls), prevent_thread_lock=True, quiet=True)
    yield local
    page.close()


def ready(page):
    """The page once it shows what the library holds; patient: browser, server and model share few cores."""
    page.set_default_timeout(120_000)
    page.get_by_text("in the library").first.wait_for()
    return page


def go_to(page, name: str) -> None:
    """Opens a tab, from the menu of those that a narrow page has no room for if need be."""
    tab = page.get_by_role("tab", name=name, exact=True)
    if not tab.count():
        page.locator(".overflow-menu > button:visible").click()
        tab = page.locator(".overflow-dropdown button", has_text=name)
    tab.click()


def upload(page, file: Path) -> None:
    """Hands a file over, again where nothing comes of it: an input that is on the page may not listen yet."""
    from playwright.sync_api import TimeoutError

    for seconds in (10, 30, 80):
        page.locator("input[type=file]").set_input_files(str(file))
        with suppress(TimeoutError):
            page.get_by_text(file.name).wait_for(timeout=1000 * seconds)
            return
    raise AssertionError(f"{file.name} was handed over three times, and the page does not show it")


def search(page, words: str) -> None:
    page.get_by_label("What should be seen?").fill(words)
    page.get_by_label("What should be seen?").press("Enter")
    page.locator("#search-status b", has_text=words).wait_for()
    page.locator("#cards .card").first.wait_for()


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def wait_for_strips(page) -> None:
    page.locator("#cards").scroll_into_view_if_needed()
    page.evaluate("document.querySelectorAll('img.strip').forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.querySelectorAll('img.strip')].every(i => i.naturalWidth > 0)")


def plays_at(page, seconds: float) -> None:
    page.wait_for_function(
        "s => Math.abs(document.querySelector('.card video')?.currentTime - s) < 0.5", arg=seconds
    )


def no_video_is_broken(page) -> None:
    page.wait_for_function(
        "[...document.querySelectorAll('video[src]')].every(v => v.readyState >= 1 && v.duration > 0)"
    )


# ---- search


@pytest.mark.parametrize("width", [1280, 400])
def test_search(address, open_page, width):
    page = ready(open_page(address, width))
    assert page.locator("#search-status .message").inner_text().startswith("Type what should be seen")
    search(page, "a <b>red</b> square moves right")
    wait_for_strips(page)
    titles = page.locator(".card h3 bdi").all_inner_texts()
    assert sorted(titles) == sorted(NAMES)
    assert page.locator(".card .curve .best").count() == 3
    assert all(name in page.locator(".times").inner_text() for name in ("encode", "search", "render"))
    assert fits(page)


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


def test_an_empty_query_is_answered(address, open_page):
    page = ready(open_page(address))
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_text("The query is empty").wait_for()
    assert page.locator(".card").count() == 0


def test_a_query_that_cannot_be_read_is_answered(address, open_page):
    page = ready(open_page(address))
    page.get_by_label("What should be seen?").fill("a red square -")
    page.get_by_label("What should be seen?").press("Enter")
    page.locator("#search-status [role=alert]").wait_for()
    assert "without words" in page.locator("#search-status").inner_text()


def test_a_click_on_the_curve_plays_from_there(address, open_page):
    page = ready(open_page(address))
    search(page, "a red square")
    curve = page.locator(".card .curve").first
    box = curve.bounding_box()
    curve.click(position={"x": 0.75 * box["width"], "y": 10})
    plays_at(page, 1.5)
    curve.click(position={"x": 2, "y": 10})
    page.locator(".card video").evaluate("v => v.pause()")
    no_video_is_broken(page)
    moved = page.locator(".card .now[transform]")
    moved.first.wait_for(state="attached")  # the player tells its place when it is asked to by the browser
    assert moved.count() == 1


def test_the_keyboard_goes_everywhere(address, open_page):
    page = ready(open_page(address))
    go_to(page, "Recognise")
    page.keyboard.press("/")
    page.wait_for_function("document.activeElement.closest('#query')")
    page.keyboard.type("a red square / a blue one")
    assert page.get_by_label("What should be seen?").input_value() == "a red square / a blue one"
    page.keyboard.press("Enter")
    page.locator(".card").first.wait_for()
    page.keyboard.press("ArrowDown")
    focused = "document.activeElement.closest('.card')?.dataset.id"
    cards = page.locator(".card").evaluate_all("all => all.map(one => one.dataset.id)")
    page.wait_for_function(f"{focused} === '{cards[0]}'")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == cards[1]
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused) == cards[0]
    page.keyboard.press("Enter")
    page.locator(".card video").wait_for()
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == cards[1]


def test_more_like_this_and_like_this_moment(address, open_page):
    page = ready(open_page(address))
    search(page, "a red square")
    first = page.locator(".card").first
    name, id = first.locator("h3 bdi").inner_text(), first.get_attribute("data-id")
    first.get_by_role("button", name="More like this moment").click()
    page.get_by_text("best like").wait_for()
    assert name in page.locator("#search-status").inner_text()
    assert name not in page.locator(".card h3 bdi").all_inner_texts() and page.locator(".card").count() == 2
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["like"] == [id] and {"start", "end"} <= asked.keys() and "q" not in asked


def test_the_gain_ranks_again_without_encoding(address, open_page, library, monkeypatch):
    page = ready(open_page(address))
    search(page, "a green square turns")
    encoded = []
    for tower in ("encode_text", "encode_video"):
        monkeypatch.setattr(library.model, tower, lambda *a, tower=tower: encoded.append(tower))
    before = page.locator(".card .facts").all_inner_texts()
    gain = page.get_by_label("number input for Branch gain")
    gain.fill("0")
    gain.press("Tab")
    page.wait_for_url("**gain=0.0**")
    assert page.locator(".card .facts").all_inner_texts() != before and encoded == []


def test_an_address_runs_its_search(address, open_page):
    page = open_page(f"{address}?q=a+red+square&gain=0.5&top=2&folder=videos%2Ftrips")
    page.locator(".card").first.wait_for()
    assert page.locator(".card h3 bdi").all_inner_texts() == ["trips/red.mp4"]
    assert page.get_by_label("What should be seen?").input_value() == "a red square"
    assert page.get_by_label("number input for Branch gain").input_value() == "0.5"
    link = page.locator("a.permalink").get_attribute("href")
    assert parse_qs(link[1:]) == parse_qs("q=a+red+square&gain=0.5&top=2&folder=videos/trips")


def test_an_address_that_cannot_be_read_says_so(address, open_page):
    page = open_page(f"{address}?q=a&gain=much")
    page.get_by_text("gain is 'much'").wait_for()
    assert page.get_by_label("What should be seen?").input_value() == ""  # and nothing is searched for
    assert page.locator(".card").count() == 0


def test_downloads_hold_what_is_shown(address, open_page, tmp_path):
    page = ready(open_page(address))
    search(page, "a red square")
    shown = page.locator(".card").evaluate_all("all => all.map(one => one.dataset.id)")
    for kind in ("JSON", "CSV", "EDL"):
        with page.expect_download() as coming:
            page.get_by_role("link", name=kind).click()
        coming.value.save_as(tmp_path / coming.value.suggested_filename)
    document = json.loads((tmp_path / "results.json").read_text())
    rows = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    cuts = (tmp_path / "results.edl").read_text().splitlines()
    assert sum(line.startswith("* FROM CLIP NAME: ") for line in cuts) == len(rows)
    assert [one["id"] for one in document["results"]] == [row["id"] for row in rows] == shown
    assert "video" not in document["results"][0] and document["query"] == "a red square"


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


def test_a_video_that_is_gone_says_so_in_its_card(address, chromium, folder):
    gone = folder / "videos" / NAMES[0]
    kept = gone.rename(folder / "kept.mp4")
    shutil.rmtree(folder / "library" / "proxies", ignore_errors=True)
    page = chromium.new_page()  # its cache holds no video
    try:
        page.goto(address)
        search(ready(page), "a blue square")
        page.get_by_text("the file is gone").wait_for()
        assert page.locator(".card").count() == 3
    finally:
        page.close()
        kept.rename(gone)


# ---- marks


@pytest.mark.parametrize("width", [1280, 400])
def test_results_are_marked_and_the_marks_measured(address, open_page, folder, width):
    query = f"a <b>red</b> square at {width}"
    page = ready(open_page(address, width))
    search(page, query)
    page.locator(".verdict[data-right=true]").nth(1).click()
    page.locator(".verdict[data-right=false]").nth(0).click()
    page.get_by_text("1 right, 1 wrong").wait_for()
    pressed = page.locator(".verdict[aria-pressed=true]").evaluate_all("all => all.map(b => b.dataset.right)")
    assert pressed == ["false", "true"]
    page.locator(".verdict[data-right=false]").nth(0).click()
    page.get_by_text("1 right, 0 wrong").wait_for()
    page.reload()
    search(ready(page), query)
    page.locator(".verdict[aria-pressed=true]").wait_for()
    assert fits(page)
    go_to(page, "Marks")
    page.get_by_role("button", name="Measure", exact=True).locator("visible=true").click()
    page.locator("#recall .bar").nth(2).wait_for()
    rows = page.locator("#recall tbody tr").all_inner_texts()
    assert f"{query}\t2" in rows
    assert fits(page)


# ---- collections


@pytest.mark.parametrize("width", [1280, 400])
def test_chosen_moments_are_collected_and_cut(address, open_page, tmp_path, width):
    page = ready(open_page(address, width))
    search(page, "a red square")
    for place in range(3):
        page.locator(".choose").nth(place).click()
    page.get_by_text("chosen: 3").wait_for()
    page.locator(".choose").nth(1).click()
    page.get_by_text("chosen: 2").wait_for()
    pressed = page.locator(".choose").evaluate_all("all => all.map(b => b.ariaPressed)")
    assert pressed == ["true", "false", "true"]
    go_to(page, "Collections")
    page.locator("#moments li").nth(1).wait_for()
    page.get_by_label("Add what is shown to a collection").fill(f"<i>best</i> at {width}")
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_function(
        "name => document.querySelector('#collection input').value === name", arg=f"<i>best</i> at {width}"
    )
    page.get_by_role("button", name="Cut clips").click()
    with page.expect_download() as coming:
        page.get_by_role("link", name="Download 2 clips").click()
    coming.value.save_as(tmp_path / "clips.zip")
    with ZipFile(tmp_path / "clips.zip") as clips:
        assert len(clips.namelist()) == 2 and clips.testzip() is None
    page.get_by_role("button", name="Take out").first.click()
    page.wait_for_function("document.querySelectorAll('#moments li').length === 1")
    assert fits(page)
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("Nothing is chosen yet").wait_for()


# ---- side by side


@pytest.fixture(scope="module")
def two_libraries(folder, library):
    torch.manual_seed(1)
    other = Library(folder / "other", build(ModelConfig(pretrained="random"), frames=4))
    other.add(folder / "videos" / "trips")
    calls = Backend({"mine": lambda: library, "other": lambda: other}, folder / "library" / "proxies").calls()
    page = app.build(calls)
    _, local, _ = page.launch(**app.settings(calls), prevent_thread_lock=True, quiet=True)
    yield local
    page.close()


@pytest.mark.parametrize("width", [1280, 400])
def test_two_models_answer_side_by_side(two_libraries, open_page, width):
    page = ready(open_page(two_libraries, width))
    go_to(page, "Side by side")
    page.get_by_label("What should both find?").fill("a <b>red</b> square")
    page.get_by_label("What should both find?").press("Enter")
    page.locator("#both li").nth(3).wait_for()
    assert page.locator("#both section").evaluate_all(
        "all => all.map(s => s.querySelectorAll('li').length)"
    ) == [3, 1]
    assert page.locator("#both .alone").count() == 2
    assert page.locator("#both-status").inner_text().startswith("1 of the first 8 found by both")
    assert fits(page)
    page.get_by_label("Right").click()
    page.get_by_role("option", name="mine").click()
    page.get_by_role("button", name="Compare").click()
    page.locator("#both li").nth(5).wait_for()
    assert page.locator("#both .alone").count() == 0


# ---- recognise


@pytest.mark.parametrize("width", [1280, 400])
def test_recognise_a_chosen_and_an_uploaded_video(address, open_page, folder, width):
    page = ready(open_page(address, width))
    go_to(page, "Recognise")
    page.get_by_label("Labels, one per line").fill("a red square\na blue square\n<i>neither</i>")
    page.get_by_label("Video of the library").click()
    page.get_by_role("option", name="red.mp4").click()
    button = page.get_by_role("button", name="Recognise", exact=True)
    button.click()
    page.locator("#labels .bar").nth(2).wait_for()
    shares = page.locator("#labels .value").all_inner_texts()
    assert sum(float(share.split()[0]) for share in shares) == pytest.approx(100, abs=0.3)
    assert "<i>neither</i>" in page.locator("#labels").inner_text()
    assert page.locator("#labels .track li").count() >= 1
    no_video_is_broken(page)
    assert fits(page)
    upload(page, write_clip(folder / "mine.mp4", (200, 0, 200)))
    library_video = page.locator("#recognised video").get_attribute("src")
    button.click()
    page.wait_for_function(
        "src => document.querySelector('#recognised video').getAttribute('src') !== src", arg=library_video
    )
    no_video_is_broken(page)


def test_label_sets_and_sentences_can_be_chosen_and_edited(address, open_page):
    page = ready(open_page(address))
    go_to(page, "Recognise")
    page.get_by_label("Labels", exact=True).click()
    page.get_by_role("option", name="motions").click()
    page.wait_for_function(
        "document.querySelectorAll('#labels-text textarea')[0].value.split('\\n').length === 19"
    )
    page.get_by_role("button", name="Sentences around the labels").click()
    page.get_by_label("Ready-made").click()
    page.get_by_role("option", name="actionclip").click()
    sentences = page.locator("#sentences textarea")
    page.wait_for_function("document.querySelector('#sentences textarea').value.split('\\n').length === 16")
    sentences.fill("a video of {}")
    page.get_by_role("button", name="Recognise", exact=True).click()
    page.locator("#labels .bar").nth(9).wait_for()
    assert page.locator("#labels .bar").count() == 10


def test_an_upload_that_is_no_video_is_refused(address, open_page, folder):
    page = ready(open_page(address))
    go_to(page, "Recognise")
    broken = folder / "broken.mp4"
    broken.write_bytes(b"nothing that could be played")
    upload(page, broken)
    page.get_by_role("button", name="Recognise", exact=True).click()
    alert = page.locator("#labels [role=alert]")
    alert.wait_for()
    assert alert.inner_text().startswith("broken.mp4: is no video") and "tmp" not in alert.inner_text()


# ---- look inside, time, library


@pytest.mark.parametrize("width", [1280, 400])
def test_look_inside(address, open_page, width):
    page = ready(open_page(address, width))
    go_to(page, "Look inside")
    page.get_by_label("What should it show?").fill("a red square")
    page.get_by_label("Frames").click()
    page.get_by_role("option", name="4", exact=True).click()
    page.get_by_role("button", name="Look inside", exact=True).click()
    page.locator("#maps img").first.wait_for()
    page.locator("#explanation img").first.wait_for()
    assert page.locator("#words .bar").count() == 3
    assert "deletion" in page.locator("#explanation .plain").inner_text()
    page.get_by_label("Method").click()
    page.get_by_role("option", name="rollout (not an explanation)").click()
    page.locator("#explanation .warn", has_text="not an explanation").wait_for()
    assert "not an explanation" in page.locator("#attention-note").inner_text()
    assert page.locator("#maps tbody tr").count() == 3 and page.locator("#maps tbody img").count() == 3 * 4
    page.locator("#over-time img").wait_for()
    first = page.locator("#over-time img").get_attribute("src")
    row = page.get_by_label("number input for Patch row")
    assert row.input_value() == "2"
    page.locator("#patch").scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('#patch img').naturalWidth > 0")
    picture = page.locator("#patch img")
    box = picture.bounding_box()
    picture.click(position={"x": box["width"] / 2 + 100, "y": box["height"] / 2 + 100})
    page.wait_for_function("src => document.querySelector('#over-time img').src !== src", arg=first)
    assert row.input_value() == "4"
    maps = page.locator("#maps").inner_html()
    page.get_by_label("Head").click()
    page.get_by_role("option", name="2", exact=True).click()
    page.wait_for_function("html => document.querySelector('#maps').innerHTML !== html", arg=maps)
    assert fits(page)


@pytest.mark.parametrize("width", [1280, 400])
def test_does_time_matter(address, open_page, width):
    page = ready(open_page(address, width))
    go_to(page, "Does time matter?")
    page.get_by_role("button", name="Measure", exact=True).locator("visible=true").click()
    page.get_by_text("Write what the video shows").wait_for()
    page.get_by_label("What does it show?").fill("a red square moves to the right")
    page.get_by_label("What does it show?").press("Enter")
    page.locator("#time-bars .bar").nth(3).wait_for()
    assert (
        page.locator("#time-bars .bar").count() == 4
        and page.locator("#time-status [role=status]").count() == 1
    )
    assert fits(page)


def test_a_folder_is_indexed_from_the_page(address, open_page, folder):
    write_clip(folder / "more" / "new.mp4", (0, 200, 200))
    (folder / "more" / "<u>bad</u>.mp4".replace("/", "∕")).write_bytes(b"no video")
    page = ready(open_page(address, 400))
    go_to(page, "Library")
    page.get_by_label("Folder to index").click()
    page.get_by_role("option", name="more").click()
    page.get_by_role("button", name="Index", exact=True).click()
    page.get_by_text("skipped in").wait_for()
    told = page.locator("#index-status").inner_text()
    assert "1 indexed" in told and "1 skipped" in told and "<u>bad<" in told
    page.locator("#library-holds", has_text="4 videos").wait_for()
    assert fits(page)
    (folder / "more" / "new.mp4").unlink()
    page.get_by_role("button", name="Index", exact=True).click()
    page.locator("#library-holds", has_text="3 videos").wait_for()


# ---- all of it


def test_every_control_has_a_name(address, open_page):
    page = ready(open_page(address, 400))
    search(page, "a red square")
    for tab in TABS:
        go_to(page, tab)
        for control in page.locator("input:visible, textarea:visible, button:visible").all():
            named = "e => e.ariaLabel || e.innerText.trim() || e.title || (e.labels && e.labels.length > 0)"
            assert control.evaluate(named), control.evaluate("e => e.outerHTML")


CONTRAST = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number)
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0)
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const [r, g, b, a = 1] = parts(getComputedStyle(e).backgroundColor)
      if (a === 1) return [r, g, b]
    }
    return [255, 255, 255]
  }
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const low = new Set()
  for (let word; (word = words.nextNode());) {
    const e = word.parentElement
    if (!word.data.trim() || !e.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue
    const style = getComputedStyle(e)
    const [a, b] = [light(parts(style.color)), light(ground(e))].sort((x, y) => y - x)
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700)
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) low.add(`${word.data.trim().slice(0, 40)}: ${style.color}`)
  }
  return [...low]
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(address, open_page, theme):
    page = ready(open_page(f"{address}?__theme={theme}"))
    search(page, "a red square")
    page.mouse.move(0, 0)
    for tab in TABS:
        go_to(page, tab)
        page.wait_for_timeout(300)  # colours change over time
        assert page.evaluate(CONTRAST) == []


def test_the_page_asks_nobody_else(address, open_page):
    asked = []
    page = open_page("about:blank")
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    search(ready(page), "a red square")
    for tab in TABS:
        go_to(page, tab)
    assert any(url.startswith(address) for url in asked)
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


def test_many_search_at_once_without_error(address):
    found = crowd([Visitor(address) for _ in range(8)], seconds=3, pause=0.1)
    assert found["errors"] == [] and found["queries"] >= 8
