"""Films of every kind in; a table of how far what is read lies from what a player shows, out: `make check-truth`.

Limits: 2 of 255 in flat colours, 1.5 on average in natural pictures, the size and the corners as displayed, half a
frame in time, 1 of 255 between decord and PyAV where both may read a film.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stan.data.video import backends, decoding
from stan.data.video.timeline import read_timeline
from tests.data.video.kinds import KINDS, Kind
from tests.support import films

TIME, DECODERS = 0.5, 1
"""Largest differences: of a frame, of 255."""
SPARSE = (3, 7)
"""Numbers of pictures that are also asked for alone, spread over the film: after seeks, others may come."""


@dataclass(frozen=True)
class Found:
    """How far a film is from what is shown."""

    decoder: str
    colour: float
    colour_limit: float
    size: tuple[int, int]
    right_size: bool
    time: float
    """In frames."""
    wrong: int
    """Pictures that are not those of their places, of all in order, and of a few alone."""
    between: float | None
    """Largest difference between both decoders; None where only one may read the film."""

    @property
    def right(self) -> bool:
        near = self.colour <= self.colour_limit
        return (
            near
            and self.right_size
            and self.time <= TIME
            and not self.wrong
            and (self.between or 0) <= DECODERS
        )


def measure(kind: Kind, folder: Path) -> Found:
    """Write a film and compare what is read with what is shown."""
    path = (kind.write or kind.film.write)(folder)
    numbers = list(range(kind.film.frames)) if kind.numbers is None else kind.numbers
    info = decoding.probe(path)
    every = decoding.decode(path, np.arange(info.frames))
    stored = [kind.undo(picture) for picture in every.frames]
    wrong = sum(films.number(p) != n for p, n in zip(stored, numbers, strict=False)) + abs(
        len(stored) - len(numbers)
    )
    for count in SPARSE:
        few = decoding.decode(path, np.linspace(0, info.frames - 1, count).round().astype(int))
        alone = [films.number(kind.undo(picture)) for picture in few.frames]
        wrong += sum(n != films.number(stored[i]) for i, n in zip(few.indices, alone, strict=True))
    colour = kind.difference(stored)
    times = kind.film.times()[numbers][: len(every.times)] + kind.start
    late = np.abs(every.times[: len(times)] - times).max() * kind.film.rate
    displayed = kind.displayed or kind.film.size
    size = every.frames.shape[2], every.frames.shape[1]
    right_size = size == displayed == (info.width, info.height)
    return Found(every.decoder, colour, kind.colour_limit, size, right_size, late, wrong, between(path))


def between(path: Path) -> float | None:
    """Return the largest difference between the decoders, whole and resized; None if decord may not read the film."""
    if decoding.probe(path).facts.decoder != "decord":
        return None
    timeline = read_timeline(str(path), 1 << 24)
    indices, apart = np.arange(len(timeline.pts)), 0
    width, height = timeline.geometry.displayed
    for size in (None, (2 * width // 3, 2 * height // 3)):
        pair = [read(str(path), indices, timeline, size) for read in (backends.by_decord, backends.by_pyav)]
        apart = max(apart, int(np.abs(pair[0].astype(int) - pair[1]).max()))
    return apart


def table(*words: str) -> bool:
    """Print the table of the kinds whose names hold all words; return whether all is right."""
    print(f"{'kind':32}{'decoder':8}{'colour':>7}{'size':>10}{'time':>7}{'wrong':>6}{'decoders':>9}")
    right = True
    for name, kind in KINDS.items():
        if not all(word in name for word in words):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = measure(kind, Path(folder))
            except decoding.VideoError as error:
                print(f"{name:32}{error.reason}")
                right = False
                continue
        right &= found.right
        size, apart = "x".join(map(str, found.size)), "" if found.between is None else f"{found.between:.0f}"
        print(
            f"{name:32}{found.decoder:8}{found.colour:7.2f}{size:>10}{found.time:7.2f}{found.wrong:6}{apart:>9}"
            f"{'' if found.right else '  WRONG'}"
        )
    return right


if __name__ == "__main__":
    sys.exit(not table(*sys.argv[1:]))
