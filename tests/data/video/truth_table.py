"""Films of every kind in; a table of how far what is read lies from what a player shows, out: `make check-truth`.

Limits: 2 of 255 in flat colours, the size and the corners as displayed, half a frame in time, 1 of 255 between decord and
PyAV where both may read a film.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from stan.data.video import backends, choice, decode
from stan.data.video.timeline import read_timeline
from tests.support import films
from tests.support.films import Film

COLOUR, TIME, DECODERS = 2.0, 0.5, 1
"""Largest differences: of 255, of a frame, of 255."""
SPARSE = 7
"""Number of pictures that are also asked for alone, spread over the film: after seeks, others may come."""


@dataclass(frozen=True)
class Kind:
    """A film and what a player shows of it."""

    film: Film
    matrix: str | None = None
    """The matrix by which it is shown; None: as it was written."""
    corners: np.ndarray | None = None
    """Colours shown in the corners; None: by the standard's arithmetic."""
    displayed: tuple[int, int] | None = None
    undo: Callable[[np.ndarray], np.ndarray] = lambda picture: picture
    """Makes the stored picture of a shown one."""
    colour: float = COLOUR
    start: float = 0.0
    """Seconds at which the first picture is shown."""
    numbers: list[int] | None = None
    """Numbers of the pictures that are shown; None: all, in order."""
    write: Callable[[Path], Path] | None = None
    """Writes the film, where `film.write` can't."""


@dataclass(frozen=True)
class Found:
    """How far a film is from what is shown."""

    decoder: str
    colour: float
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
        return self.right_size and self.time <= TIME and not self.wrong and (self.between or 0) <= DECODERS


def measure(kind: Kind, folder: Path) -> Found:
    """Write a film and compare what is read with what is shown."""
    path = (kind.write or kind.film.write)(folder)
    numbers = list(range(kind.film.frames)) if kind.numbers is None else kind.numbers
    info = decode.probe(path)
    every = decode.decode(path, np.arange(info.frames))
    stored = [kind.undo(picture) for picture in every.frames]
    few = decode.decode(path, np.linspace(0, info.frames - 1, SPARSE).round().astype(int)[1:])
    alone = [kind.undo(picture) for picture in few.frames]
    wrong = sum(films.number(p) != n for p, n in zip(stored, numbers, strict=False)) + abs(
        len(stored) - len(numbers)
    )
    wrong += sum(films.number(p) != films.number(stored[i]) for i, p in zip(few.indices, alone, strict=True))
    expected = kind.film.shown_corners(kind.matrix) if kind.corners is None else kind.corners
    colour = max(np.abs(films.corners(picture) - expected).max() for picture in stored)
    times = kind.film.times()[numbers][: len(every.times)] + kind.start
    late = np.abs(every.times[: len(times)] - times).max() * kind.film.rate
    displayed = kind.displayed or kind.film.size
    size = every.frames.shape[2], every.frames.shape[1]
    right_size = size == displayed == (info.width, info.height)
    return Found(every.decoder, colour, size, right_size, late, wrong, between(path))


