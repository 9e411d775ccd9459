"""Names of kinds of films in; how each is written, and what a player shows of it, out: the rows of the truth table."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.support import boxes, films, many_streams
from tests.support.films import Film


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

    def difference(self, stored: Sequence[np.ndarray]) -> float:
        """Return how far pictures are from what is shown: the largest of flat corners, the mean of a landscape."""
        if self.film.natural:
            shown = [self.film.shown_picture(index) for index in range(len(stored))]
            return max(float(np.abs(p - s).mean()) for p, s in zip(stored, shown, strict=True))
        expected = self.film.shown_corners(self.matrix) if self.corners is None else self.corners
        return max(float(np.abs(films.corners(picture) - expected).max()) for picture in stored)

    @property
    def colour_limit(self) -> float:
        return 1.5 if self.film.natural else 2.0


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


def dolby_vision(kind: Kind, profile: int, compatible: int) -> Kind:
    return replace(kind, film=replace(kind.film, patch=boxes.with_dolby_vision(profile, compatible)))


def copied(name: str, film: Film) -> Kind:
    """Return a kind whose film was written before."""
    return Kind(film, write=lambda folder: Path(shutil.copy(WRITTEN / name, folder / name)))


def beside(other: Film, *patches: boxes.Patch, name: str = "film.mp4") -> Kind:
    """Return a film with another track of pictures behind it, whose headers are changed."""

    def write(folder: Path) -> Path:
        path = films.write_side_by_side(folder / name, [Film(), other], 0)
        for patch in patches:
            patch(path)
        return path

    return Kind(Film(), write=write)


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
WRITTEN = Path(__file__).with_name("films")
"""Films of codecs that the bundled FFmpeg reads but doesn't write: by libtheora (-q:v 10), and by libvvenc (-qp 8)."""
TURNED_CORNERS = films.CORNERS[::-1]
DNXHR = {"profile": "dnxhr_lb"}
SHOWN_OVER_WHITE = np.array(films.CORNERS, float)
SMALL = Film(size=(96, 80))

