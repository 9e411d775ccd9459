"""An empty library in a temporary folder and a folder of three made-up videos, as fixtures, out."""

from __future__ import annotations

import pytest

from tests.stress.killed_indexing import empty_store


@pytest.fixture
def store(tmp_path):
    return empty_store(tmp_path / "library")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "videos"
    root.mkdir()
    for name in "abc":
        (root / f"{name}.mp4").write_text(name)
    return root
