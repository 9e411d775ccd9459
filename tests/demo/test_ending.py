"""The demo, ended from outside: nothing that visitors uploaded stays."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stan.common import servers
from tests.support.server import served


@pytest.mark.slow
def test_a_demo_that_is_told_to_end_removes_its_visitors_folder(tmp_path):
    page = servers.demo_command([tmp_path / "library"], servers.free_port(0))
    kept = tmp_path / "kept"
    kept.mkdir()
    page = replace(page, environment={**page.environment, "TMPDIR": str(kept)})
    with served(page):
        assert len(list(kept.glob("stan-demo-*"))) == 1
    assert list(kept.glob("stan-demo-*")) == []
