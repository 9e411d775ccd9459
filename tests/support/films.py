"""A kind of film in; a small file of it, and what a player shows of it by the arithmetic of the standards, out.

Every picture has four corners of flat colours, red, green / blue, white, which tell how it lies and what its colours
are, and a band that tells its number in binary, which tells its time.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from PIL import Image

SIZE = (176, 144)
"""Width and height; H.263 knows few others."""
BITS = 8
CORNERS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))
WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020nc": (0.2627, 0.0593)}
"""Shares of red and blue in brightness: ITU-R BT.601, BT.709, BT.2020."""
MATRIX_TAGS = {"bt601": 5, "bt709": 1, "bt2020nc": 9, "": 2}
FULL_TAGS = {True: 2, False: 1, None: 0}


@dataclass(frozen=True)
class Film:
    """How a film is written. What `shown` names is what a player shows of it."""

    name: str = "film.mp4"
    codec: str = "libx264"
    pixels: str = "yuv420p"
    size: tuple[int, int] = SIZE
    frames: int = 24
    rate: int = 25
    options: dict[str, str] = field(default_factory=lambda: {"g": "12", "crf": "4", "bf": "2"})
    muxer: dict[str, str] = field(default_factory=dict)
    matrix: str = "bt601"
    """The matrix by which it is written."""
    tagged: bool = True
    full: bool = False
    transfer: int = 2
    aspect: Fraction | None = None
    stamps: Sequence[float] | None = None
    """Seconds at which each frame is shown; None: evenly by the rate."""
    corners: Sequence[tuple[int, int, int]] = CORNERS
    first: int = 0
    """Number of the first picture."""
    natural: bool = False
    """Whether the pictures are a landscape instead of flat corners."""
    patch: Callable[[Path], None] | None = None
    """Changes the file's bytes."""

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        with av.open(str(path), "w", options=self.muxer) as container:
            stream = add_stream(container, self)
            for i in range(self.frames):
                container.mux(stream.encode(self.frame(i)))
            container.mux(stream.encode())
        if self.patch:
            self.patch(path)
        return path

    def frame(self, index: int) -> av.VideoFrame:
        made = self._frame(self.painted(index))
        if self.stamps is None:
            made.pts, made.time_base = index, Fraction(1, self.rate)
        else:
            made.pts, made.time_base = round(self.stamps[index] * 90_000), Fraction(1, 90_000)
        return made

    def painted(self, index: int) -> np.ndarray:
        """Return the picture that is written as the frame of this index, uint8 (height, width, 3)."""
        picture = painted(self.first + index, self.size, self.corners)
        return landscape(picture) if self.natural else picture

    def _frame(self, picture: np.ndarray) -> av.VideoFrame:
        format = av.VideoFormat(self.pixels)
        if self.pixels == "rgb8":
            return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="rgb8")
        if self.pixels == "rgba":
            with_alpha = np.dstack([picture, clear(self.size)])
            return av.VideoFrame.from_ndarray(with_alpha, format="rgba")
        if format.is_rgb:
            return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=self.pixels)
        made = av.VideoFrame(*self.size, self.pixels)
        stored = planes(picture, self) + self._opaque()
        for plane, values in zip(made.planes, stored, strict=True):
            kind = values.dtype
            rows = np.frombuffer(plane, kind).reshape(plane.height, plane.line_size // kind.itemsize)
            rows[:, : plane.width] = values
        made.colorspace = MATRIX_TAGS[self.matrix if self.tagged else ""]
        made.color_range = FULL_TAGS[self.full if self.tagged else None]
        made.color_trc = self.transfer
        return made

    def _opaque(self) -> list[np.ndarray]:
        if not self.pixels.startswith("yuva"):
            return []
        values = clear(self.size)
        return [values if _bits(self) == 8 else (values / 255 * (2 ** _bits(self) - 1)).astype(np.uint16)]

    def times(self) -> np.ndarray:
        """Return when each frame is shown, from the first."""
        return np.arange(self.frames) / self.rate if self.stamps is None else np.array(self.stamps)

    def shown_picture(self, index: int) -> np.ndarray:
        """Return the 4:2:0 picture that is stored by the standard's arithmetic, float (height, width, 3)."""
        light, *colours = planes(self.painted(index), self)
        whole = [light, *(np.kron(plane, np.ones((2, 2), plane.dtype)) for plane in colours)]
        return to_rgb([plane.astype(float) for plane in whole], self, self.matrix)

    def shown_corners(self, matrix: str | None = None) -> np.ndarray:
        """Return the colours that the stored corners are by the standard's arithmetic, float (4, 3)."""
        if av.VideoFormat(self.pixels).is_rgb:
            return np.array(self.corners, float)
        deep = self.pixels.partition("p")[2].removesuffix("le")
        film = self if "gray" in self.pixels else replace(self, pixels=f"yuv444p{deep}{'le' * bool(deep)}")
        picture = np.array(self.corners, np.uint8).reshape(2, 2, 3)
        return to_rgb(planes(picture, film), film, matrix or self.matrix).reshape(4, 3)


def add_stream(container, film: Film):
    stream = container.add_stream(film.codec, rate=film.rate, options=film.options)
    stream.width, stream.height, stream.pix_fmt = *film.size, film.pixels
    context = stream.codec_context
    context.time_base = Fraction(1, film.rate) if film.stamps is None else Fraction(1, 90_000)
    if not av.VideoFormat(film.pixels).is_rgb:
        context.colorspace = MATRIX_TAGS[film.matrix if film.tagged else ""]
        context.color_range = FULL_TAGS[film.full if film.tagged else None]
        context.color_trc = film.transfer
    if film.aspect:
        context.sample_aspect_ratio = film.aspect
    return stream


def painted(index: int, size: tuple[int, int] = SIZE, corners=CORNERS) -> np.ndarray:
    """Return the picture of a number, uint8 (height, width, 3)."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    half, middle = height // 2, width // 2
    picture[:half, :middle], picture[:half, middle:] = corners[0], corners[1]
    picture[half:, :middle], picture[half:, middle:] = corners[2], corners[3]
    top, bottom = height * 3 // 8, height * 5 // 8
    for bit in range(BITS):
        columns = slice(bit * width // BITS, (bit + 1) * width // BITS)
        picture[top:bottom, columns] = 220 if index >> bit & 1 else 40
    return picture


def landscape(picture: np.ndarray) -> np.ndarray:
    """Return the picture with clouds in place of its corners."""
    height, width = picture.shape[:2]
    band = slice(height * 3 // 8, height * 5 // 8)
    shown = clouds(height, width).copy()
    shown[band] = picture[band]
    return shown


@cache
def clouds(height: int, width: int) -> np.ndarray:
    """Return noise of natural pictures' spectrum over a sky's gradient, uint8 (height, width, 3).

    Amplitudes fall with the spatial frequency, and colours vary less than brightness.
    """
    waves = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    noise = np.random.default_rng(0).standard_normal((4, height, width))
    made = np.fft.irfft2(np.fft.rfft2(noise) / np.maximum(waves, 1 / width) ** 1.2, (height, width))
    made /= made.std((1, 2), keepdims=True)
    sky = np.array((90, 130, 190)) + np.linspace(-40, 50, height)[:, None, None] * np.array((1, 0.7, -0.5))
    shown = sky + 28 * made[0, ..., None] + 8 * np.moveaxis(made[1:], 0, -1)
    return np.clip(shown, 0, 255).round().astype(np.uint8)


def clear(size: tuple[int, int]) -> np.ndarray:
    """Return how opaque each pixel is, uint8: the lower right corner is fully transparent."""
    width, height = size
    opaque = np.full((height, width), 255, np.uint8)
    opaque[height * 5 // 8 :, width // 2 :] = 0
    return opaque


def number(picture: np.ndarray) -> int:
    """Return the number that a picture shows."""
    height, width = picture.shape[:2]
    band = picture[height * 7 // 16 : height * 9 // 16]
    centres = [(2 * bit + 1) * width // (2 * BITS) for bit in range(BITS)]
    return sum(int(band[:, c - 2 : c + 3].mean() > 130) << bit for bit, c in enumerate(centres))


def corners(picture: np.ndarray) -> np.ndarray:
    """Return the colours in the middles of the flat corners, float (4, 3)."""
    height, width = picture.shape[:2]
    rows, columns = (height * 3 // 16, height * 13 // 16), (width // 4, width * 3 // 4)
    return np.array(
        [picture[y - 4 : y + 5, x - 4 : x + 5].reshape(-1, 3).mean(0) for y in rows for x in columns]
    )


def planes(picture: np.ndarray, film: Film) -> list[np.ndarray]:
    """Return the planes of brightness and colour differences that the film stores."""
    red, blue = WEIGHTS[film.matrix]
    rgb = picture.astype(float) / 255
    light = rgb @ np.array([red, 1 - red - blue, blue])
    values = [light]
    bits = _bits(film)
    unit = 2 ** (bits - 8)
    if "gray" not in film.pixels:
        values += [(rgb[..., 2] - light) / (2 - 2 * blue), (rgb[..., 0] - light) / (2 - 2 * red)]
        wide = 2 if "420" in film.pixels or "422" in film.pixels else 1
        high = 2 if "420" in film.pixels else 1
        values[1:] = [_averaged(value, high, wide) for value in values[1:]]
    top = 2**bits - 1
    scaled = [
        (value * top + (top + 1) / 2 * (i > 0))
        if film.full
        else (value * (219 if i == 0 else 224) + (16 if i == 0 else 128)) * unit
        for i, value in enumerate(values)
    ]
    return [np.clip(np.round(value), 0, top).astype(np.uint8 if bits == 8 else np.uint16) for value in scaled]


def to_rgb(stored: list[np.ndarray], film: Film, matrix: str) -> np.ndarray:
    """Return what whole planes show, float RGB from 0 to 255."""
    red, blue = WEIGHTS[matrix]
    bits = _bits(film)
    unit, top = 2 ** (bits - 8), 2**bits - 1
    if film.full:
        light, *rest = [(p - (top + 1) / 2 * (i > 0)) / top for i, p in enumerate(stored)]
    else:
        light, *rest = [
            (p / unit - (16 if i == 0 else 128)) / (219 if i == 0 else 224) for i, p in enumerate(stored)
        ]
    if not rest:
        return np.repeat(255 * np.clip(light, 0, 1)[..., None], 3, -1)
    b, r = light + (2 - 2 * blue) * rest[0], light + (2 - 2 * red) * rest[1]
    g = (light - red * r - blue * b) / (1 - red - blue)
    return 255 * np.clip(np.stack([r, g, b], -1), 0, 1)


def _bits(film: Film) -> int:
    return max(component.bits for component in av.VideoFormat(film.pixels).components)


def _averaged(value: np.ndarray, high: int, wide: int) -> np.ndarray:
    height, width = (-(-n // k) for n, k in zip(value.shape, (high, wide), strict=True))
    padded = np.pad(value, ((0, height * high - value.shape[0]), (0, width * wide - value.shape[1])), "edge")
    return padded.reshape(height, high, width, wide).mean((1, 3))


def write_side_by_side(path: Path, streams: Sequence[Film], default: int) -> Path:
    """Write several films into one file, of which one is marked as the one to play."""
    with av.open(str(path), "w") as container:
        added = [add_stream(container, film) for film in streams]
        for i, stream in enumerate(added):
            stream.disposition = Disposition.default if i == default else Disposition(0)
        for index in range(streams[0].frames):
            for film, stream in zip(streams, added, strict=True):
                container.mux(stream.encode(film.frame(index)))
        for stream in added:
            container.mux(stream.encode())
    return path


def write_with_cover(path: Path, film: Film, marked: Disposition = Disposition.attached_pic) -> Path:
    """Write a film behind its cover, and how the cover is marked."""
    cover = Film(codec="mjpeg", pixels="yuvj420p", full=True, size=(320, 320), frames=1, options={})
    with av.open(str(path), "w") as container:
        front, stream = add_stream(container, cover), add_stream(container, film)
        front.disposition = marked
        container.mux([*front.encode(cover.frame(77)), *front.encode()])
        for index in range(film.frames):
            container.mux(stream.encode(film.frame(index)))
        container.mux(stream.encode())
    return path


def write_one_after_the_other(path: Path, films: Sequence[Film]) -> Path:
    """Write H.264 films as one stream of a transport stream: a broadcast that changes on the way."""
    with av.open(str(path), "w") as container:
        stream, before = add_stream(container, films[0]), 0
        for film in films:
            encoder = av.CodecContext.create(film.codec, "w")
            encoder.width, encoder.height, encoder.pix_fmt = *film.size, film.pixels
            encoder.time_base, encoder.options = Fraction(1, film.rate), film.options
            frames = [replace(film, first=before).frame(i) for i in range(film.frames)]
            for packet in [p for frame in (*frames, None) for p in encoder.encode(frame)]:
                packet.pts, packet.dts = packet.pts + before, packet.dts + before
                packet.stream = stream
                container.mux(packet)
            before += film.frames
    return path


def write_webp(path: Path, film: Film) -> Path:
    """Write an animated WebP file with an alpha channel."""
    pictures = [
        np.dstack([painted(i, film.size, film.corners), clear(film.size)]) for i in range(film.frames)
    ]
    return _write_by_pillow(path, pictures, film.rate, lossless=True)


def write_avif(path: Path, film: Film) -> Path:
    """Write an AVIF sequence."""
    pictures = [painted(i, film.size, film.corners) for i in range(film.frames)]
    return _write_by_pillow(path, pictures, film.rate, quality=100, subsampling="4:4:4")


def _write_by_pillow(path: Path, arrays: list[np.ndarray], rate: int, **options: Any) -> Path:
    first, *others = (Image.fromarray(array) for array in arrays)
    first.save(path, save_all=True, append_images=others, duration=1000 // rate, **options)
    return path


ONE = 0x10000
MATRICES = {
    "as stored": (ONE, 0, 0, 0, ONE, 0),
    "mirrored": (-ONE, 0, 0, 0, ONE, 0),
    "upside down": (ONE, 0, 0, 0, -ONE, 0),
    "half a turn": (-ONE, 0, 0, 0, -ONE, 0),
    "a quarter turn": (0, ONE, 0, -ONE, 0, 0),
    "three quarters": (0, -ONE, 0, ONE, 0, 0),
    "transposed": (0, ONE, 0, ONE, 0, 0),
    "transposed over": (0, -ONE, 0, -ONE, 0, 0),
}
"""Display matrices a b u c d v of ISO/IEC 14496-12: x' = a x + c y, y' = b x + d y."""


def undone(matrix: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return what makes the stored picture of a shown one, pixel by pixel from the matrix's definition."""
    a, b, _, c, d, _ = (np.sign(value) for value in MATRICES[matrix])

    def stored(shown: np.ndarray) -> np.ndarray:
        height, width = shown.shape[:2] if a else shown.shape[1::-1]
        y, x = np.mgrid[:height, :width]
        return shown[_placed(b * x + d * y), _placed(a * x + c * y)]

    return stored


def _placed(steps: np.ndarray) -> np.ndarray:
    """Return places from 0 on: a matrix that turns is followed by a shift back into view."""
    return (steps - steps.min()).astype(int)


def with_matrix(matrix: str) -> Callable[[Path], None]:
    """Return what writes a display matrix into the track's header."""

    def patch(path: Path) -> None:
        data = bytearray(path.read_bytes())
        at = data.find(b"tkhd") + 4
        start = at + 4 + (20 if data[at] == 0 else 32) + 16
        data[start : start + 24] = struct.pack(">6i", *MATRICES[matrix])
        path.write_bytes(data)

    return patch


def pq_light(signal: float) -> float:
    """Return cd/m2 by SMPTE ST 2084, whose constants are fractions of 4096."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = signal ** (1 / m2)
    return 10_000 * (max(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


def hlg_light(signal: float) -> float:
    """Return cd/m2 of a grey by ITU-R BT.2100, on a screen of 1,000 cd/m2."""
    a = 0.17883277
    b = 1 - 4 * a
    c = 0.5 - a * math.log(4 * a)
    scene = signal**2 / 3 if signal <= 0.5 else (math.exp((signal - c) / a) + b) / 12
    return 1000 * scene**1.2


def sdr_signal(light: float) -> float:
    """Return the signal of a grey by ITU-R BT.2390's tone curve from 1,000 to 203 cd/m2, for a gamma of 2.4."""

    def signal(light: float) -> float:
        m1, m2 = 2610 / 16384, 2523 / 4096 * 128
        c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
        power = (light / 10_000) ** m1
        return ((c1 + c2 * power) / (1 + c3 * power)) ** m2

    top = signal(1000)
    e1, highest = min(signal(light) / top, 1), signal(203) / top
    knee = 1.5 * highest - 0.5
    if e1 > knee:
        t = (e1 - knee) / (1 - knee)
        e1 = (
            (2 * t**3 - 3 * t**2 + 1) * knee
            + (t**3 - 2 * t**2 + t) * (1 - knee)
            + (3 * t**2 - 2 * t**3) * highest
        )
    return min(pq_light(e1 * top) / 203, 1) ** (1 / 2.4)
