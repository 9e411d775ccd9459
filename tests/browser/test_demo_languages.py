"""The demo in its visitors' languages: what the browser translates and what the server writes are in the same one."""

from __future__ import annotations

import re

import pytest

from demo.languages import LANGUAGES
from tests.support.demo_page import fits, go_to
from tests.support.small_clips import write_clip

pytestmark = pytest.mark.browser
TABS = ("Search", "Collections", "Marks", "Recognise", "Look inside", "Library", "Does time matter?")
SAID = """() => {
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), said = []
  for (let word; (word = words.nextNode());)
    if (!word.parentElement.closest('script, style')) said.push(word.data)
  for (const one of document.body.querySelectorAll('*')) {
    for (const name of ['aria-label', 'placeholder', 'title', 'alt']) said.push(one.getAttribute(name) ?? '')
    if (one.matches('input, textarea')) said.push(one.value)
  }
  return said.map((one) => one.trim()).filter(Boolean)
}"""
"""All texts of the page, shown or not, and what screen readers say."""


def english(texts: dict[str, str | list[str]]) -> re.Pattern[str]:
    """What matches the English of a text, or of what lies between two of its tags; not where it is the translation."""
    parts = {
        part.strip(" :,;.()")
        for key, said in texts.items()
        for part in re.split(r"</?\w+>|[*`|\n]+", key)
        if part not in (said if isinstance(said, str) else "".join(said))
    }
    worded = [part for part in parts if re.search(r"\w\w", re.sub(r"\{\w+\}", "", part))]
    return re.compile("|".join(re.sub(r"\\\{\w+\\\}", r"\\S+", re.escape(part)) for part in worded))


@pytest.fixture
def visit(chromium, address):
    """visit(locale, header=None, width=1280) -> the page, opened by a visitor with this language, once it is ready."""
    contexts = []

    def one(locale: str, header: str | None = None, width: int = 1280):
        headers = {"Accept-Language": header} if header else {}
        context = chromium.new_context(
            locale=locale, extra_http_headers=headers, viewport={"width": width, "height": 900}
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.goto(address)
        page.locator("#library-status", has_text=re.compile(r"\d")).wait_for()
        return page

    yield one
    for context in contexts:
        context.close()


def search(page, words: str) -> None:
    page.locator("#query textarea, #query input").fill(words)
    page.locator("#query textarea, #query input").press("Enter")
    page.locator("#search-status b", has_text=words).wait_for()
    page.locator("#cards .card").first.wait_for()


def press(page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).locator("visible=true").click()


def use(page, texts: dict[str, str], query: str) -> None:
    """Search, choose, mark, open what is folded, and use every tab, until each has written what it has to say."""
    search(page, query)
    page.locator(".choose").first.click()
    page.locator("#kept-status .message").wait_for()
    page.locator(".verdict[data-right=true]").first.click()
    page.locator("#kept-status", has_text="; ").wait_for()
    for folded in ("Filters", "Map of the library", "How to ask"):
        press(page, f"{texts[folded]} ▼")
    page.locator("#map circle").first.wait_for()
    go_to(page, texts["Collections"])
    press(page, texts["Cut clips"])
    page.locator("#cut-status a").wait_for()
    go_to(page, texts["Marks"])
    press(page, texts["Measure"])
    page.locator("#recall .bar").nth(2).wait_for()
    go_to(page, texts["Recognise"])
    press(page, texts["Recognise"])
    page.locator("#labels .bar").first.wait_for()
    go_to(page, texts["Look inside"])
    page.locator("#inside-query textarea, #inside-query input").fill("a red square")
    press(page, texts["Look inside"])
    page.locator("#over-time img").wait_for()
    go_to(page, texts["Library"])
    press(page, texts["Index"])
    page.locator("#index-status table").wait_for()
    go_to(page, texts["Does time matter?"])
    page.locator("#time-query textarea, #time-query input").fill("a red square")
    press(page, texts["Measure"])
    page.locator("#time-bars .bar").nth(3).wait_for()


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize(("locale", "language"), [("de-DE", "de"), ("zh-CN", "zh-CN")])
def test_no_english_is_left(visit, folder, locale, language, width):
    (folder / "videos" / "broken.mp4").write_bytes(b"no video")
    texts = LANGUAGES[language].texts
    page = visit(locale, width=width)
    assert page.evaluate("document.documentElement.lang") == language
    use(page, texts, f"a red square in {language} at {width}")  # marks are shared, and a second press unmarks
    left = english(texts)
    for tab in TABS:
        go_to(page, texts[tab])
        assert [said for said in page.evaluate(SAID) if left.fullmatch(said.strip(" :,;.()"))] == []
        assert fits(page)


@pytest.mark.parametrize(
    ("locale", "header", "language"),
    [
        ("fr-CA", None, "fr"),
        ("es-ES", None, "es"),
        ("en-US", None, "en"),
        ("pl-PL", None, "en"),
        ("zh-TW", None, "en"),
        ("pl-PL", "pl-PL,pl;q=0.9,de;q=0.8", "en"),
        ("de-CH", "de-CH,fr;q=0.9", "de"),
    ],
)
def test_labels_and_what_is_written_are_in_one_language(visit, locale, header, language):
    texts = LANGUAGES[language].texts if language in LANGUAGES else {}
    said = lambda text: texts.get(text, text)  # noqa: E731
    page = visit(locale, header)
    assert page.evaluate("document.documentElement.lang") == language
    for tab in TABS:
        assert page.get_by_role("tab", name=said(tab), exact=True).count() == 1
    assert page.get_by_role("button", name=said("Search"), exact=True).count() == 1
    search(page, "a red square")
    assert page.locator("#search-status a.permalink").inner_text() == said("Link to this search")
    assert page.locator(".card .choose").first.inner_text() == said("Choose")


def test_an_address_that_cannot_be_read_says_so_in_german(visit, address):
    page = visit("de-DE")
    page.goto(f"{address}?q=a&gain=much")
    page.get_by_text("Die Adresse ist nicht lesbar: gain ist 'much'").wait_for()
    assert page.locator("#query textarea, #query input").input_value() == ""


def test_a_video_that_is_gone_says_so_in_german(visit, folder, library):
    gone = write_clip(folder / "videos" / "gone.mp4", (90, 90, 0))
    library.add(folder / "videos")
    gone.unlink()
    page = visit("de-DE")
    search(page, "a red square")
    page.locator("#cards").scroll_into_view_if_needed()
    page.get_by_text("die Datei ist nicht mehr da").wait_for()
    assert page.locator(".card").count() == 4
