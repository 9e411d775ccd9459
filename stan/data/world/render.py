"""A scene (shapes with their tracks over time, a background) in, uint8 frames (T, H, W, 3) out.

Pictures are drawn from signed distances, so that edges are smooth and motions smaller than a pixel show.
Letters: T frames, H and W pixels; u and v are a shape's own coordinates, in units of its radius.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

HEIGHT, WIDTH = 96, 112
"""Frame size in pixels: decord misreads very narrow videos, and three crops along this width differ."""

Field = np.ndarray


@dataclass(frozen=True)
class Track:
    """Where one shape is, and how it looks, at each of T moments."""

    shape: str
    x: np.ndarray
    """(T,) pixels from the left edge."""
    y: np.ndarray
    """(T,) pixels from the top edge."""
    radius: np.ndarray
    """(T,) pixels."""
    angle: np.ndarray
    """(T,) radians, clockwise on the screen."""
    rgb: np.ndarray
    """(T, 3) in 0..255."""
    opacity: np.ndarray
    """(T,) in 0..1."""

    @property
    def reversed(self) -> Track:
        """The track that is seen when the frames run backwards."""
        return replace(self, **{name: value[::-1] for name, value in vars(self).items() if name != "shape"})

    def boxes(self) -> np.ndarray:
        """Return boxes (T, 4): left, top, right, bottom in pixels. Transparent shapes have a box, too."""
        half = self.radius
        return np.stack([self.x - half, self.y - half, self.x + half, self.y + half], axis=1)


@dataclass(frozen=True)
class Background:
    """A texture of two greyish tones that may drift."""

    kind: str
    dark: np.ndarray
    """(3,) in 0..255."""
    light: np.ndarray
    """(3,) in 0..255."""
    scale: float
    """Period of the texture in pixels."""
    angle: float
    phase: np.ndarray
    """(T, 2) shift of the texture in pixels."""


@dataclass(frozen=True)
class Scene:
    """A background and the shapes on it; the last shape is in front."""

    background: Background
    tracks: tuple[Track, ...]

    @property
    def reversed(self) -> Scene:
        """The scene that is seen when the frames run backwards."""
        background = replace(self.background, phase=self.background.phase[::-1])
        return Scene(background, tuple(track.reversed for track in self.tracks))


def render(scene: Scene) -> np.ndarray:
    """Return frames (T, HEIGHT, WIDTH, 3), uint8."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32) + 0.5
    planes = _paint_background(scene.background, x, y)
    for track in scene.tracks:
        box = _reach(track)
        cover = _coverage(track, x[box], y[box])
        for plane, tone in zip(planes, track.rgb.T.astype(np.float32), strict=True):
            before = plane[:, *box]
            before += cover * (tone[:, None, None] - before)
    frames = np.empty((*planes.shape[1:], 3), np.uint8)
    np.rint(planes, out=frames.transpose(3, 0, 1, 2), casting="unsafe")  # all are mixtures of tones in 0..255
    return frames


