"""A library in, the demo's answer times with many visitors out: python tests/support/crowd.py --library LIBRARY.

Each visitor sends a query, waits for the answer, pauses, and sends another over the page's own queue, as the page
itself would. The result has the numbers of queries and people, the errors, the median, the 95th percentile and the
maximum of the seconds from query to answer, and the server's memory in MB after warming up and at the end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from stan.common import servers
from tests.support.server import ROOT, served
from tests.support.visitor import PATIENCE, Visitor

WORDS = (
    ("a red", "a blue", "a green", "a yellow", "a striped"),
    ("circle", "square", "triangle", "star"),
    ("moves up", "moves to the left", "grows", "turns", "vanishes", "is covered"),
)


def crowd(visitors: list[Visitor], seconds: float, pause: float) -> dict[str, Any]:
    """Let the visitors search for `seconds`, each at least once, with mean pauses of `pause` seconds.

    Return {"queries", "errors", "p50", "p95", "slowest"}: times in seconds, errors as texts.
    """
    taken: list[float] = []
    errors: list[str] = []
    end = time.monotonic() + seconds

    def ask(number: int) -> None:
        rng = np.random.default_rng(number)
        time.sleep(rng.uniform(0, pause))
        while True:
            query = " ".join(rng.choice(part) for part in WORDS)
            started = time.monotonic()
            try:
                status, _ = visitors[number].search(query)
                if f"<b>{query}</b>" not in status:
                    raise ValueError("the answer is to another query")
            except (OSError, http.client.HTTPException, ValueError) as error:
                errors.append(f"{type(error).__name__}: {error}")
            taken.append(time.monotonic() - started)
            if time.monotonic() > end:
                break
            time.sleep(rng.uniform(0.5, 1.5) * pause)

    everyone = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(len(visitors))]
    for one in everyone:
        one.start()
    for one in everyone:
        one.join(seconds + 2 * PATIENCE)
    p50, p95 = np.percentile(taken, [50, 95]).round(3).tolist()
    return {"queries": len(taken), "errors": errors, "p50": p50, "p95": p95, "slowest": round(max(taken), 3)}


def resident(process: int) -> int:
    """Return the memory, in MB, that a process holds (Linux only)."""
    status = Path(f"/proc/{process}/status").read_text()
    return round(int(status.split("VmRSS:")[1].split()[0]) / 1024)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--library", type=Path, default=ROOT / "libraries" / "world")
    parser.add_argument("--people", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pause", type=float, default=1.0, help="mean seconds between answer and next query")
    given = parser.parse_args()
    with served(servers.demo_command([given.library])) as (address, process):
        visitors = [Visitor(address) for _ in range(given.people)]
        crowd(visitors, 5.0, given.pause)  # loads the model and fills the caches
        memory = [resident(process)]
        found = crowd(visitors, given.seconds, given.pause)
        memory.append(resident(process))
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[1]}
    told = {"people": given.people, "pause": given.pause, **found, "MB before and after": memory, **machine}
    print(json.dumps(told, indent=1))
    return 1 if found["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
