"""Damaged films of every kind end in frames or one VideoError, and cost neither processes nor memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MUTATIONS = int(os.environ.get("MUTATIONS", "300"))
"""Number of damaged films; `make check-mutations` tries more."""


@pytest.mark.slow
@pytest.mark.timeout(300 + MUTATIONS)
def test_whatever_is_damaged_gives_frames_or_one_error():
    command = [sys.executable, "-m", "tests.stress.mutated_clips", "--n", str(MUTATIONS)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    figures = json.loads(found.stdout)
    assert found.returncode == 0 and figures["faults"] == []
    assert figures["films"] == MUTATIONS and figures["outcomes"]["refused"] < MUTATIONS