KINDS: dict[str, Kind] = {
    "H.264 BT.601": Kind(Film()),
    "H.264 BT.709": Kind(Film(matrix="bt709")),
    "H.264 BT.709 720p": Kind(replace(HD, matrix="bt709")),
    "H.264 landscape": Kind(Film(size=(352, 288), frames=12, natural=True)),
    "HEVC landscape": Kind(
        Film(
            codec="libx265",
            options=HEVC,
            size=(352, 288),
            frames=12,
            natural=True,
            matrix="bt709",
            pixels="yuv420p10le",
        )
    ),
    "H.264 untagged": Kind(Film(tagged=False)),
    "H.264 untagged 720p": Kind(replace(HD, matrix="bt709", tagged=False)),
    "H.264 full range": Kind(Film(full=True, pixels="yuvj420p")),
    "H.264 4:2:2": Kind(Film(pixels="yuv422p")),
    "H.264 4:4:4": Kind(Film(pixels="yuv444p")),
    "H.264 10 bit": Kind(Film(pixels="yuv420p10le", matrix="bt709")),
    "H.264 grey": Kind(Film(pixels="gray")),
    "H.264 MKV": Kind(Film(name="film.mkv")),
    "H.264 AVI": Kind(Film(name="film.avi", options={"g": "12", "crf": "4", "bf": "0"})),
    "H.264 AVI with B-frames": Kind(Film(name="film.avi", options={"g": "12", "crf": "4", "bf": "2"})),
    "H.264 ASF with B-frames": Kind(Film(name="film.wmv", options={"g": "12", "crf": "4", "bf": "2"})),
    "H.264 ASF, variable rate": Kind(
        Film(name="film.wmv", stamps=VARIABLE, frames=12, options={"g": "6", "crf": "4", "bf": "0"})
    ),
    "H.264 MXF with B-frames": Kind(Film(name="film.mxf", options={"g": "12", "crf": "4", "bf": "2"})),
    "H.264 FLV of key frames": Kind(Film(name="film.flv", options={"g": "1", "crf": "4"})),
    "H.264 FLV": Kind(Film(name="film.flv")),
    "H.264 FLV with near key frames": Kind(Film(name="film.flv", options={"g": "3", "crf": "4", "bf": "2"})),
    "H.264 TS": Kind(Film(name="film.ts")),
    "H.264 raw": Kind(Film(name="film.h264", rate=10)),
    "Y4M": Kind(Film(name="film.y4m", codec="wrapped_avframe", options={})),
    "Y4M 10 bit": Kind(
        Film(
            name="film.y4m", codec="wrapped_avframe", options={}, muxer={"strict": "-1"}, pixels="yuv420p10le"
        )
    ),
    "H.264 fragmented": Kind(Film(muxer={"movflags": "frag_keyframe+empty_moov"})),
    "H.264 odd size": Kind(Film(size=(177, 145), pixels="yuv444p")),
    "H.264 one frame": Kind(Film(frames=1)),
    "HEVC BT.709": Kind(Film(codec="libx265", options=HEVC, matrix="bt709")),
    "HEVC BT.2020 10 bit": Kind(Film(codec="libx265", options=HEVC, matrix="bt2020nc", pixels="yuv420p10le")),
    "HEVC 12 bit 4:4:4": Kind(Film(codec="libx265", options=HEVC, pixels="yuv444p12le", matrix="bt709")),
    "HEVC 12 bit": Kind(Film(codec="libx265", options=HEVC, pixels="yuv420p12le", matrix="bt709")),
    "HEVC 12 bit 4:2:2": Kind(Film(codec="libx265", options=HEVC, pixels="yuv422p12le", matrix="bt709")),
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
    "MPEG-4 AVI with near key frames": Kind(
        Film(name="film.avi", codec="mpeg4", options={"qscale": "1", "flags": "qscale", "g": "3", "bf": "2"})
    ),
    "MPEG-2 AVI with near key frames": Kind(
        Film(name="film.avi", codec="mpeg2video", options={"b": "8M", "g": "3", "bf": "2"})
    ),
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
    "DNxHR MOV": Kind(
        Film(name="film.mov", codec="dnxhd", size=(256, 144), pixels="yuv422p", matrix="bt709", options=DNXHR)
    ),
    "DNxHR MXF": Kind(
        Film(name="film.mxf", codec="dnxhd", size=(256, 144), pixels="yuv422p", matrix="bt709", options=DNXHR)
    ),
    "Theora OGV": copied("theora.ogv", Film(tagged=False)),
    "H.266 10 bit": copied("vvc.mp4", Film(matrix="bt709", pixels="yuv420p10le")),
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
    "Dolby Vision 8.1, over PQ": dolby_vision(hdr("PQ"), 8, 1),
    "Dolby Vision 8.4, over HLG": dolby_vision(hdr("HLG"), 8, 4),
    "Dolby Vision 8.2, over BT.709": dolby_vision(
        Kind(Film(codec="libx265", options=HEVC, matrix="bt709", pixels="yuv420p10le")), 8, 2
    ),
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
    "AVIF sequence": Kind(
        Film(rate=10),
        write=lambda folder: films.write_avif(folder / "film.avif", Film(rate=10)),
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
    "picture before the film": Kind(
        Film(),
        write=lambda folder: films.write_with_cover(folder / "film.mp4", Film(), films.Disposition.default),
    ),
    "several programs in TS": Kind(
        Film(), write=lambda folder: many_streams.write_programs(folder / "film.ts", [SMALL, Film()])
    ),
    "thumbnails behind the film": beside(replace(SMALL, rate=1), boxes.with_chapters_in(2)),
    "large thumbnails behind the film": beside(Film(size=(352, 288)), boxes.with_chapters_in(2)),
    "second angle MP4": beside(Film(corners=TURNED_CORNERS)),
    "second angle MKV": beside(Film(corners=TURNED_CORNERS), name="film.mkv"),
    "depth behind the film": beside(Film(pixels="gray"), boxes.with_handler(2, b"auxv")),
    "time codes MOV": Kind(
        Film(),
        write=lambda folder: many_streams.write_with_time_code(folder / "film.mov", Film(), "10:00:00:00"),
    ),
    "sound longer than the film": Kind(
        Film(), write=lambda folder: many_streams.write_with_sound(folder / "film.mp4", Film(), 3)
    ),
    "sound longer than the film MKV": Kind(
        Film(), write=lambda folder: many_streams.write_with_sound(folder / "film.mkv", Film(), 3)
    ),
    "size change in TS": Kind(
        Film(),
        write=lambda folder: films.write_one_after_the_other(
            folder / "film.ts", [Film(frames=12), Film(frames=12, size=(352, 288))]
        ),
    ),
    "clean aperture": Kind(
        Film(patch=boxes.with_clean_aperture(160, 128, 0, 0)),
        displayed=(160, 128),
        undo=lambda picture: np.pad(picture, ((8, 8), (8, 8), (0, 0)), "edge"),
    ),
    **{f"display matrix: {name}": turned(name) for name in films.MATRICES},
}
