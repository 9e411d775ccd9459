"""The demo, clicked through in Chromium over a small library and an untrained model."""

from __future__ import annotations

import pytest
import torch

from demo import app
from demo.engine import Engine
from stan.config import ModelConfig
from stan.library import Library
from stan.models.dual_encoder import build
from tests.small_clips import write_clip

pytestmark = pytest.mark.browser
NAMES = ["blue.mp4", "it's <i>green</i>.mp4".replace("/", "∕"), "red.mp4"]
COLOURS = [(30, 30, 220), (30, 220, 30), (220, 30, 30)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("demo")
    (root / "videos").mkdir()
    for name, colour in zip(NAMES, COLOURS, strict=True):
        write_clip(root / "videos" / name, colour)
    return root


@pytest.fixture(scope="module")
def address(folder):
    torch.manual_seed(0)
    library = Library(folder / "library", build(ModelConfig(pretrained="random"), frames=4))
    library.add(folder / "videos")
    engine = Engine(lambda: library, folder / "library" / "proxies")
    page = app.build(
        engine.videos, engine.search, engine.recognise, engine.attention, engine.proxy, engine.labels
    )
    settings = app.settings("127.0.0.1", None, folder / "library" / "proxies")
    _, local, _ = page.launch(**settings, prevent_thread_lock=True, quiet=True)
    yield local
    page.close()


def ready(page):
    page.get_by_text("3 videos in the library").wait_for()
    return page


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def no_video_is_broken(page) -> bool:
    page.wait_for_function("[...document.querySelectorAll('video[src]')].every(v => v.readyState >= 1)")
    return page.evaluate(
        "[...document.querySelectorAll('video[src]')].every(v => !v.error && v.duration > 0)"
    )


@pytest.mark.parametrize("width", [1280, 400])
def test_search(address, open_page, width):
    page = ready(open_page(address, width))
    assert page.locator("#search-status").inner_text().startswith("Type what should be seen")
    query = page.get_by_label("What should be seen?")
    query.fill("a <b>red</b> square moves right")
    query.press("Enter")
    page.get_by_text("best for").wait_for()
    assert "<b>red</b>" in page.locator("#search-status").inner_text()
    assert page.locator(".card:visible").count() == 3
    assert page.locator(".card:visible video").count() == 3 and no_video_is_broken(page)
    labels = page.locator(".card:visible").all_inner_texts()
    assert all(any(name in label for label in labels) for name in NAMES)
    assert page.locator(".moment:visible").count() == 3
    assert "render" in page.locator(".times").inner_text()
    assert fits(page)


def test_an_empty_query_is_answered(address, open_page):
    page = ready(open_page(address))
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_text("the query is empty").wait_for()
    assert page.locator(".card:visible").count() == 0


@pytest.mark.parametrize("width", [1280, 400])
def test_recognise_a_chosen_and_an_uploaded_video(address, open_page, folder, width):
    page = ready(open_page(address, width))
    page.get_by_role("tab", name="Recognise").click()
    page.get_by_label("Labels, one per line").fill("a red square\na blue square\n<i>neither</i>")
    page.get_by_label("Video of the library").click()
    page.get_by_role("option", name="red.mp4").click()
    button = page.get_by_role("button", name="Recognise", exact=True)
    button.click()
    page.locator("#labels .bar").nth(2).wait_for()
    shares = page.locator("#labels .chance").all_inner_texts()
    assert sum(float(share.split()[0]) for share in shares) == pytest.approx(100, abs=0.3)
    assert "<i>neither</i>" in page.locator("#labels").inner_text()
    label, share = (page.locator(f"#labels .{name}").nth(1).bounding_box() for name in ("label", "chance"))
    assert (
        abs(label["y"] + label["height"] / 2 - share["y"] - share["height"] / 2) < 12
        and label["x"] < share["x"]
    )
    assert no_video_is_broken(page) and fits(page)
    page.locator("input[type=file]").set_input_files(str(write_clip(folder / "mine.mp4", (200, 0, 200))))
    page.get_by_text("mine.mp4").wait_for()
    button.click()
    page.locator("#labels .bar").nth(2).wait_for()
    assert page.locator("video:visible").count() == 1 and no_video_is_broken(page)


def test_an_upload_that_is_no_video_is_refused(address, open_page, folder):
    page = ready(open_page(address))
    page.get_by_role("tab", name="Recognise").click()
    broken = folder / "broken.mp4"
    broken.write_bytes(b"nothing that could be played")
    page.locator("input[type=file]").set_input_files(str(broken))
    page.get_by_text("broken.mp4").wait_for()
    page.get_by_role("button", name="Recognise", exact=True).click()
    alert = page.locator("#labels [role=alert]")
    alert.wait_for()
    assert alert.inner_text().startswith("broken.mp4: is no video") and "tmp" not in alert.inner_text()


@pytest.mark.parametrize("width", [1280, 400])
def test_look_inside(address, open_page, width):
    page = ready(open_page(address, width))
    page.get_by_role("tab", name="Look inside").click()
    page.get_by_role("button", name="Look inside", exact=True).click()
    page.locator("#maps img").first.wait_for()
    assert "not an explanation" in page.locator("#attention-status").inner_text()
    assert page.locator("#maps tbody tr").count() == 3 and page.locator("#maps tbody img").count() == 3 * 8
    page.locator("#over-time img").wait_for()
    first = page.locator("#over-time img").get_attribute("src")
    row = page.get_by_label("number input for Patch row")
    assert row.input_value() == "2"
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


def test_every_control_has_a_name(address, open_page):
    page = ready(open_page(address))
    for tab in ("Search", "Recognise", "Look inside"):
        page.get_by_role("tab", name=tab).click()
        for control in page.locator("input:visible, textarea:visible, button:visible").all():
            named = "e => e.ariaLabel || e.innerText.trim() || e.title || (e.labels && e.labels.length > 0)"
            assert control.evaluate(named), control.evaluate("e => e.outerHTML")


def test_the_page_asks_nobody_else(address, chromium):
    context = chromium.new_context()
    asked = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    ready(page)
    context.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