def between(path: Path) -> float | None:
    """Return the largest difference between the decoders, whole and resized; None if decord may not read the film."""
    if decode.probe(path).facts.decoder != "decord":
        return None
    timeline = read_timeline(str(path), 1 << 24)
    indices, apart = np.arange(len(timeline.pts)), 0
    width, height = timeline.geometry.displayed
    for size in (None, (2 * width // 3, 2 * height // 3)):
        pair = [read(str(path), indices, timeline, size) for read in (backends.by_decord, backends.by_pyav)]
        apart = max(apart, int(np.abs(pair[0].astype(int) - pair[1]).max()))
    return apart


def turned(matrix: str) -> Kind:
    a = films.MATRICES[matrix][0]
    displayed = films.SIZE if a else films.SIZE[::-1]
    return Kind(Film(patch=films.with_matrix(matrix)), displayed=displayed, undo=films.undone(matrix))


HD = Film(size=(1280, 720), frames=12)
LOSSLESS = {"crf": "0", "preset": "ultrafast"}
VARIABLE = [0, 0.04, 0.05, 1.0, 1.02, 2.5, 2.52, 2.56, 4.0, 4.04, 4.08, 4.12]
HEVC = {"x265-params": "log-level=none:keyint=12:open-gop=0:crf=4"}
VP9 = {"crf": "4", "b": "0", "deadline": "realtime", "cpu-used": "8"}

KINDS: dict[str, Kind] = {
    "H.264 BT.601": Kind(Film()),
    "H.264 BT.709": Kind(Film(matrix="bt709")),
    "H.264 BT.709 720p": Kind(replace(HD, matrix="bt709")),
    "H.264 untagged": Kind(Film(tagged=False)),
    "H.264 untagged 720p": Kind(replace(HD, matrix="bt709", tagged=False)),
    "H.264 full range": Kind(Film(full=True, pixels="yuvj420p")),
    "H.264 4:2:2": Kind(Film(pixels="yuv422p")),
    "H.264 4:4:4": Kind(Film(pixels="yuv444p")),
    "H.264 10 bit": Kind(Film(pixels="yuv420p10le", matrix="bt709")),
    "H.264 grey": Kind(Film(pixels="gray")),
    "H.264 MKV": Kind(Film(name="film.mkv")),
    "H.264 AVI": Kind(Film(name="film.avi", options={"g": "12", "crf": "4", "bf": "0"})),
    "H.264 FLV": Kind(Film(name="film.flv")),
    "H.264 TS": Kind(Film(name="film.ts")),
    "H.264 raw": Kind(Film(name="film.h264", rate=10)),
    "H.264 fragmented": Kind(Film(muxer={"movflags": "frag_keyframe+empty_moov"})),
    "H.264 odd size": Kind(Film(size=(177, 145), pixels="yuv444p")),
    "H.264 one frame": Kind(Film(frames=1)),
    "HEVC BT.709": Kind(Film(codec="libx265", options=HEVC, matrix="bt709")),
    "HEVC BT.2020 10 bit": Kind(
        Film(codec="libx265", options=HEVC, matrix="bt2020nc", pixels="yuv420p10le")
    ),
    "HEVC 12 bit 4:4:4": Kind(Film(codec="libx265", options=HEVC, pixels="yuv444p12le", matrix="bt709")),
    "HEVC grey": Kind(Film(codec="libx265", options=HEVC, pixels="gray")),
    "VP8 WebM": Kind(Film(name="film.webm", codec="libvpx", options=VP9)),
    "VP9 WebM BT.709": Kind(Film(name="film.webm", codec="libvpx-vp9", options=VP9, matrix="bt709")),
    "AV1 10 bit": Kind(
        Film(codec="libsvtav1", options={"crf": "4", "preset": "12"}, pixels="yuv420p10le", matrix="bt709")
    ),
    "MPEG-4 AVI": Kind(Film(name="film.avi", codec="mpeg4", options={"qscale": "1", "flags": "qscale"})),
    "MPEG-2 TS": Kind(Film(name="film.ts", codec="mpeg2video", options={"b": "8M", "bf": "2", "g": "12"})),
    "MPEG-1 program stream": Kind(
        Film(name="film.mpg", codec="mpeg1video", options={"b": "8M", "bf": "2", "g": "12"})
    ),
    "MPEG-2 MXF": Kind(Film(name="film.mxf", codec="mpeg2video", options={"b": "8M"})),
    "H.263 3GP": Kind(Film(name="film.3gp", codec="h263", options={"b": "4M"})),
    "MJPEG AVI": Kind(
        Film(name="film.avi", codec="mjpeg", pixels="yuvj420p", full=True, options={"b": "20M"})
    ),
    "ProRes 4:2:2 10 bit": Kind(
        Film(name="film.mov", codec="prores_ks", pixels="yuv422p10le", matrix="bt709", options={})
    ),
    "FFV1 4:4:4": Kind(Film(name="film.mkv", codec="ffv1", pixels="yuv444p", options={})),
    "WMV ASF": Kind(Film(name="film.wmv", codec="wmv2", options={"b": "8M"})),
    "GIF": Kind(Film(name="film.gif", codec="gif", pixels="rgb8", rate=10, options={})),
    "APNG": Kind(Film(name="film.apng", codec="apng", pixels="rgb24", rate=10, options={})),
    "open groups, H.264 MP4": Kind(Film(frames=96, options={"g": "12", "x264-params": "open-gop=1"})),
    "open groups, HEVC MP4": Kind(
        Film(frames=96, codec="libx265", options={"x265-params": "keyint=12:log-level=none"})
    ),
    "open groups, HEVC MKV": Kind(
        Film(name="film.mkv", frames=96, codec="libx265", options={"x265-params": "keyint=12:log-level=none"})
    ),
    "intra refresh": Kind(
        Film(frames=60, options={"x264-params": "intra-refresh=1:keyint=12:bframes=0"})
    ),
    "variable rate MP4": Kind(Film(frames=12, stamps=VARIABLE)),
    "variable rate MKV": Kind(Film(name="film.mkv", frames=12, stamps=VARIABLE)),
    "anamorphic 64:45": Kind(Film(aspect=Fraction(64, 45)), displayed=(250, 144)),
    "anamorphic 3:4": Kind(Film(aspect=Fraction(3, 4)), displayed=(176, 192)),
    "anamorphic MKV": Kind(Film(name="film.mkv", aspect=Fraction(4, 3)), displayed=(235, 144)),
    **{f"display matrix: {name}": turned(name) for name in films.MATRICES},
}


def table() -> bool:
    """Print the table; return whether all is right."""
    print(f"{'kind':32}{'decoder':8}{'colour':>7}{'size':>10}{'time':>7}{'wrong':>6}{'decoders':>9}")
    right = True
    for name, kind in KINDS.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = measure(kind, Path(folder))
            except (decode.VideoError, Exception) as error:
                print(f"{name:32}{error!r}"[:170])
                right = False
                continue
        good = found.right and found.colour <= kind.colour
        right &= good
        size, apart = "x".join(map(str, found.size)), "" if found.between is None else f"{found.between:.0f}"
        print(
            f"{name:32}{found.decoder:8}{found.colour:7.2f}{size:>10}{found.time:7.2f}{found.wrong:6}{apart:>9}"
            f"{'' if good else '  WRONG'}"
        )
    return right


if __name__ == "__main__":
    sys.exit(not table())
