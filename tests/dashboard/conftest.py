"""Pages of the dashboard over the runs of a test, run without a browser."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from stan import results
from stan.bench import store
from stan.results import reader
from tests.support.shown_pages import shown

APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"


@pytest.fixture
def nothing_shipped(tmp_path, monkeypatch) -> Path:
    """Where the shipped records are looked for: an empty folder."""
    folder = tmp_path / "reference"
    folder.mkdir()
    monkeypatch.setattr(results, "SHIPPED", folder)
    monkeypatch.setattr(reader, "SHIPPED", folder)
    monkeypatch.setattr(store, "SHIPPED", folder)
    return folder


@pytest.fixture
def open_dashboard(runs_root, nothing_shipped, monkeypatch):
    """open_dashboard(page, **address) -> the page, run once, without an error; no page: the whole app's first."""
    monkeypatch.setenv("STAN_RUNS", str(runs_root))
    monkeypatch.setattr("sys.argv", ["app.py"])

    def open_page(page: str = "", **address) -> AppTest:
        script = f"from dashboard.views import {page}\n{page}.show()"
        test = (
            AppTest.from_string(script, default_timeout=240)
            if page
            else AppTest.from_file(str(APP), default_timeout=240)
        )
        for name, value in address.items():
            test.query_params[name] = value
        return shown(test)

    return open_page
