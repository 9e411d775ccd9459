"""A small library of three clips, and clients of services over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from starlette.testclient import TestClient

from stan.config import ModelConfig
from stan.library import Library, Results
from stan.library.proxies import Proxies
from stan.library.roots import Roots
from stan.models.dual_encoder import build as build_model
from stan.service.access import Tokens
from stan.service.app import build
from stan.service.calls import LibraryCalls
from stan.service.limits import Limits
from tests.support.small_clips import write_clip

COLOURS = {"red.mp4": (220, 30, 30), "green.mp4": (30, 220, 30), "below/blue.mp4": (30, 30, 220)}


@pytest.fixture(scope="session")
def library(tmp_path_factory) -> Library:
    root = tmp_path_factory.mktemp("service")
    (root / "videos" / "below").mkdir(parents=True)
    for name, colour in COLOURS.items():
        write_clip(root / "videos" / name, colour)
    torch.manual_seed(0)
    made = Library(root / "library", build_model(ModelConfig(pretrained="random"), frames=4).eval())
    made.add(root / "videos")
    return made


@pytest.fixture(scope="session")
def folder(library: Library) -> Path:
    """The folder of the library's videos, which may be indexed."""
    return Path(library.path).parent / "videos"


@pytest.fixture(scope="session")
def library_calls(library: Library, folder: Path) -> LibraryCalls:
    return LibraryCalls(library, Roots({"videos": folder}), Proxies(folder.parent / "proxies"))


@pytest.fixture
def client() -> Iterator[Callable[..., TestClient]]:
    """client(calls, tokens=None, **limits) -> a client of a running service."""
    with ExitStack() as stack:

        def started(calls: Any, tokens: list[str] | None = None, **limits: Any) -> TestClient:
            app = build(calls, Limits(**limits), Tokens(tokens) if tokens else None)
            return stack.enter_context(
                TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
            )

        yield started


@pytest.fixture
def api(client, library_calls) -> TestClient:
    """A client of a service over the small library."""
    return client(library_calls)


def made_up(**replaced: Any) -> LibraryCalls:
    """Return calls over a library without videos; `replaced` are its methods."""
    empty = {
        "path": Path("library"),
        "made_by": None,
        "entries": list,
        "search": lambda query, *_, **__: Results(query, [], True, {"encode": 0.0, "search": 0.0}),
    }
    return LibraryCalls(SimpleNamespace(**empty | replaced), Roots({}), Proxies(Path("proxies")))
