"""Films of every kind in; a table of how far what is read lies from what a player shows, out: `make check-truth`.

Limits: 2 of 255 in flat colours, the size and the corners as displayed, half a frame in time, 1 of 255 between decord
and PyAV where both may read a film.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from stan.data.video import backends, decoding
from stan.data.video.timeline import read_timeline
from tests.support import films
from tests.support.films import Film

COLOUR, TIME, DECODERS = 2.0, 0.5, 1
"""Largest differences: of 255, of a frame, of 255."""
SPARSE = (3, 7)
"""Numbers of pictures that are also asked for alone, spread over the film: after seeks, others may come."""


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
        near = self.colour <= COLOUR
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
    if decoding.probe(path).facts.decoder != "decord":
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
ALTERNATE = {"b": "8M", "auto-alt-ref": "1", "lag-in-frames": "10", "deadline": "good"}
"""VP8 with hidden pictures, which only help others."""
VP9 = {"crf": "4", "b": "0", "deadline": "realtime", "cpu-used": "8"}


def grey(*levels: float) -> tuple[tuple[int, int, int], ...]:
    """Return four corners of grey, as signals from 0 to 1 in 8 bit."""
    return tuple((round(255 * level),) * 3 for level in levels)


def hdr(transfer: str) -> Kind:
    """Return a film in high dynamic range, and what its corners are by the standards' formulas, one by one."""
    light = films.pq_light if transfer == "PQ" else films.hlg_light
    tags = {"PQ": 16, "HLG": 18}
    film = Film(
        codec="libx265",
        options=HEVC,
        matrix="bt2020nc",
        pixels="yuv420p10le",
        transfer=tags[transfer],
        corners=grey(0.2, 0.5, 0.58, 0.75),
    )
    signals = film.shown_corners() / 255
    shown = [[films.sdr_signal(light(signal)) for signal in corner] for corner in signals]
    return Kind(film, corners=255 * np.array(shown))


def offset(seconds: float, **changes) -> Kind:
    return Kind(Film(name="film.ts", muxer={"output_ts_offset": str(seconds)}, **changes))


def cut_by_edit_list() -> Kind:
    """Return a film whose first ten frames are only there because others need them."""
    film = Film(
        frames=30,
        stamps=[(i - 10) / 25 for i in range(30)],
        options={"g": "50", "crf": "4", "bf": "0"},
        muxer={"avoid_negative_ts": "disabled", "use_editlist": "1"},
    )
    return Kind(film, numbers=list(range(10, 30)))


