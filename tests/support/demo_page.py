"""The demo's page in a browser in; the page once it is ready, searched or at another tab, out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from demo import app
from demo.service.calls import Calls

NAMES = ["blue.mp4", "it's <i>green</i> {{value}}${1}.mp4".replace("/", "∕"), "trips/red.mp4"]
"""The small library's videos; one is named to be mistaken for HTML or a template."""


@contextmanager
def launched(calls: Calls) -> Iterator[str]:
    """Yield the address of the page over these calls."""
    page = app.build(calls)
    _, local, _ = page.launch(**app.settings(calls), prevent_thread_lock=True, quiet=True)
    try:
        yield local
    finally:
        page.close()


def ready(page):
    """The page once it shows what the library holds; patient: browser, server and model share few cores."""
    page.set_default_timeout(120_000)
    page.get_by_text("in the library").first.wait_for()
    return page


def go_to(page, name: str) -> None:
    """Opens a tab, from the menu of those that a narrow page has no room for if need be.

    After a change, tabs move in and out of the menu: it is clicked wherever it is by then.
    """
    tab = page.get_by_role("tab", name=name, exact=True)
    if not tab.count():
        page.locator(".overflow-menu > button:visible").click()
    tab.or_(page.locator(".overflow-dropdown button", has_text=name)).click()


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
