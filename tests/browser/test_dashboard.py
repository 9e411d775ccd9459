"""Made-up runs in; the dashboard as a reader meets it in Chromium: clicks, addresses, narrow screens."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboard.views import VIEWS
from stan.bench.fake_runs import experiment
from stan.common.servers import dashboard_command, free_port
from stan.results import lock
from stan.results.provenance import host
from tests.support.made_up_runs import write_interpolation, write_probe, write_run, write_study
from tests.support.server import served

pytestmark = pytest.mark.browser

PAGES = ("", *VIEWS[1:])


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("dashboard") / "runs"


@pytest.fixture(scope="module")
def address(root) -> Iterator[str]:
    """The dashboard, served over made-up runs, one of them under way."""
    write_study(root)
    write_study(root, "motions", seeds=(0,))
    running = keep_running(write_run(root, experiment("stan", 9), "running"))
    write_probe(root / experiment("stan", 0).id)
    write_interpolation(root / experiment("stan", 0).id)
    try:
        with served(dashboard_command([root], free_port(0))) as (address, _):
            yield address
    finally:
        lock.release(running)


def keep_running(folder: Path) -> int:
    """Makes a run that says `running` one of this process, as long as the lock that comes back isn't released."""
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(record | {"host": host()}))
    return lock.acquire(folder)


def overflow(page) -> int:
    """Pixels by which the page is wider than the screen."""
    return page.evaluate(
        """() => Math.max(...[document.documentElement, ...document.querySelectorAll('[data-testid=stMain]')]
        .map(part => part.scrollWidth - part.clientWidth))"""
    )


def settled(page, title: str):
    """The page, once its heading stands and the script behind it has run."""
    page.get_by_role("heading", name=title, level=1).wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    assert page.get_by_test_id("stException").count() == 0
    return page


def test_the_pages_are_reached_by_clicking(address, open_page):
    page = settled(open_page(address), "What carries CLIP over to video?")
    for link, title in (
        ("Live", "Live"),
        ("Ablation", "Ablation"),
        ("Runs", "Runs"),
        ("Lost queries", "Lost queries"),
        ("Frame order", "Frame order"),
        ("Kept knowledge", "Kept knowledge"),
        ("Benchmarks", "Benchmarks"),
        ("Methods", "Methods"),
        ("Speed", "Speed"),
    ):
        page.get_by_role("link", name=link, exact=True).first.click()
        settled(page, title)
        assert page.url.endswith(f"/{link.lower().replace(' ', '_')}")


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_the_screen_and_asks_for_nothing_from_outside(address, open_page, name, width):
    page, asked = open_page("about:blank", width=width), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/{name}")
    page.locator("h1").wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    assert overflow(page) <= 0
    assert any(url.startswith(address) for url in asked)
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


def test_a_running_job_shows_its_progress(address, open_page):
    page = settled(open_page(address), "What carries CLIP over to video?")
    assert re.search("epoch [45] of", page.get_by_test_id("stProgress").inner_text())


def test_a_run_that_starts_is_counted_on_the_open_page(root, address, open_page):
    page = settled(open_page(address), "What carries CLIP over to video?")
    running = page.get_by_test_id("stMetric").filter(has_text="running")
    assert running.inner_text().split() == ["running", "1"]
    folder = write_run(root, experiment("stan", 8), "running")
    started = keep_running(folder)
    try:
        running.filter(has_text="2").wait_for()
    finally:
        lock.release(started)
        shutil.rmtree(folder)


def test_the_ablation_draws_its_plots_and_its_table(address, open_page):
    page = settled(open_page(f"{address}/ablation", height=3200), "Ablation")
    page.locator(".js-plotly-plot .legendtext", has_text="better").wait_for()
    for key in ("forest", "knowledge", "order", "kinds"):
        page.locator(f".st-key-{key} .js-plotly-plot").wait_for()
    assert page.get_by_test_id("stDataFrame").first.locator("canvas").count() > 0
    cells = page.get_by_test_id("stDataFrame").first.locator("td", has_text="stan")
    cells.first.wait_for(state="attached")  # drawn first, written out for readers after that
    assert "stan" in cells.all_inner_texts()


def test_choices_stand_in_the_address_and_survive_a_reload(address, open_page):
    page = settled(open_page(f"{address}/ablation"), "Ablation")
    page.get_by_role("combobox", name=re.compile("Compared with")).click()
    page.get_by_role("option", name="posterior", exact=True).click()
    page.get_by_role("heading", name="Change against posterior").wait_for()
    page.wait_for_url("**baseline=posterior**")
    page.reload()
    page.get_by_role("heading", name="Change against posterior").wait_for()
    assert "baseline=posterior" in page.url


