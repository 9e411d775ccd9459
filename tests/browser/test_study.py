"""A study from its command to its exported table, in Chromium: run, watched, compared, a failure opened in the demo."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stan import results
from stan.common.servers import dashboard_command, demo_command, free_port
from stan.evaluation.metrics import found
from stan.library import Library
from stan.report.formats import one_decimal
from tests.browser.test_dashboard import settled
from tests.support.server import ROOT, served

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

EPOCHS = 60
"""Of three steps: long enough that whoever watches sees it."""
COMMAND = (
    *("ablate", "components", "--suite", "retrieval", "--rows", "baseline,stan", "--json"),
    *("--set", "data.size=tiny", "--set", "data.frames=4", "--set", "train.batch=8"),
    *("--set", f"train.epochs={EPOCHS}"),
)
STUDY = "components · retrieval · tiny"
FIRST_LINE, LINE = 54, 35
"""Pixels from a table's top to the middle of its first line, and from line to line."""


@pytest.fixture
def runs(tmp_path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def demo(tmp_path):
    """The demo to be: its library is made once there are videos."""
    return demo_command([tmp_path / "library"], free_port(0))


@pytest.fixture
def page(runs, demo, open_page):
    with served(dashboard_command([runs], free_port(0), demo.address)) as (address, _):
        page = open_page(f"{address}/live", width=1600, height=1600)
        page.set_default_timeout(120_000)  # browser, servers and runs share few cores
        yield page


def test_a_study_is_run_watched_compared_and_taken_along(page, runs, demo, tmp_path):
    done = ran_while_watched(page, runs)
    ranks = {row: results.ranks(runs / run["id"]) for row, run in done.items()}
    for row, run in done.items():
        assert run["value"] == pytest.approx(100 * found(ranks[row]["t2v"], 1).mean())
    check_ablation(page, done)
    check_comparison(page, done, ranks)
    world = tmp_path / "worlds" / "retrieval-tiny"
    Library(tmp_path / "library", runs / done["stan"]["id"]).add(world / "videos" / "test")
    with served(demo):
        check_failure(page, demo.address, ranks["stan"])


def ran_while_watched(page, runs: Path) -> dict[str, dict]:
    """Starts the study, sees it on *Live*, waits for its end; what the command says of each run, by row."""
    page.get_by_text("Nothing is running").wait_for()
    command = (*COMMAND, "--runs", str(runs), "--worlds", str(runs.with_name("worlds")))
    table = page.get_by_test_id("stDataFrame")
    with subprocess.Popen(
        [sys.executable, "-m", "stan", *command], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as sweep:
        try:
            line_of(table, "stan, seed 0", re.compile(rf"^[1-9]\d* of {EPOCHS}$")).wait_for(state="attached")
            seen = next(line for line in lines(table) if line["run"] == "stan, seed 0")
            assert sweep.poll() is None
            said, _ = sweep.communicate()
        finally:
            sweep.kill()
    assert sweep.returncode == 0
    done = {run["row"]: run for run in json.loads(said)["runs"]}
    for run in done.values():
        page.get_by_role("link", name=f"{run['id']}: done").wait_for()
    log = results.history(runs / done["stan"]["id"]).dropna(subset="loss").set_index("step")
    assert float(seen["loss"]) == pytest.approx(log["loss"][int(seen["step"])])
    return done


def check_ablation(page, done: Mapping[str, dict]) -> None:
    """The table on the page and both files made of it hold what the runs' records do."""
    go_to(page, "Ablation")
    page.locator(f'[role=combobox][value="{STUDY}"]').wait_for()
    table = page.get_by_test_id("stDataFrame").first
    line_of(table, "stan").wait_for(state="attached")
    shown = {line["row"]: line for line in lines(table)}
    for row, run in done.items():
        assert float(shown[row]["mean"]) == pytest.approx(run["value"])
        tile = page.get_by_test_id("stMetric").filter(has_text=re.compile(f"^{row}"))
        assert f"{one_decimal(run['value'])} %" in tile.inner_text()
    assert shown["stan"]["change"].startswith(f"{change(done)} [")
    check_files(page, done)


def check_files(page, done: Mapping[str, dict]) -> None:
    text = downloaded(page, "ablation-csv")
    table = pd.read_csv(io.StringIO(text), comment="#").dropna(subset="mean").set_index("row")
    assert table["mean"].to_dict() == pytest.approx({row: run["value"] for row, run in done.items()})
    assert {f"# run: {run['id']}" for run in done.values()} <= set(text.splitlines())
    text = downloaded(page, "ablation-tex")
    for row, run in done.items():
        line = next(line for line in text.splitlines() if line.startswith(f"{row} & "))
        assert one_decimal(run["value"]) in line.split(" & ")
        assert f"% run: {run['id']}" in text.splitlines()


def check_comparison(page, done: Mapping[str, dict], ranks: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Both runs ticked: what they have reached, what lies between them, and the curves of both."""
    go_to(page, "Runs")
    table = page.locator(".st-key-runs")
    line_of(table, done["stan"]["id"]).wait_for(state="attached")
    shown = {line["id"]: (place, line) for place, line in enumerate(lines(table))}
    for run in (done["baseline"], done["stan"]):
        place, line = shown[run["id"]]
        assert line["status"] == "done" and float(line["t2v.R@1"]) == pytest.approx(run["value"])
        table.locator(".dvn-scroller").click(position={"x": 16, "y": FIRST_LINE + LINE * place})
    page.get_by_role("heading", name="2 runs beside each other").wait_for()
    before, after = (found(ranks[row]["t2v"], 1) for row in ("baseline", "stan"))
    told = page.get_by_text("from the first to the second").inner_text()
    assert f"{change(done)} [" in told
    assert f"{(after & ~before).sum()} queries won, {(before & ~after).sum()} lost" in told
    page.locator(".st-key-curve .js-plotly-plot .legendtext").nth(1).wait_for()
    named = page.locator(".st-key-curve .legendtext").all_text_contents()
    assert sorted(named) == sorted(run["id"] for run in done.values())


def check_failure(page, demo: str, ranks: Mapping[str, np.ndarray]) -> None:
    """The query whose right answer stands last, opened in the demo, which answers as the run did."""
    go_to(page, "Lost queries")
    lost = np.flatnonzero(~found(ranks["t2v"], 1))
    page.get_by_text(f"{len(lost)} of {len(ranks['t2v'])} queries are lost").wait_for()
    page.locator(".st-key-groups .js-plotly-plot").wait_for()
    worst = lost[np.argmax(ranks["t2v"][lost])]
    table = page.get_by_test_id("stDataFrame")
    line_of(table, str(ranks["query_ids"][worst])).wait_for(state="attached")
    first = lines(table)[0]
    assert first["query"] == ranks["query_ids"][worst]
    assert float(first["rank"]) == ranks["t2v"][worst]
    shown = opened(page, table)
    shown.locator("#search-status b", has_text=first["text"]).wait_for()
    answer = ranks["video_ids"][ranks["answers"][worst][0]]
    shown.locator("#cards .card").first.wait_for()
    assert shown.locator("#cards .card h3 bdi").first.inner_text() == f"{answer}.mp4"
    assert shown.url.startswith(demo)


def opened(page, table):
    """The page that the table's first link opens."""
    link = {"x": 30, "y": FIRST_LINE}
    table.locator(".dvn-scroller").hover(position=link)
    table.locator("canvas[style*='cursor: pointer']").wait_for()
    with page.expect_popup() as popup:
        table.locator(".dvn-scroller").click(position=link)
    popup.value.set_default_timeout(120_000)
    return popup.value


def go_to(page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).first.click()
    settled(page, name)


def line_of(table, *texts: str | re.Pattern[str]):
    """The line with these cells; a table is drawn, and written out for readers after that."""
    line = table.locator("tbody [role=row]")
    for text in texts:
        whole = re.compile(f"^{re.escape(text)}$") if isinstance(text, str) else text
        line = line.filter(has=table.page.locator("td", has_text=whole))
    return line.first


def lines(table) -> list[dict[str, str]]:
    """Of a table that is written out: what stands under each of its heads, all of one moment."""
    head, *rows = table.locator("[role=row]").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('th, td')].map(cell => cell.textContent))"
    )
    return [dict(zip(head, row, strict=True)) for row in rows]


def change(done: Mapping[str, dict]) -> str:
    return one_decimal(done["stan"]["value"] - done["baseline"]["value"], "+")


def downloaded(page, key: str) -> str:
    with page.expect_download() as download:
        page.locator(f".st-key-{key} button").click()
    return Path(download.value.path()).read_text()
