"""A film's colour tags and stored pixels in; the tags' names, what is assumed, and pictures in 8-bit RGB as shown, out.

High dynamic range is brought to standard range as ITU-R BT.2390 does: light above 203 cd/m2, the white of subtitles and
paper (BT.2408), is compressed so that 1,000 cd/m2 just become white; its shape below the knee is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc
from jaxtyping import Float32, UInt8, UInt16

MATRICES = {
    0: "rgb",
    1: "bt709",
    4: "fcc",
    5: "bt601",
    6: "bt601",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
    14: "ictcp",
    15: "ipt-c2",
}
"""Names of ISO/IEC 23091-2's numbers for how brightness and colour differences make RGB."""
UNTAGGED = 2
HD_LINES = 720
"""From so many lines on, a film that doesn't name its matrix is taken for BT.709, else for BT.601, as by players."""
SCALER_MATRICES = {
    "bt709": "bt709",
    "fcc": "fcc",
    "bt601": "bt601",
    "smpte240m": "smpte240m",
    "bt2020nc": "bt2020",
    "bt2020c": "bt2020",
}
"""FFmpeg's scaler's names of the matrices that it knows."""
CURVES = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}
BACKGROUND = 255
"""What transparent pixels show: white, like a page without a colour of its own."""

WHITE, PEAK = 203.0, 1000.0
"""Cd/m2 of SDR's white in HDR (BT.2408), and of the brightest light that is told from white."""
DISPLAY_GAMMA = 2.4
"""BT.1886's exponent from signal to light on a screen."""
BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
"""Linear RGB by BT.2087."""
BT2020_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)


@dataclass(frozen=True)
class Colour:
    """Colour tags of a film, with what is assumed in place of missing ones."""

    matrix: str
    primaries: str
    transfer: str
    range: str
    assumed: tuple[str, ...]
    """Names of the tags above that the film doesn't have."""
    hdr: str
    """PQ, HLG or empty."""


def colour(matrix: int, primaries: int, transfer: int, full_range: int, height: int, rgb: bool) -> Colour:
    """Return the tags' names. height: lines as stored; rgb: whether the pixels are stored as RGB."""
    assumed = []
    if rgb:
        named, reach = "rgb", "full"
    else:
        named = MATRICES.get(matrix, f"matrix {matrix}")
        if matrix == UNTAGGED:
            named = "bt709" if height >= HD_LINES else "bt601"
            assumed.append("matrix")
        reach = "full" if full_range == ColorRange.JPEG else "limited"
        if full_range == ColorRange.UNSPECIFIED:
            assumed.append("range")
    names = []
    for tag, kind, kinds, usual in (
        ("primaries", primaries, ColorPrimaries, "bt709"),
        ("transfer", transfer, ColorTrc, "bt709"),
    ):
        known = kind in kinds.__members__.values() and kind != UNTAGGED
        names.append(kinds(kind).name.lower() if known else usual)
        assumed += [] if known else [tag]
    return Colour(named, *names, reach, tuple(assumed), CURVES.get(transfer, ""))


def over_background(picture: UInt8[np.ndarray, "H W 4"]) -> UInt8[np.ndarray, "H W 3"]:
    """Return the picture over BACKGROUND."""
    alpha = picture[..., 3:].astype(np.uint16)
    mixed = picture[..., :3].astype(np.uint16) * alpha + np.uint16(BACKGROUND) * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def stretched(picture: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
    """Return a grey picture whose black is 16 and whose white is 235 with black 0 and white 255."""
    table = np.clip(np.round((np.arange(256) - 16) * 255 / 219), 0, 255).astype(np.uint8)
    return table[picture]


def to_sdr(signal: UInt16[np.ndarray, "H W 3"], hdr: str) -> UInt8[np.ndarray, "H W 3"]:
    """Return BT.2020 RGB in PQ or HLG, 16 bit, as 8-bit BT.709 RGB for a screen with a gamma of 2.4.

    The brightest of a pixel's colours goes through BT.2390's curve, and the others follow, so that hues stay.
    """
    light = _pq_light()[signal] if hdr == "PQ" else _hlg_light(signal)
    light = np.maximum(light @ BT2020_TO_BT709.T, 0)
    brightest = np.minimum(light.max(-1, keepdims=True), PEAK)
    gain = np.interp(brightest, *_curve()).astype(np.float32) / np.maximum(brightest, 1e-6)
    shown = np.clip(light * gain / np.float32(WHITE), 0, 1)
    return np.round(255 * shown ** np.float32(1 / DISPLAY_GAMMA)).astype(np.uint8)


def tone_curve(light: np.ndarray) -> np.ndarray:
    """Return what a screen with WHITE as its peak shows of light up to PEAK, both in cd/m2, by BT.2390's transfer."""
    top = float(pq_signal(np.array(PEAK)))
    given, most = pq_signal(light) / top, float(pq_signal(np.array(WHITE))) / top
    knee = 1.5 * most - 0.5
    t = np.clip((given - knee) / (1 - knee), 0, 1)
    bent = (
        (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    )
    return pq_light(np.where(given < knee, given, bent) * top)


def pq_light(signal: np.ndarray) -> np.ndarray:
    """Return cd/m2 of a PQ signal from 0 to 1 (SMPTE ST 2084)."""
    power = signal ** (1 / 78.84375)
    return 10000 * (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (
        1 / 0.1593017578125
    )


def pq_signal(light: np.ndarray) -> np.ndarray:
    """Return the PQ signal of cd/m2."""
    power = (light / 10000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def _hlg_light(signal: UInt16[np.ndarray, "H W 3"]) -> Float32[np.ndarray, "H W 3"]:
    """Return cd/m2 on a screen of PEAK, whose system gamma is 1.2 (BT.2100)."""
    scene = _hlg_scene()[signal]
    luminance = np.maximum(scene @ BT2020_LUMINANCE, 1e-6)[..., None]
    return np.float32(PEAK) * scene * luminance ** np.float32(0.2)


@cache
def _curve() -> tuple[np.ndarray, np.ndarray]:
    light = pq_light(np.linspace(0, float(pq_signal(np.array(PEAK))), 1024))
    return light, tone_curve(light)


@cache
def _pq_light() -> Float32[np.ndarray, " 65536"]:
    return pq_light(np.arange(65536) / 65535).astype(np.float32)


@cache
def _hlg_scene() -> Float32[np.ndarray, " 65536"]:
    """Return BT.2100's scene light, from 0 to 1, of every 16-bit HLG signal."""
    signal = np.arange(65536) / 65535
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12).astype(np.float32)
