"""A number and a seed in; what became of so many damaged films of every kind, and what that cost, out.

Each film of the truth table is damaged in ways, and at places, that its number and the seed decide; then it is probed
and decoded. Right is: frames, or one `VideoError`, within the limits. Everything is tried and counted; the end is 1 if
this process saw anything else, grew, or was left with a dead child. The films lie in a folder that is removed: some may
crash a decoder elsewhere, so none is ever kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from stan.data.video import decoding
from stan.data.video.decoding import Limits, VideoError
from stan.data.video.pool import POOL
from tests.data.video.kinds import KINDS
from tests.support import films

LIMITS = Limits(seconds=10, memory=2 << 30, duration=600)
ATTEMPTS = 2
"""Attempts that one call may make, by two decoders."""
SLACK = 5.0
"""Seconds beyond the limits that the start of a new process may take while others use the cores."""
FRAMES, SIZE = 4, 64
GROWTH = 96 << 20
"""Bytes by which this process may grow after its first tenth."""


class Tried(NamedTuple):
    """What became of one damaged film."""

    name: str
    """Its number and kind."""
    kind: str
    found: str
    seconds: float
    workers: set[int]
    """Decoding processes that lived afterwards."""
    largest: int
    """Bytes of the largest of them."""


def originals(folder: Path) -> dict[str, bytes]:
    """Return the bytes of a small film of every kind of the truth table."""
    made = {}
    for name, kind in KINDS.items():
        if kind.film.size[0] > films.SIZE[0] + 1:  # larger ones differ in colours alone
            continue
        folder.mkdir(exist_ok=True)
        path = (kind.write or kind.film.write)(folder)
        made[name] = path.read_bytes()
        path.unlink()
    return made


def flip(data: bytearray, rng: np.random.Generator, *_: bytes) -> None:
    """Flip single bits."""
    for place in rng.integers(len(data), size=rng.integers(1, 65)):
        data[place] ^= 1 << int(rng.integers(8))


def flip_header(data: bytearray, rng: np.random.Generator, *_: bytes) -> None:
    """Flip bits near the beginning or the end, where most containers keep their tables."""
    near = min(len(data), 1500)
    for place in rng.integers(near, size=rng.integers(1, 9)):
        data[place if rng.integers(2) else -1 - place] ^= 1 << int(rng.integers(8))


def set_number(data: bytearray, rng: np.random.Generator, *_: bytes) -> None:
    """Put an extreme number where one of four bytes may stand."""
    extremes = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
    place = int(rng.integers(len(data) - 4))
    data[place : place + 4] = int(rng.choice(extremes)).to_bytes(4, "big" if rng.integers(2) else "little")


def overwrite(data: bytearray, rng: np.random.Generator, *_: bytes) -> None:
    """Fill a piece with noise or with zeros."""
    piece = _piece(data, rng)
    length = piece.stop - piece.start
    data[piece] = rng.bytes(length) if rng.integers(2) else bytes(length)


def cut(data: bytearray, rng: np.random.Generator, *_: bytes) -> None:
    del data[_piece(data, rng)]


def repeat(data: bytearray, rng: np.random.Generator, *_: bytes) -> None:
    piece = _piece(data, rng)
    data[piece.stop : piece.stop] = data[piece]


def truncate(data: bytearray, rng: np.random.Generator, *_: bytes) -> None:
    del data[int(rng.integers(1, len(data))) :]


def splice(data: bytearray, rng: np.random.Generator, other: bytes) -> None:
    """Go on with a film of another kind."""
    data[int(rng.integers(1, len(data))) :] = other[int(rng.integers(len(other))) :]


WAYS = (flip, flip_header, set_number, overwrite, cut, repeat, truncate, splice)


def _piece(data: bytearray, rng: np.random.Generator) -> slice:
    start = int(rng.integers(len(data)))
    return slice(start, min(len(data), start + int(rng.integers(1, 2 ** int(rng.integers(1, 14))))))


def damaged(number: int, seed: int, kinds: dict[str, bytes]) -> tuple[str, bytes]:
    """Return the kind and the bytes of the damaged film of this number: one to three ways, one after the other."""
    rng = np.random.default_rng((seed, number))
    name, other = (list(kinds)[i] for i in rng.integers(len(kinds), size=2))
    data = bytearray(kinds[name])
    for way in rng.choice(len(WAYS), size=int(rng.integers(1, 4))):
        if len(data) > 8:
            WAYS[way](data, rng, kinds[other])
    return name, bytes(data)


def outcome(path: Path) -> str:
    """Return what became of the film in a few words; whatever is not right begins with FAULT."""
    try:
        info = decoding.probe(path, LIMITS)
        decoded = decoding.decode(path, FRAMES, SIZE, limits=LIMITS)
    except VideoError as error:
        return error.reason.partition(" (")[0] if "decoding process" in error.reason else "refused"
    except Exception as error:
        return f"FAULT {error!r}"
    frames = decoded.frames
    if not (frames.shape[0] == FRAMES and min(frames.shape[1:3]) == SIZE and frames.shape[3] == 3):
        return f"FAULT frames of {frames.shape}"
    if not (info.frames > 0 and np.isfinite(decoded.times).all() and (np.diff(decoded.times) >= 0).all()):
        return f"FAULT {info.frames} frames, times {decoded.times}"
    return f"frames by {decoded.decoder}"


def tried(number: int, seed: int, kinds: dict[str, bytes], folder: Path) -> Tried:
    kind, data = damaged(number, seed, kinds)
    path = folder / str(number)
    path.write_bytes(data)
    started = time.monotonic()
    found = outcome(path)
    took = time.monotonic() - started
    path.unlink()
    if took > 2 * ATTEMPTS * LIMITS.seconds + SLACK:
        found = f"FAULT took {took:.0f} s"
    workers = set(POOL.pids)
    return Tried(
        f"--only {number} ({kind})", kind, found, took, workers, max(map(_memory, workers), default=0)
    )


def run(numbers: Sequence[int], seed: int, folder: Path) -> tuple[list[Tried], list[int]]:
    """Return what became of each film, and the bytes of this process after each tenth of them."""
    kinds, found, memory = originals(folder / "originals"), list[Tried](), list[int]()
    with ThreadPoolExecutor(POOL.size) as threads:
        for one in threads.map(partial(tried, seed=seed, kinds=kinds, folder=folder), numbers):
            found.append(one)
            if len(found) % max(1, len(numbers) // 10) == 0:
                memory.append(psutil.Process().memory_info().rss)
                print(f"{len(found)} of {len(numbers)}", file=sys.stderr, flush=True)
    return found, memory


def _memory(pid: int) -> int:
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:  # it has just been replaced
        return 0


def zombies() -> int:
    return sum(child.status() == psutil.STATUS_ZOMBIE for child in psutil.Process().children(recursive=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="damage and try this one film alone")
    given = parser.parse_args()
    started = time.monotonic()
    numbers = range(given.n) if given.only is None else [given.only]
    with tempfile.TemporaryDirectory(prefix="stan-mutated-") as folder:
        found, memory = run(numbers, given.seed, Path(folder))
    faults = [f"{one.name}: {one.found}" for one in found if one.found.startswith("FAULT")]
    kinds, workers = {one.kind for one in found}, set().union(*(one.workers for one in found))
    dead, grown = zombies(), max(memory) - memory[0]
    figures = {
        "films": len(found),
        "seed": given.seed,
        "outcomes": dict(Counter(one.found for one in found).most_common()),
        "kinds": len(kinds),
        "kinds that never gave frames": sorted(
            kinds - {one.kind for one in found if one.found.startswith("frames")}
        ),
        "decoding processes replaced": max(0, len(workers) - POOL.size),
        "dead children": dead,
        "slowest, s": round(max(one.seconds for one in found), 1),
        "grown, MiB": round(grown / 2**20, 1),
        "largest decoding process, MiB": round(max(one.largest for one in found) / 2**20),
        "seconds": round(time.monotonic() - started),
        "faults": faults,
    }
    print(json.dumps(figures, indent=1))
    return int(bool(faults) or dead > 0 or grown > GROWTH)


if __name__ == "__main__":
    sys.exit(main())
