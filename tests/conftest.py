"""What several tests need: one thread, a folder for runs, a browser that reaches nothing but this machine."""

from __future__ import annotations

import gc
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stan.cli import doctor
from stan.cli.documents import DOCUMENTS
from tests.support.chromium import OPTIONS

# For torch, which the process that hands out the tests need not import.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell's background job ignores Ctrl-C, and so would every program that the tests start and send one.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """Leave what collecting makes, millions of objects that stay, out of garbage collection: it halves that time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
def runs_root(tmp_path: Path) -> Path:
    """An empty folder for run records."""
    root = tmp_path / "runs"
    root.mkdir()
    return root


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> Iterator[object]:
    """A playwright BrowserContext; its loop ends with the module, so that others may run loops of their own.

    Its profile lies on the disk, because Chromium keeps compiled code only there: it spares a module's pages to load
    and compile the apps' code again.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    executable = doctor.browser()
    if executable is None:
        pytest.skip("no Chromium here: install your system's, or run `playwright install chromium`")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"), executable_path=executable, args=list(OPTIONS)
        )
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def chromium(context) -> object:
    """The playwright Browser of `context`, which can open contexts with nothing in their cache."""
    return context.browser


@pytest.fixture
def open_page(context) -> Iterator[Callable[..., object]]:
    """open_page(address, width=1280, height=900) -> playwright Page; only this machine is found."""
    pages = []

    def open_one(address: str, width: int = 1280, height: int = 900):
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": height})
        pages.append(page)
        page.set_default_timeout(30_000)
        page.goto(address)
        return page

    yield open_one
    for page in pages:
        page.close()


@pytest.fixture
def stan(capsys):
    """stan("runs", "--json") -> (exit code, stdout, stderr); a document must be as the command's schema says."""

    def call(*arguments: object) -> tuple[int, str, str]:
        import jsonschema

        from stan import cli

        words = [str(argument) for argument in arguments]
        code = cli.run(words)
        captured = capsys.readouterr()
        if "--json" in words and captured.out:
            names = (" ".join(words[:count]) for count in (2, 1))
            document = next(name for name in names if name in DOCUMENTS)
            jsonschema.validate(json.loads(captured.out), DOCUMENTS[document])
        return code, captured.out, captured.err

    return call
