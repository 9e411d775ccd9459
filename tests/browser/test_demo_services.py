"""The demo over a service, and a read-only demo, in a browser."""

from __future__ import annotations

from dataclasses import replace

import pytest

from demo.service.backend import Backend
from demo.service.calls import READ_ONLY, Calls
from demo.service.services import Services
from stan.library.proxies import Proxies
from stan.library.roots import Roots
from stan.service.app import build
from stan.service.calls import LibraryCalls
from stan.service.client import Client
from stan.service.limits import Limits
from tests.support.demo_page import fits, go_to, launched, ready, search, wait_for_strips
from tests.support.service import running

pytestmark = pytest.mark.browser


def _over(service: str) -> Calls:
    return Services({"films": Client(service)}).calls()


@pytest.fixture(scope="module")
def over_a_service(folder, library):
    served = LibraryCalls(library, Roots({"more": folder / "more"}), Proxies(folder / "proxies"))
    with running(build(served, Limits())) as service, launched(_over(service)) as local:
        yield local


@pytest.fixture(scope="module")
def read_only(library):
    with launched(replace(Backend({"mine": lambda: library}).calls(), without=READ_ONLY)) as local:
        yield local


@pytest.mark.parametrize("width", [1280, 400])
def test_a_service_is_searched_seen_and_recognised(over_a_service, open_page, width):
    page = ready(open_page(over_a_service, width))
    search(page, f"a red square at {width}")
    assert page.locator("#cards .card").count() == 3
    wait_for_strips(page)
    page.locator(".play").first.click()
    page.wait_for_function("document.querySelector('#cards video')?.readyState >= 2")
    page.locator("button.quiet").first.click()
    page.locator("#search-status", has_text="best like").wait_for()
    assert page.locator(".choose, .verdict, #map:visible").count() == 0
    go_to(page, "Recognise")
    page.get_by_role("button", name="Recognise", exact=True).click()
    page.locator("#labels .bar").first.wait_for()
    assert fits(page)


def test_a_service_is_asked_to_index_an_allowed_folder(over_a_service, open_page):
    page = ready(open_page(over_a_service))
    go_to(page, "Library")
    page.get_by_label("Folder to index").click()
    page.get_by_role("option", name="more", exact=True).click()
    page.get_by_role("button", name="Index", exact=True).click()
    page.locator("#index-status .done").wait_for()
    told = page.locator("#index-status").inner_text()
    assert "0 indexed, 0 unchanged, 0 removed, 0 skipped" in told


@pytest.mark.parametrize("width", [1280, 400])
def test_a_read_only_page_searches_and_writes_nothing(read_only, open_page, folder, width):
    def files():
        return sorted((str(one), one.stat().st_mtime_ns) for one in folder.rglob("*") if one.is_file())

    before = files()
    page = ready(open_page(read_only, width))
    search(page, "a red square")
    wait_for_strips(page)
    assert page.locator(".choose, .verdict").count() == 0
    for name in ("Collections", "Marks"):
        assert page.get_by_role("tab", name=name, exact=True).count() == 0
    go_to(page, "Library")
    page.locator("#library-holds", has_text="3 videos").wait_for()
    assert page.get_by_role("button", name="Index", exact=True).count() == 0
    assert fits(page) and files() == before
