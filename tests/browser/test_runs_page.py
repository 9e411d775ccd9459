"""Made-up runs in; the page *Runs* in Chromium: grouped, compared, marked, thrown away, shared, narrow and dark."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from stan.bench.fake_runs import experiment
from stan.common.servers import dashboard_command, free_port
from stan.results import marks, run_folders, saved_views, trash
from tests.browser.test_dashboard import overflow, settled
from tests.support.made_up_runs import write_study
from tests.support.server import served

pytestmark = pytest.mark.browser

FIRST_LINE, LINE = 54, 35
"""Pixels from the table's top to the middle of its first line, and from line to line."""
MINE = "filter=mine"
"""The runs of a test, without those that come with the package: they have this tag."""


def written(root: Path) -> Path:
    write_study(root, seeds=(0, 1), rows=("baseline", "branch", "stan"))
    for folder in run_folders(root):
        marks.write(root, folder.relative_to(root).as_posix(), marks.Marks(("mine",)))
    return root


@pytest.fixture
def root(tmp_path) -> Path:
    """Runs of the test's own, which it may change."""
    return written(tmp_path / "runs")


@pytest.fixture
def own_address(root):
    with served(dashboard_command([root], free_port(0))) as (address, _):
        yield address


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The dashboard over runs that no test changes."""
    root = written(tmp_path_factory.mktemp("unchanged") / "runs")
    with served(dashboard_command([root], free_port(0))) as (address, _):
        yield address


def tick(page, line: int) -> None:
    page.locator(".st-key-runs .dvn-scroller").click(position={"x": 16, "y": FIRST_LINE + LINE * line})


def opened(page):
    return settled(page, "Runs")


def test_a_ticked_group_becomes_the_baseline_of_all(address, open_page):
    page = opened(open_page(f"{address}/runs?group=row&{MINE}", height=1600))
    page.locator(".st-key-groups .js-plotly-plot").wait_for()
    tick(page, 0)
    page.get_by_role("button", name="Compare all with this").click()
    page.locator(".st-key-against .js-plotly-plot").wait_for()
    assert "baseline=" in page.url
    page.reload()
    page.locator(".st-key-against .js-plotly-plot").wait_for()
    page.get_by_role("button", name="Without baseline").click()
    page.locator(".st-key-against").wait_for(state="detached")
    page.wait_for_url(lambda url: "baseline=" not in url)


def test_ticks_stay_with_their_runs_when_lines_move(address, open_page):
    page = opened(open_page(f"{address}/runs?filter=components/stan", height=1600))
    tick(page, 0)
    run = experiment("stan", 0).id
    page.get_by_role("heading", name=run).wait_for()
    page.get_by_label("Filter", exact=True).fill("components/")
    page.keyboard.press("Enter")
    page.wait_for_url("**filter=components%2F&**")
    opened(page)
    page.get_by_role("heading", name=run).wait_for()
    assert page.get_by_role("button", name="With 1 run").count() == 1


def test_runs_go_into_the_trash_and_come_back(own_address, open_page, root):
    runs = [experiment("stan", seed).id for seed in (0, 1)]
    page = opened(open_page(f"{own_address}/runs?{'&'.join(f'run={run}' for run in runs)}", height=1600))
    page.get_by_role("button", name="With 2 runs").click()
    page.get_by_role("button", name="Move to the trash").click()
    page.get_by_text("2 runs moved to the trash.").wait_for()
    assert len(list(trash.content(root))) == 2 and not (root / runs[0]).exists()
    page.get_by_text("Trash: 2 runs").click()
    page.locator(".st-key-trash .dvn-scroller").click(position={"x": 16, "y": FIRST_LINE})
    page.get_by_role("button", name="Bring back").click()
    page.get_by_text("1 run brought back.").wait_for()
    assert sum((root / run).exists() for run in runs) == 1


def test_tags_are_edited_in_the_table(own_address, open_page, root):
    run = experiment("baseline", 0).id
    page = opened(open_page(f"{own_address}/runs?edit=true&filter={run}"))
    grid = page.locator("[data-testid=stDataFrame] .dvn-scroller").first
    grid.click(position={"x": 380, "y": FIRST_LINE})
    page.keyboard.press("Enter")
    page.locator("#portal").locator("textarea, input").first.fill("odd, paper")
    page.keyboard.press("Enter")
    for _ in range(100):
        if marks.of_run([root], run).tags != ("mine",):
            break
        page.wait_for_timeout(100)
    assert marks.of_run([root], run).tags == ("odd", "paper")


def test_the_table_is_used_by_keyboard(address, open_page):
    page = opened(open_page(f"{address}/runs", height=1600))
    page.locator(".st-key-runs .dvn-scroller").click(position={"x": 200, "y": FIRST_LINE})
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+Space")
    page.get_by_role("button", name="With 1 run").wait_for()
    page.wait_for_url("**run=components**")
    [ticked] = parse_qs(urlsplit(page.url).query)["run"]
    assert ticked.startswith("components/")


def test_a_kept_view_is_opened_again(own_address, open_page, root):
    page = opened(open_page(f"{own_address}/runs?group=row&filter=s0"))
    page.get_by_role("button", name="Saved views").click()
    page.get_by_label("Name", exact=True).fill("by <b>row</b>")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Keep this view").click()
    page.get_by_role("button", name="by <b>row</b>").wait_for()
    assert saved_views.read(root)["by <b>row</b>"]["group"] == ["row"]
    other = opened(open_page(f"{own_address}/runs?filter=motions"))
    other.get_by_role("button", name="Saved views").click()
    other.get_by_role("button", name="by <b>row</b>").click()
    other.wait_for_url("**group=row**")
    other.locator(".st-key-groups .js-plotly-plot").wait_for()
    assert other.get_by_label("Filter", exact=True).input_value() == "s0"


def test_the_shared_page_opens_without_the_server(root, open_page, tmp_path):
    with served(dashboard_command([root], free_port(0))) as (address, _):
        page = opened(open_page(f"{address}/runs?group=row&baseline=baseline&{MINE}"))
        with page.expect_download() as download:
            page.get_by_role("button", name="Share as one page").click()
        download.value.save_as(tmp_path / "shared.html")
    shared = open_page((tmp_path / "shared.html").as_uri(), width=400)
    assert shared.get_by_role("cell", name="stan", exact=True).count() == 1
    widths = shared.locator("img").evaluate_all("all => all.map(image => image.naturalWidth)")
    assert len(widths) == 2 and min(widths) > 100
    assert shared.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert shared.evaluate("document.scripts.length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_groups_and_their_charts_fit_the_screen(address, open_page, width, scheme):
    page = open_page("about:blank", width=width)
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{address}/runs?group=row&group=train.lr&baseline=baseline%20%C2%B7%200.001&{MINE}")
    opened(page)
    for key in ("groups", "against"):
        page.locator(f".st-key-{key} .js-plotly-plot").wait_for()
    page.get_by_text("Columns, groups and order").first.click()
    page.get_by_role("radio", name="Markdown").click()
    page.get_by_test_id("stCode").first.wait_for()
    assert overflow(page) <= 0
    bright = page.locator("[data-testid=stApp]").evaluate(
        "app => getComputedStyle(app).backgroundColor.match(/\\d+/g).slice(0, 3).every(part => part > 127)"
    )
    assert bright is (scheme == "light")
