"""A sweep killed at random moments, in whatever part of it: no finished run is lost, no status is wrong."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("KILLS", "2"))
"""`make check-kills KILLS=50` for more."""


@pytest.mark.timeout(1200 + 120 * KILLS)
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_whatever_is_killed_whenever_nothing_that_was_done_is_lost(tmp_path, engine):
    if engine == "ray" and importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is the optional extra `cluster`")
    command = [sys.executable, "-m", "tests.stress.killed_sweep", str(tmp_path), "--kills", str(KILLS)]
    found = subprocess.run([*command, "--engine", engine], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr  # which says the seed
    assert sum(json.loads(found.stdout)["kills"].values()) == KILLS
