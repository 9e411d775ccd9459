"""A page's command line in; its address and its server's process id, while the server runs, out."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from stan.common import servers

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 180
"""Seconds that a server may take until it answers."""


@contextlib.contextmanager
def served(page: servers.Page) -> Iterator[tuple[str, int]]:
    """Run the page's server during the context; yield its address and its process id."""
    server = subprocess.Popen(
        page.command, cwd=ROOT, env={**os.environ, **page.environment}, stdout=sys.stderr
    )
    try:
        wait_for(page.address, server)
        yield page.address, server.pid
    finally:
        server.terminate()
        server.wait()


def wait_for(address: str, server: subprocess.Popen) -> None:
    """Return once the address answers. Raises ValueError if the server ends or does not answer within PATIENCE."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5):
            return
        time.sleep(0.2)
    raise ValueError(f"{address} does not answer: start it by hand and look at what it says")
