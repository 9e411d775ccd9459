"""A local video file in; its record, and a way to its frames by the decoder that is right for it, out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np

from stan.data.video import backends, choice, first_bytes, sound, webp
from stan.data.video.container import Refused
from stan.data.video.facts import VideoFacts
from stan.data.video.scaling import Form
from stan.data.video.timeline import Timeline, read_timeline

KEPT = 4
"""Number of files whose timelines a worker remembers: those that are read piece by piece, or asked about in turn."""


class Reading(Protocol):
    """A file that is being read."""

    @property
    def facts(self) -> VideoFacts: ...

    @property
    def times(self) -> np.ndarray:
        """When each frame is shown, (frames,) float64, in seconds from the start of the file."""
        ...

    def read(self, indices: np.ndarray, form: Form, decoder: str) -> tuple[str, np.ndarray]:
        """Return the decoder's name and frames (T, H, W, 3) at rising distinct `indices`. Raises Refused.

        decoder: any, or pyav, which leaves decord out.
        """
        ...

    def heard(self, start: float, end: float) -> np.ndarray | None:
        """Return what is heard from `start` to `end` seconds, as `sound.heard` does. Raises Refused."""
        ...


@lru_cache(KEPT)
def reading(path: str, state: tuple[int, ...], most_pixels: int) -> Reading:
    """Return a file as it is read. state: what changes when the file does. Raises Refused."""
    if first_bytes.is_webp(first_bytes.read(path)):
        return webp.WebP(path, most_pixels)
    return ByFFmpeg(path, read_timeline(path, most_pixels))


@dataclass
class ByFFmpeg:
    """A film that decord or PyAV reads."""

    path: str
    timeline: Timeline

    @cached_property
    def facts(self) -> VideoFacts:
        return choice.facts(self.timeline, backends.decord is not None)

    @property
    def times(self) -> np.ndarray:
        return self.timeline.times

    def read(self, indices: np.ndarray, form: Form, decoder: str) -> tuple[str, np.ndarray]:
        """Return frames by the decoder that is right; by PyAV, too, where decord fails or repeats different frames."""
        plain = self.facts.decoder == "decord" and decoder != "pyav"
        narrow = isinstance(form, tuple) and min(form) < choice.NARROWEST
        reason = ""
        if plain and not narrow and not choice.passes_over(self.timeline, indices):
            try:
                frames = backends.by_decord(self.path, indices, self.timeline, form)
                if self._repeats_are_real(frames, indices, form):
                    return "decord", frames
            except MemoryError:
                raise
            except Exception as error:
                reason = error.reason if isinstance(error, Refused) else "decord failed"
        try:
            return "pyav", backends.by_pyav(self.path, indices, self.timeline, form)
        except Refused as refused:
            raise Refused("; ".join(filter(None, [reason, refused.reason])), refused.remedy) from refused

    def heard(self, start: float, end: float) -> np.ndarray | None:
        return sound.heard(self.path, start, end)

    def _repeats_are_real(self, frames: np.ndarray, indices: np.ndarray, form: Form) -> bool:
        """Return whether repeated frames are really equal.

        Still scenes repeat frames, but so does decord where a frame is damaged: PyAV decides which it is.
        """
        repeats = equal_to_next(frames)
        if not repeats.any():
            return True
        doubtful = np.flatnonzero(np.append(repeats, False) | np.insert(repeats, 0, False))
        second = backends.by_pyav(self.path, indices[doubtful], self.timeline, form)
        places = {place: at for at, place in enumerate(doubtful.tolist())}
        return all(
            np.array_equal(second[places[i]], second[places[i] + 1]) for i in np.flatnonzero(repeats).tolist()
        )


def equal_to_next(frames: np.ndarray) -> np.ndarray:
    """Return for each frame but the last whether it equals the next, bool (T - 1,).

    A few pixels tell most frames apart; only the others are compared whole.
    """
    equal = (frames[:-1, ::16, ::16] == frames[1:, ::16, ::16]).all(axis=(1, 2, 3))
    for i in np.flatnonzero(equal):
        equal[i] = np.array_equal(frames[i], frames[i + 1])
    return equal
