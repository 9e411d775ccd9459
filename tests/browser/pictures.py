"""A library and run records in, the README's pictures of demo and dashboard out: python tests/browser/pictures.py."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from stan.cli import doctor
from stan.common import servers
from tests.support.chromium import OPTIONS
from tests.support.server import PATIENCE, ROOT, served

SIZE = {"width": 1280, "height": 940}


def draw_demo(page: Page, query: str, out: Path) -> None:
    """The search tab with results."""
    page.get_by_text("videos in the library").wait_for()
    page.get_by_label("What should be seen?").fill(query)
    page.get_by_role("button", name="Search", exact=True).click()
    page.get_by_text("best for").wait_for()
    page.wait_for_function("[...document.querySelectorAll('img.strip')].every(i => i.naturalWidth > 0)")
    page.screenshot(path=out, full_page=True)


def draw_dashboard(page: Page, out: Path) -> None:
    """The ablation page with its table and its first chart."""
    page.get_by_role("heading", name="Ablation", level=1).wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    if not page.get_by_test_id("stDataFrame").count():
        raise ValueError("the dashboard has no study to show: run make ablation first")
    page.locator(".js-plotly-plot:visible").first.wait_for()
    page.screenshot(path=out)


def opened(browser: Browser, address: str) -> Page:
    page = browser.new_page(viewport=SIZE)
    page.set_default_timeout(1000 * PATIENCE)
    page.goto(address)
    return page


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", type=Path, default=ROOT / "libraries" / "world")
    parser.add_argument("--runs", type=Path, nargs="+", default=[ROOT / "runs"])
    parser.add_argument("--query", default="a red circle moves to the right")
    given = parser.parse_args()
    executable = doctor.browser()
    if executable is None:
        print(
            "no Chromium here: install your system's, or run `playwright install chromium`", file=sys.stderr
        )
        return 2
    demo, dashboard = (ROOT / "docs" / "pictures" / f"{name}.png" for name in ("demo", "dashboard"))
    for picture in (demo, dashboard):
        picture.parent.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=list(OPTIONS))
        with served(servers.demo_command([given.library])) as (address, _):
            draw_demo(opened(browser, address), given.query, demo)
        with served(servers.dashboard_command(given.runs)) as (address, _):
            draw_dashboard(opened(browser, f"{address}/ablation"), dashboard)
    return 0


if __name__ == "__main__":
    sys.exit(main())
