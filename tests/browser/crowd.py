"""A library in; how the demo answers many who search at once out: python tests/browser/crowd.py --library LIBRARY.

Each of so many people sends a query, waits for the answer, pauses, and sends another, as the page itself would: over
the page's own queue. Told are the number of queries and of errors, the median and 95th percentile of the time from
sending to answer, and the server's memory once it is warm and at the end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
WORDS = (
    ("a red", "a blue", "a green", "a yellow", "a striped"),
    ("circle", "square", "triangle", "star"),
    ("moves up", "moves to the left", "grows", "turns", "vanishes", "is covered"),
)
PATIENCE = 60.0
"""Seconds after which an answer counts as an error."""


def crowd(address: str, people: int, seconds: float, pause: float) -> dict[str, Any]:
    """{"queries", "errors", "p50", "p95", "slowest"}: times in seconds; errors in words."""
    search, values = _search_of(address)
    taken: list[float] = []
    errors: list[str] = []
    end = time.monotonic() + seconds

    def person(number: int) -> None:
        rng, session = np.random.default_rng(number), uuid.uuid4().hex
        time.sleep(rng.uniform(0, pause))
        while time.monotonic() < end:
            query = " ".join(rng.choice(part) for part in WORDS)
            started = time.monotonic()
            try:
                answer = _ask(address, search, [None, query, *values], session)
                if f"<b>{query}</b>" not in str(answer):
                    raise ValueError("the answer is to another query")
            except (OSError, http.client.HTTPException, ValueError) as error:
                errors.append(f"{type(error).__name__}: {error}")
            taken.append(time.monotonic() - started)
            time.sleep(rng.uniform(0.5, 1.5) * pause)

    everyone = [threading.Thread(target=person, args=(number,), daemon=True) for number in range(people)]
    for one in everyone:
        one.start()
    for one in everyone:
        one.join(seconds + 2 * PATIENCE)
    p50, p95 = np.percentile(taken, [50, 95]).round(3).tolist()
    return {"queries": len(taken), "errors": errors, "p50": p50, "p95": p95, "slowest": round(max(taken), 3)}


def _search_of(address: str) -> tuple[int, list[Any]]:
    """The number of the event that searches, and the form's values after library and query."""
    page = json.loads(_request(address, "GET", "/config"))
    known = {one["id"]: one["props"] for one in page["components"]}
    query = next(id for id, props in known.items() if props.get("elem_id") == "query")
    event = next(one for one in page["dependencies"] if [query, "submit"] in one["targets"])
    return event["id"], [known[id].get("value") for id in event["inputs"][2:]]


def _ask(address: str, event: int, values: list[Any], session: str) -> Any:
    """The output of one event. Raises ValueError for one that failed."""
    joined = {"data": values, "fn_index": event, "session_hash": session}
    _request(address, "POST", "/gradio_api/queue/join", json.dumps(joined))
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE)
    try:
        connection.request("GET", f"/gradio_api/queue/data?session_hash={session}")
        for line in connection.getresponse():
            news = json.loads(line[5:]) if line.startswith(b"data:") else {}
            if news.get("msg") == "process_completed":
                if not news["success"]:
                    raise ValueError(f"the event failed: {news['output']}")
                return news["output"]["data"]
    finally:
        connection.close()
    raise ValueError("the stream ended without an answer")


def _request(address: str, method: str, path: str, body: str | None = None) -> bytes:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        reply = connection.getresponse()
        told = reply.read()
    finally:
        connection.close()
    if reply.status != 200:
        raise ValueError(f"{path} answers {reply.status}: {told[:200]!r}")
    return told


def resident(process: int) -> float:
    """Megabytes of memory that a process holds (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def main() -> int:
    from stan import serve
    from tests.browser.pictures import served

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--library", type=Path, default=ROOT / "libraries" / "world")
    parser.add_argument("--people", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--pause", type=float, default=1.0, help="mean seconds between an answer and the next query"
    )
    given = parser.parse_args()
    with served(serve.demo_command([given.library])) as (address, process):
        crowd(address, given.people, 5.0, given.pause)  # loads the model, warms the stores
        warm = resident(process)
        found = crowd(address, given.people, given.seconds, given.pause)
        memory = {"MB warm": round(warm), "MB at the end": round(resident(process))}
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[1]}
    print(json.dumps({"people": given.people, "pause": given.pause, **found, **memory, **machine}, indent=1))
    return 1 if found["errors"] else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
