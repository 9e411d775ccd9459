"""A number of windows in; what a search through the service costs beside one in the process, and under load, out."""

from __future__ import annotations

import multiprocessing
import socket
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stan import bench
from stan.bench.encoders import preset
from stan.library import DEFAULT_MODEL, Library
from stan.library.embedding import windows
from stan.library.roots import Roots
from stan.library.store import Store
from stan.models.dual_encoder import build as build_model
from stan.models.factory import load_model
from stan.service.app import build
from stan.service.calls import LibraryCalls
from stan.service.client import Client
from stan.service.limits import Limits
from stan.service.opening import loaded

WINDOWS, OF_A_VIDEO = 100_000, 10
"""Windows of the library, and of each of its videos."""
MODEL = "stan-tiny"
CLIENTS, SECONDS = 64, 120.0
REPEATS = 100
GOAL = 1.3
"""The median through the service over that in the process."""
AT_A_TIME = 500
"""Videos that are written at a time."""
PATIENCE = 120.0
"""Seconds until the service must answer."""


def service(
    size: int = WINDOWS,
    repeats: int = REPEATS,
    clients: int = CLIENTS,
    seconds: float = SECONDS,
    model: str = MODEL,
) -> dict[str, Any]:
    """Time searches by new sentences over `size` random windows, then let many clients search without pauses.

    The service runs in a process of its own, with the same model and library. In each repeat,
    one search runs in this process and one through the service. The row of the load has the errors, answers per second,
    p50, p95 and p99 in ms, and the service's memory in MB before and after.
    """
    with tempfile.TemporaryDirectory(prefix="stan-bench-") as folder:
        library = _filled(Path(folder), size, model)
        with _served(Path(folder), model) as (address, process):
            client = Client(address)
            calls = {
                "in the process": lambda k: library.search(f"{_sentence(k)} here"),
                "through the service": lambda k: client.search(f"{_sentence(k)} there"),
            }
            timed = {name: taken for name, (taken, _) in bench.interleaved(calls, repeats).items()}
            before = bench.resident(process)
            under_load, errors = _load(address, clients, seconds)
            after = bench.resident(process)
    rows = [_row(name, size, taken) for name, taken in timed.items()]
    ratio = rows[1]["p50"] / rows[0]["p50"]
    rows[1] |= {"relative": ratio, "goal": GOAL, "reached": ratio <= GOAL}
    note = f"{len(under_load)} answers in {seconds:g} s, {len(errors)} errors"
    rows.append(_row(f"{clients} clients at once", size, under_load) | {"memory": after, "note": note})
    load = {"answers": len(under_load), "errors": errors[:10], "memory_before": before, "memory_after": after}
    return bench.document(
        "search through the service",
        "fp32",
        rows,
        model=model,
        clients=clients,
        seconds=seconds,
        load=load,
    )


def _sentence(k: int) -> str:
    """Return a sentence that no other number gives, so that none is found among the cached texts."""
    return f"a person number {k} opens a door and walks away"


def _row(name: str, size: int, milliseconds: np.ndarray) -> dict[str, Any]:
    p50, p95, p99 = np.percentile(milliseconds, (50, 95, 99))
    return bench.row(name, milliseconds, windows=size, p50=float(p50), p95=float(p95), p99=float(p99))


def _opened(folder: Path, model: str) -> Library:
    """Return the library with `stan-tiny`, or with a preset of random weights, which are the same in both processes."""
    torch.manual_seed(0)
    encodes = load_model(model) if model == DEFAULT_MODEL else build_model(*preset(model)).eval()
    return Library(folder / "library", encodes)


def _filled(folder: Path, size: int, model: str) -> Library:
    """Return a library of videos with random embeddings, with `size` windows in all."""
    library = _opened(folder, model)
    maker, width, rng = library.require_model(), library.model.embedding_width, np.random.default_rng(0)
    frames, seconds = int(maker.frames), float(maker.window)
    duration = seconds * (frames + (OF_A_VIDEO - 1) * (frames // 2)) / frames
    count, starts = windows(duration, frames, seconds)
    assert len(starts) == OF_A_VIDEO
    every = rng.standard_normal(count * width).astype(np.float16)  # frames are only read of what is found
    times = np.linspace(0, duration, count, endpoint=False, dtype=np.float32)
    store = Store(folder / "library")
    store.create(width, maker)
    for first in range(0, size // OF_A_VIDEO, AT_A_TIME):
        rows = []
        for number in range(first, min(first + AT_A_TIME, size // OF_A_VIDEO)):
            clip, video = rng.standard_normal((2, OF_A_VIDEO, width), dtype=np.float32)
            place = {"path": f"/videos/{number}.mp4", "folder": "/videos", "name": f"{number}.mp4"}
            state = {"size": 1, "mtime_ns": 1, "hash": str(number), "duration": duration, "facts": None}
            vectors = {"clip": list(clip), "video": list(video), "frame_clip": every, "frame_video": every}
            rows.append({"id": f"{number:016x}", **place, **state, **vectors, "times": times})
        store.write(rows, replace=False)
    return loaded(library)


@contextmanager
def _served(folder: Path, model: str) -> Generator[tuple[str, int]]:
    """Yield the address and the process of a service over the library in `folder`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        spawned = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(folder, model, listening), daemon=True
        )
        spawned.start()
    try:
        _wait_for(Client(address))
        assert spawned.pid is not None
        yield address, spawned.pid
    finally:
        spawned.terminate()
        spawned.join()


def _serve(folder: Path, model: str, listening: socket.socket) -> None:
    import uvicorn

    from stan.service.server import configured

    calls = LibraryCalls(loaded(_opened(folder, model)), Roots({}))
    app = build(calls, Limits(per_minute=10**9))
    uvicorn.Server(configured(app)).run(sockets=[listening])


def _wait_for(client: Client) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            client.health()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _load(address: str, clients: int, seconds: float) -> tuple[np.ndarray, list[str]]:
    """Return the milliseconds of every answer to clients that ask one sentence after the other, and the errors."""
    taken: list[float] = []
    errors: list[str] = []
    end = time.monotonic() + seconds

    def ask(number: int) -> None:
        client, asked = Client(address), 0
        while time.monotonic() < end:
            started, asked = time.perf_counter(), asked + 1
            try:
                client.search(f"{_sentence(asked)} with {number} others")
            except (OSError, ValueError) as error:
                errors.append(f"{type(error).__name__}: {error}")
            else:
                taken.append(1000 * (time.perf_counter() - started))

    everyone = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for one in everyone:
        one.start()
    for one in everyone:
        one.join()
    return np.array(taken), errors
