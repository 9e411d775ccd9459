"""Checks that a sweep whose processes are killed at random moments loses no finished run and shows no wrong status."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("KILLS", "2"))
"""Number of kills; `make check-kills KILLS=50` sets more."""


@pytest.mark.slow
@pytest.mark.timeout(1200 + 120 * KILLS)
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_whatever_is_killed_whenever_nothing_that_was_done_is_lost(tmp_path, engine):
    if engine == "ray" and importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is the optional extra `cluster`")
    command = [sys.executable, "-m", "tests.stress.killed_sweep", str(tmp_path), "--kills", str(KILLS)]
    found = subprocess.run([*command, "--engine", engine], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr  # stderr names the seed
    assert sum(json.loads(found.stdout)["kills"].values()) == KILLS