def test_a_method_s_picture_follows_the_choice(address, open_page):
    page = settled(open_page(f"{address}/methods?method=aim", width=400), "Methods")
    page.get_by_role("heading", name="AIM", exact=True).wait_for()
    picture = page.locator("[data-testid=stImage] img")
    picture.wait_for()
    before = picture.get_attribute("src")
    chosen = page.get_by_role("combobox", name=re.compile("Method or similarity"))
    chosen.fill("st_adapter")  # a long list holds only the options in sight
    page.get_by_role("option", name="st_adapter · ST-Adapter", exact=True).click()
    page.get_by_role("heading", name="ST-Adapter", exact=True).wait_for()
    page.wait_for_url("**method=st_adapter**")
    settled(page, "Methods")
    assert picture.get_attribute("src") != before
    assert picture.evaluate("image => image.naturalWidth > 0 && image.width <= 400")


def test_a_run_in_the_address_opens_its_record(address, open_page):
    run = experiment("stan", 0).id
    page = settled(open_page(f"{address}/runs?run={run}"), "Runs")
    page.get_by_role("heading", name=run).wait_for()
    page.locator(".st-key-curve .js-plotly-plot").wait_for()
    assert page.get_by_role("heading", name=run).count() == 1


def test_ticking_a_run_opens_its_record_and_names_it_in_the_address(address, open_page):
    page = settled(open_page(f"{address}/runs?filter=stan/"), "Runs")
    grid = page.locator(".st-key-runs .dvn-scroller")
    grid.click(position={"x": 16, "y": 54})
    page.get_by_role("heading", name="Learning curve").wait_for()
    page.wait_for_url("**run=components**")
    page.locator(".st-key-curve .js-plotly-plot").wait_for()
    assert "run=components%2Fstan" in page.url or "run=components/stan" in page.url


def test_the_latex_table_downloads_with_its_run_ids(address, open_page):
    page = settled(open_page(f"{address}/ablation"), "Ablation")
    with page.expect_download() as download:
        page.get_by_role("button", name="Table, LaTeX").last.click()
    text = Path(download.value.path()).read_text()
    assert r"\toprule" in text and f"% run: {experiment('stan', 0, 'motions').id}" in text


def test_recognition_is_drawn_over_its_cost(address, open_page):
    page = settled(open_page(f"{address}/benchmarks?table=Recognition"), "Benchmarks")
    page.locator(".st-key-cost .js-plotly-plot").wait_for()
    assert page.locator(".st-key-cost .xtitle").text_content().startswith("GFLOPs, all views")


def test_a_lost_query_leads_into_the_demo(address, open_page):
    page = settled(open_page(f"{address}/lost_queries", height=1600), "Lost queries")
    page.locator(".st-key-groups .js-plotly-plot").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Table, CSV").click()
    text = Path(download.value.path()).read_text()
    assert "http://127.0.0.1:7860/?q=" in text and "# run: components/stan/" in text


def test_the_time_probe_is_drawn(address, open_page):
    page = settled(open_page(f"{address}/frame_order"), "Frame order")
    page.locator(".st-key-probe .js-plotly-plot").wait_for()
    assert "reversed" in page.locator(".st-key-probe .yaxislayer-above").text_content()


def test_what_each_share_of_clips_weights_finds_is_drawn(address, open_page):
    page = settled(open_page(f"{address}/kept_knowledge", height=1600), "Kept knowledge")
    page.locator(".st-key-interpolation .js-plotly-plot").wait_for()
    assert "unseen concepts" in page.locator(".st-key-interpolation .infolayer").text_content()
    page.locator(".st-key-trade-off .js-plotly-plot").wait_for()
    assert page.locator(".st-key-trade-off .xtitle").text_content().startswith("stills")
    with page.expect_download() as download:
        page.locator(".st-key-trade_off-png button").click()
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_two_ticked_runs_share_their_curves(address, open_page):
    runs = "&".join(f"run={experiment('stan', seed).id}" for seed in (0, 1))
    page = settled(open_page(f"{address}/runs?{runs}&smooth=5%20steps", height=2400), "Runs")
    page.locator(".st-key-curve .js-plotly-plot .legendtext").nth(1).wait_for()
    assert page.locator(".st-key-curve .legendtext").count() == 2