TRANSPARENT = (*films.CORNERS[:3], (0, 0, 0))
SHOWN_OVER_WHITE = np.array(films.CORNERS, float)
SMALL = Film(size=(96, 80))

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
    "HEVC BT.2020 10 bit": Kind(Film(codec="libx265", options=HEVC, matrix="bt2020nc", pixels="yuv420p10le")),
    "HEVC 12 bit 4:4:4": Kind(Film(codec="libx265", options=HEVC, pixels="yuv444p12le", matrix="bt709")),
    "HEVC grey": Kind(Film(codec="libx265", options=HEVC, pixels="gray")),
    "VP8 WebM": Kind(Film(name="film.webm", codec="libvpx", options=VP9 | ALTERNATE)),
    "VP9 WebM BT.709": Kind(Film(name="film.webm", codec="libvpx-vp9", options=VP9, matrix="bt709")),
    "AV1 10 bit": Kind(
        Film(
            codec="libsvtav1",
            options={"crf": "4", "preset": "10", "svtav1-params": "pred-struct=1"},
            pixels="yuv420p10le",
            matrix="bt709",
        )
    ),
    "MPEG-4 AVI": Kind(Film(name="film.avi", codec="mpeg4", options={"qscale": "1", "flags": "qscale"})),
    "MPEG-2 TS": Kind(Film(name="film.ts", codec="mpeg2video", options={"b": "8M", "bf": "2", "g": "12"})),
    "MPEG-1 program stream": Kind(
        Film(name="film.mpg", codec="mpeg1video", options={"b": "8M", "bf": "2", "g": "12"})
    ),
    "MPEG-2 MXF": Kind(Film(name="film.mxf", codec="mpeg2video", options={"b": "8M"})),
    "H.263 3GP": Kind(Film(name="film.3gp", codec="h263", options={"b": "4M"}), displayed=(192, 144)),
    "MJPEG AVI": Kind(
        Film(name="film.avi", codec="mjpeg", pixels="yuvj420p", full=True, options={"b": "20M"})
    ),
    "ProRes 4:2:2 10 bit": Kind(
        Film(name="film.mov", codec="prores_ks", pixels="yuv422p10le", matrix="bt709", options={})
    ),
    "FFV1 4:4:4": Kind(Film(name="film.mkv", codec="ffv1", pixels="yuv444p", options={})),
    "WMV ASF": Kind(Film(name="film.wmv", codec="wmv2", options={"b": "8M"})),
    "GIF": Kind(
        Film(name="film.gif", codec="gif", pixels="rgb8", rate=10, options={}),
        corners=np.array([(252, 0, 0), (0, 252, 0), (0, 0, 255), (252, 252, 255)], float),
    ),
    "APNG": Kind(Film(name="film.apng", codec="apng", pixels="rgb24", rate=10, options={})),
    "open groups, H.264 MP4": Kind(Film(frames=96, options={"g": "12", "x264-params": "open-gop=1"})),
    "open groups, HEVC MP4": Kind(
        Film(frames=96, codec="libx265", options={"x265-params": "keyint=12:log-level=none"})
    ),
    "open groups, HEVC MKV": Kind(
        Film(name="film.mkv", frames=96, codec="libx265", options={"x265-params": "keyint=12:log-level=none"})
    ),
    "intra refresh": Kind(Film(frames=60, options={"x264-params": "intra-refresh=1:keyint=12:bframes=0"})),
    "variable rate MP4": Kind(Film(frames=12, stamps=VARIABLE)),
    "variable rate MKV": Kind(Film(name="film.mkv", frames=12, stamps=VARIABLE)),
    "anamorphic 64:45": Kind(Film(aspect=Fraction(64, 45)), displayed=(250, 144)),
    "anamorphic 3:4": Kind(Film(aspect=Fraction(3, 4)), displayed=(176, 192)),
    "anamorphic MKV": Kind(Film(name="film.mkv", aspect=Fraction(4, 3)), displayed=(235, 144)),
    "HDR PQ": hdr("PQ"),
    "HDR HLG": hdr("HLG"),
    "VP9 alpha": Kind(
        Film(name="film.webm", codec="libvpx-vp9", options=VP9, pixels="yuva420p", corners=TRANSPARENT),
        corners=SHOWN_OVER_WHITE,
    ),
    "ProRes 4:4:4:4 alpha": Kind(
        Film(
            name="film.mov",
            codec="prores_ks",
            pixels="yuva444p10le",
            options={"alpha_bits": "16"},
            corners=TRANSPARENT,
        ),
        corners=SHOWN_OVER_WHITE,
    ),
    "APNG alpha": Kind(
        Film(name="film.apng", codec="apng", pixels="rgba", rate=10, options={}, corners=TRANSPARENT),
        corners=SHOWN_OVER_WHITE,
    ),
    "WebP alpha": Kind(
        Film(rate=10, corners=TRANSPARENT),
        corners=SHOWN_OVER_WHITE,
        write=lambda folder: films.write_webp(folder / "film.webp", Film(rate=10, corners=TRANSPARENT)),
    ),
    "interlaced H.264": Kind(Film(options={"g": "12", "crf": "4", "flags": "+ildct+ilme"})),
    "interlaced MPEG-2 TS": Kind(
        Film(
            name="film.ts",
            codec="mpeg2video",
            options={"b": "8M", "g": "12", "flags": "+ildct+ilme", "field_order": "tt"},
        )
    ),
    "TS from 26 h": offset(26 * 3600.0),
    "TS over the 33-bit wrap": offset(2**33 / 90_000 - 0.5),
    "edit list": cut_by_edit_list(),
    "WebM without duration": Kind(
        Film(name="film.webm", codec="libvpx-vp9", options=VP9, muxer={"live": "1"})
    ),
    "two films, second default": Kind(
        Film(),
        write=lambda folder: films.write_side_by_side(folder / "film.mkv", [SMALL, Film()], 1),
    ),
    "cover before the film": Kind(
        Film(), write=lambda folder: films.write_with_cover(folder / "film.mp4", Film())
    ),
    "size change in TS": Kind(
        Film(),
        write=lambda folder: films.write_one_after_the_other(
            folder / "film.ts", [Film(frames=12), Film(frames=12, size=(352, 288))]
        ),
    ),
    "clean aperture": Kind(
        Film(patch=films.with_clean_aperture(160, 128, 0, 0)),
        displayed=(160, 128),
        undo=lambda picture: np.pad(picture, ((8, 8), (8, 8), (0, 0)), "edge"),
    ),
    **{f"display matrix: {name}": turned(name) for name in films.MATRICES},
}


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
