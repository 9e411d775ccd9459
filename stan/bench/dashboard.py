"""A number of made-up runs in; how long the dashboard's pages take, at first and after a choice, out."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stan import bench
from stan.bench import fake_runs
from stan.common.paths import project_folder
from stan.results import reader

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

RUNS = (50, 500, 5000)
REPEATS = 5
GOALS = {"first": 3000.0, "warm": 300.0}
"""Most milliseconds that a page should take, however many runs there are."""

_PATIENCE = 600
"""Seconds after which a page is given up."""


def dashboard(sizes: Sequence[int] = RUNS, repeats: int = REPEATS) -> dict[str, Any]:
    """Time every page for each number of done runs, with Streamlit's own page test: the script runs without a browser.

    *first*: nothing but the code has been loaded. *warm*: the user switches between two choices that were both made
    before. Beside median and spread, each row has page, what (first or warm), runs, goal, and whether the median
    reaches the goal.
    """
    rows = []
    for runs in sizes:
        with tempfile.TemporaryDirectory(prefix="stan-bench-") as folder, _asked_for(Path(folder) / "runs"):
            fake_runs.write_many(Path(folder) / "runs", runs)
            rows += [row for page in pages() for row in _rows(page, runs, repeats)]
    return bench.document("dashboard", "none", rows)


@contextlib.contextmanager
def _asked_for(root: Path) -> Generator[None]:
    """Tell the dashboard in its own way (STAN_RUNS) to read the runs under `root`, within this context."""
    before, arguments = os.environ.get("STAN_RUNS"), sys.argv
    os.environ["STAN_RUNS"], sys.argv = str(root), ["app.py"]
    try:
        yield
    finally:
        sys.argv = arguments
        os.environ.pop("STAN_RUNS")
        if before is not None:
            os.environ["STAN_RUNS"] = before


def pages() -> list[str]:
    """Return the names of the dashboard's views."""
    return sorted(path.stem for path in (project_folder("dashboard") / "views").glob("[a-z]*.py"))


def _rows(page: str, runs: int, repeats: int) -> Iterator[dict[str, Any]]:
    _opened(page)  # loads the code
    taken: dict[str, list[float]] = {"first": [], "warm": []}
    for _ in range(repeats):
        _forget()
        started = time.perf_counter()
        test = _opened(page)
        taken["first"].append(1000 * (time.perf_counter() - started))
    for repeat in range(repeats + 2):
        _choose(test, repeat % 2)
        started = time.perf_counter()
        _run(test)
        if repeat >= 2:
            taken["warm"].append(1000 * (time.perf_counter() - started))
    for what, milliseconds in taken.items():
        row = bench.row(
            f"{page}, {what}, {runs:,} runs", np.array(milliseconds), page=page, what=what, runs=runs
        )
        yield row | {"goal": GOALS[what], "reached": row["median"] <= GOALS[what]}


def _opened(page: str) -> AppTest:
    from streamlit.testing.v1 import AppTest

    root = project_folder("dashboard").parent
    script = (
        f"import sys\nsys.path.insert(0, {str(root)!r})\nfrom dashboard.views import {page}\n{page}.show()"
    )
    return _run(AppTest.from_string(script, default_timeout=_PATIENCE))


def _run(test: AppTest) -> AppTest:
    test.run()
    for error in test.exception:
        raise ValueError(f"the page fails: {error.message}")
    return test


def _choose(test: AppTest, which: int) -> None:
    """Make one of two choices: two filters in the page's text input, else two entries of its last list with several.

    A page that has neither stays as it is.
    """
    lists = [box for box in test.selectbox if len(box.options) > 1]
    if test.text_input:
        test.text_input[0].set_value(("stan", "baseline")[which])
    elif lists:
        lists[-1].select_index(which)


def _forget() -> None:
    """Clear what a freshly started server doesn't know."""
    import streamlit as st

    st.cache_data.clear()
    st.cache_resource.clear()
    reader.forget()
