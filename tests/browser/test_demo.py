"""The demo, clicked through in Chromium over a small library and an untrained model."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.crowd import crowd
from tests.support.demo_page import NAMES, fits, go_to, ready, search, wait_for_strips
from tests.support.small_clips import write_clip
from tests.support.visitor import Visitor

pytestmark = pytest.mark.browser
TABS = ("Search", "Collections", "Marks", "Recognise", "Look inside", "Library", "Does time matter?")


def upload(page, file: Path) -> None:
    """Hands a file over. While it is sent, the page shows its name; after that, a row with stem and ending apart."""
    page.locator("input[type=file]").set_input_files(str(file))
    page.locator(".file-preview", has_text=file.stem).wait_for()


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