def cover(scene: Scene) -> np.ndarray:
    """Return (T, HEIGHT, WIDTH) in 0..1: how much of each pixel the scene's shapes cover together."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32) + 0.5
    return 1 - np.prod([1 - _coverage(track, x, y) for track in scene.tracks], axis=0)


def _reach(track: Track) -> tuple[slice, slice]:
    """Return the rows and columns that the shape may touch at any moment; nothing of it shows beyond them."""
    reach = REACH * track.radius + 2  # pixels; the second extra one is for the smooth edges
    rows, columns = (
        slice(int(max(0, (place - reach).min())), int(max(0, np.ceil((place + reach).max()))))
        for place in (track.y, track.x)
    )
    return rows, columns


def _coverage(track: Track, x: Field, y: Field) -> Field:
    """Return (T, H, W) in 0..1: how much of each pixel the shape covers."""

    def over_time(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32)[:, None, None]

    radius, cos, sin = over_time(track.radius), over_time(np.cos(track.angle)), over_time(np.sin(track.angle))
    dx, dy = (x - over_time(track.x)) / radius, (y - over_time(track.y)) / radius
    distance = SHAPES[track.shape](cos * dx + sin * dy, cos * dy - sin * dx)
    return over_time(track.opacity) * np.clip(0.5 - distance * radius, 0.0, 1.0)


def _paint_background(background: Background, x: Field, y: Field) -> Field:
    """Return (3, T, H, W), a plane of memory for each colour: arithmetic on triples is several times slower."""
    shift = background.phase.astype(np.float32)[:, :, None, None]  # (T, 2, 1, 1)
    cos, sin = np.float32(np.cos(background.angle)), np.float32(np.sin(background.angle))
    along = (cos * x + sin * y + shift[:, 0]) * np.float32(2 * np.pi / background.scale)
    across = (cos * y - sin * x + shift[:, 1]) * np.float32(2 * np.pi / background.scale)
    share = TEXTURES[background.kind](along, across)  # (T, H, W)
    dark, light = background.dark.astype(np.float32), background.light.astype(np.float32)
    planes = share * (light - dark)[:, None, None, None]
    planes += dark[:, None, None, None]
    return planes


# Textures: two phases in radians in, the share of the light tone in 0..1 out.


def _soft(value: Field) -> Field:
    return np.clip(0.5 + 2.0 * value, 0.0, 1.0)


TEXTURES: dict[str, Callable[[Field, Field], Field]] = {
    "plain": lambda a, b: np.full_like(a, 0.5),
    "striped": lambda a, b: _soft(np.sin(a)),
    "dotted": lambda a, b: _soft(np.cos(a) + np.cos(b) - 1.0),
    "checkered": lambda a, b: _soft(np.sin(a / 2) * np.sin(b / 2)),
    "wavy": lambda a, b: _soft(np.sin(a + 1.8 * np.sin(b / 2))),
    "cloudy": lambda a, b: 0.5 + 0.25 * np.sin(a / 3 + np.sin(b / 2)) + 0.25 * np.sin(b / 4 + np.cos(a / 5)),
}


# Shapes: coordinates in, signed distance in units of the radius out (negative inside).


def _half_planes(u: Field, v: Field, normals: list[float], offset: float) -> Field:
    """Return the signed distance to a convex polygon.

    It is the largest distance to the lines whose outward normals point at `normals` (degrees).
    """
    angles = np.radians(normals)
    return np.maximum.reduce([np.float32(np.cos(a)) * u + np.float32(np.sin(a)) * v for a in angles]) - offset


def _box(u: Field, v: Field, half_width: float, half_height: float) -> Field:
    return np.maximum(np.abs(u) - half_width, np.abs(v) - half_height)


def _star(u: Field, v: Field) -> Field:
    """Return the signed distance to a five-pointed star: fold the plane into a tenth and measure against one edge."""
    sector = np.float32(2 * np.pi / 5)
    theta = np.abs((np.arctan2(u, -v) + sector / 2) % sector - sector / 2)
    radius = np.hypot(u, v)
    a, b = np.array([0.0, 1.0]), 0.42 * np.array([np.sin(np.pi / 5), np.cos(np.pi / 5)])
    normal = np.array([a[1] - b[1], b[0] - a[0]]) / np.hypot(*(a - b))
    px, py = radius * np.sin(theta), radius * np.cos(theta)
    return np.float32(normal[0]) * px + np.float32(normal[1]) * (py - 1.0)


def _heart(u: Field, v: Field) -> Field:
    w = np.abs(u)
    lobes = np.hypot(w - 0.46, v + 0.35) - 0.5
    point = np.maximum(np.float32(0.7071) * (w + v) - 0.62, -0.35 - v)
    return np.minimum(lobes, point)


REACH = 1.3
"""Distance from a shape's centre, in radii, within which all of it lies; the heart's shoulders reach 1.28."""

SHAPES: dict[str, Callable[[Field, Field], Field]] = {
    "circle": lambda u, v: np.hypot(u, v) - 0.9,
    "square": lambda u, v: _box(u, v, 0.78, 0.78),
    "triangle": lambda u, v: _half_planes(u, v, [90, 210, 330], 0.52),
    "cross": lambda u, v: np.minimum(_box(u, v, 0.95, 0.3), _box(u, v, 0.3, 0.95)),
    "crescent": lambda u, v: np.maximum(np.hypot(u, v) - 0.95, 0.78 - np.hypot(u - 0.42, v)),
    "arrow": lambda u, v: np.minimum(
        _box(u + 0.4, v, 0.6, 0.22), _half_planes(u - 0.25, v, [180, 300, 60], 0.4)
    ),
    "star": _star,
    "heart": _heart,
    "ring": lambda u, v: np.abs(np.hypot(u, v) - 0.7) - 0.22,
}
