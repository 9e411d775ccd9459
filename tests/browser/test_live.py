"""Runs that are written while the page is open; what *Live* shows of them in Chromium, without a reload."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stan.bench.fake_runs import experiment
from stan.common.jobs import QUICKSTART, job
from stan.common.servers import dashboard_command, free_port
from stan.results import RunWriter, lock
from tests.browser.test_dashboard import keep_running, settled
from tests.support.made_up_runs import write_run
from tests.support.server import ROOT, served
from tests.support.written_runs import EXPERIMENT, arrays, evaluation

pytestmark = pytest.mark.browser

WRITER = """
import sys, time
from stan.results import RunWriter
from tests.support.written_runs import EXPERIMENT
with RunWriter.start(sys.argv[1], EXPERIMENT) as run:
    print("writing", flush=True)
    time.sleep(600)
"""
RUN = f"{EXPERIMENT.row}, seed {EXPERIMENT.seed}"


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def address(root):
    with served(dashboard_command([root], free_port(0))) as (address, _):
        yield address


def log_step(run: RunWriter, step: int, epoch: int) -> None:
    """As training logs it."""
    speed = {"clips_per_second": 100.0, "time": 2.0 * step}
    run.log({"step": step, "epoch": epoch, "loss": 4.0 / step, "lr": 1e-3} | speed)


def opened(open_page, address: str):
    """*Live*, marked, so that a reload would show."""
    page = open_page(f"{address}/live", height=1600)
    page.set_default_timeout(120_000)  # browser, server and runs share few cores
    page.get_by_role("heading", name="Live", level=1).wait_for()
    page.evaluate("window.opened = 'once'")
    return page


def wait_for_cells(page, *texts: str) -> None:
    """Until the table has these cells; it is drawn, and written out for readers after that."""
    for text in texts:
        whole = re.compile(f"^{re.escape(text)}$")
        page.get_by_test_id("stDataFrame").locator("td", has_text=whole).first.wait_for(state="attached")


def never_reloaded(page) -> bool:
    return page.evaluate("window.opened") == "once"


def test_progress_shows_in_place_until_the_run_is_done(address, root, open_page):
    page = opened(open_page, address)
    page.get_by_text("Nothing is running").wait_for()
    with RunWriter.start(root, EXPERIMENT) as run:
        wait_for_cells(page, RUN, f"– of {EXPERIMENT.train.epochs}")
        for step in (1, 2):
            log_step(run, step, 0)
        wait_for_cells(page, f"1 of {EXPERIMENT.train.epochs}", "2")
        page.locator(".st-key-curves .js-plotly-plot").wait_for()
        run.log({"epoch": 0, "validation": {"t2v": {"R@1": 37.5}}})
        log_step(run, 3, 1)
        left = 2 * (2 * EXPERIMENT.train.epochs - 3)  # two seconds a step, two steps an epoch, three are done
        wait_for_cells(page, f"2 of {EXPERIMENT.train.epochs}", "3", "37.5", f"{left} s")
        run.finish(evaluation(), arrays())
    page.get_by_text("Nothing is running").wait_for()
    page.get_by_role("link", name=f"{EXPERIMENT.id}: done").wait_for()
    assert page.get_by_test_id("stDataFrame").count() == 0
    assert never_reloaded(page)


def test_what_a_sweep_prepares_shows_until_it_is_done(address, root, open_page):
    page = opened(open_page, address)
    page.get_by_text("Nothing is running").wait_for()
    with job(root, QUICKSTART):
        with job(root, "components on retrieval") as told:
            told.tell(3, 12, "rendering retrieval")
            shown = page.get_by_test_id("stProgress").filter(has_text="components on retrieval")
            shown.filter(has_text="rendering retrieval, 3 of 12").wait_for()
            told.tell(12, 12, "rendering retrieval")
            shown.filter(has_text="12 of 12").wait_for()
        page.get_by_text("Nothing is running").wait_for()
    assert page.get_by_test_id("stProgress").count() == 0
    assert never_reloaded(page)


def test_a_run_whose_writer_dies_shows_as_died(address, root, open_page):
    page = opened(open_page, address)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(root)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout.readline() == "writing\n"
        wait_for_cells(page, RUN)
    finally:
        writer.kill()
        writer.communicate()
    told = page.get_by_role("alert").filter(has_text="Stopped")
    told.wait_for()
    assert f"{EXPERIMENT.id} (died, silent for" in told.inner_text()
    page.get_by_text("Nothing is running").wait_for()
    assert (
        json.loads((root / EXPERIMENT.id / "run.json").read_text())["command"]
        in page.locator("code").all_inner_texts()
    )
    assert never_reloaded(page)


STATUSES = ("done", "running", "failed", "interrupted", "died", "damaged")


def write_every_status(root: Path) -> int:
    """A run of each of STATUSES, as seed 0, 1, ...; the lock of the running one comes back."""
    folders = [
        write_run(root, experiment("stan", seed, study="kinds"), "done" if status == "damaged" else status)
        for seed, status in enumerate(STATUSES)
    ]
    (folders[STATUSES.index("damaged")] / "eval.json").write_text("{")
    return keep_running(folders[STATUSES.index("running")])


def shown_statuses(page, address: str) -> list[str]:
    """Of the runs in order of their seeds, as the table on *Runs* has them."""
    page.goto(f"{address}/runs?filter=kinds/&columns=status")
    settled(page, "Runs")
    rows = page.locator(".st-key-runs table tbody [role=row]")
    rows.nth(len(STATUSES) - 1).wait_for(state="attached")
    found = [row.locator("td").all_inner_texts() for row in rows.all()]
    by_seed = {next(text for text in cells if "/stan/" in text)[-1]: cells for cells in found}
    return [next(text for text in by_seed[seed] if text in STATUSES) for seed in sorted(by_seed)]


def files(root: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}


def test_a_killed_dashboard_comes_back_with_the_same_statuses(root, open_page):
    """Also to the page that was open meanwhile."""
    dashboard = dashboard_command([root], free_port(0))
    taken = write_every_status(root)
    try:
        before = files(root)
        with served(dashboard) as (address, process):
            live = opened(open_page, address)
            wait_for_cells(live, "stan, seed 1", "20")
            assert shown_statuses(open_page(address), address) == list(STATUSES)
            os.kill(process, signal.SIGKILL)
        with served(dashboard):
            assert shown_statuses(open_page(address), address) == list(STATUSES)
            assert files(root) == before
            with (root / experiment("stan", 1, study="kinds").id / "metrics.jsonl").open("a") as log:
                log.write('{"step": 21, "epoch": 4, "loss": 1.5, "clips_per_second": 99.0, "time": 20.0}\n')
            wait_for_cells(live, "stan, seed 1", "21")
            assert never_reloaded(live)
    finally:
        lock.release(taken)
