"""What is marked, collected and compared in the demo."""

from __future__ import annotations

from zipfile import ZipFile

import pytest
import torch

from demo.service.backend import Backend
from stan.config import ModelConfig
from stan.library import Library
from stan.models.dual_encoder import build
from tests.support.demo_page import fits, go_to, launched, ready, search

pytestmark = pytest.mark.browser


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
    backend = Backend({"mine": lambda: library, "other": lambda: other}, folder / "library" / "proxies")
    with launched(backend.calls()) as local:
        yield local


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
