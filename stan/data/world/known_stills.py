"""Random numbers in; stills, and what is exactly known of each, out: what probes of a CLIP's levels must read off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from stan.data.world.concepts import ALL, RGB
from stan.data.world.motions import Appearance
from stan.data.world.render import HEIGHT, WIDTH, Background, Scene, Track, render
from stan.data.world.stills import scatter
from stan.data.world.suites import draw_background

SMALL = (3.0, 5.0)
"""Radius of a small part, in pixels."""


@dataclass(frozen=True)
class KnownStills:
    """Pictures with the values of what can be asked about them."""

    pictures: np.ndarray
    """(N, H, W, 3) uint8."""
    numbers: dict[str, np.ndarray]
    """By name, values (N, k): what is read off is a number, or several, such as an angle's sine and cosine."""
    classes: dict[str, np.ndarray]
    """By name, indices (N,): what is read off is one of several kinds."""


def arrows(count: int, seed: int) -> KnownStills:
    """Return stills of one arrow: x, y and size as shares of the picture's height, from its centre, and turn."""
    rng = np.random.default_rng(seed)
    pictures, tracks = [], []
    for _ in range(count):
        look = Appearance(str(rng.choice(list(RGB))), "arrow")
        (track,) = scatter([look], rng)
        pictures.append(_picture(rng, track))
        tracks.append(track)
    angles = np.array([track.angle[0] for track in tracks])
    numbers = {
        "x": np.array([(track.x[0] - WIDTH / 2) / HEIGHT for track in tracks])[:, None],
        "y": np.array([(track.y[0] - HEIGHT / 2) / HEIGHT for track in tracks])[:, None],
        "size": np.array([track.radius[0] / HEIGHT for track in tracks])[:, None],
        "turn": np.stack([np.sin(angles), np.cos(angles)], 1),
    }
    return _known(pictures, numbers)


def shapes(count: int, seed: int) -> KnownStills:
    """Return stills of one shape: shape, colour and background."""
    rng = np.random.default_rng(seed)
    pictures, drawn = [], []
    for _ in range(count):
        kinds = [int(rng.integers(len(names))) for names in (ALL.shapes, ALL.colours, ALL.backgrounds)]
        shape, colour, background = kinds
        (track,) = scatter([Appearance(ALL.colours[colour], ALL.shapes[shape])], rng)
        scene = Scene(draw_background(ALL.backgrounds[background], rng, 1), (track,))
        pictures.append(render(scene)[0])
        drawn.append(kinds)
    return _known(pictures, {}, dict(zip(("shape", "colour", "background"), np.array(drawn).T, strict=True)))


def pairs(count: int, seed: int) -> KnownStills:
    """Return stills of two shapes that cover each other in part: whether the left one is in front."""
    rng = np.random.default_rng(seed)
    pictures, front = [], []
    for _ in range(count):
        first, second = scatter(_looks(rng, 2), rng)
        way = rng.uniform(0, 2 * np.pi)
        apart = 0.8 * max(first.radius[0], second.radius[0])
        second = replace(second, x=first.x + apart * np.cos(way), y=first.y + apart * np.sin(way))
        pictures.append(_picture(rng, first, second))  # the second is in front
        front.append(int(second.x[0] < first.x[0]))
    return _known(pictures, {}, {"front": np.array(front)})


def counted(count: int, seed: int) -> KnownStills:
    """Return stills of one shape or two: how many."""
    rng = np.random.default_rng(seed)
    many = rng.integers(0, 2, count)
    return _known([_picture(rng, *scatter(_looks(rng, 1 + k), rng)) for k in many], {}, {"count": many})


def parts(count: int, seed: int) -> KnownStills:
    """Return stills of a shape with a small part of another colour on it: the part's colour."""
    rng = np.random.default_rng(seed)
    pictures, colours = [], []
    for _ in range(count):
        whole, part = _looks(rng, 2)
        (track,) = scatter([whole], rng)
        on_it = replace(
            track,
            shape="circle",
            rgb=np.array([RGB[part.colour]]),
            radius=np.array([rng.uniform(*SMALL)]),
            x=track.x + 0.4 * track.radius * rng.uniform(-1, 1),
            y=track.y + 0.4 * track.radius * rng.uniform(-1, 1),
        )
        pictures.append(_picture(rng, track, on_it))
        colours.append(ALL.colours.index(part.colour))
    return _known(pictures, {}, {"part's colour": np.array(colours)})


def textures(count: int, seed: int) -> KnownStills:
    """Return stills of upright stripes alone, all of one period: where in their period they start."""
    rng = np.random.default_rng(seed)
    phases = rng.uniform(0, 2 * np.pi, count)
    pictures = []
    for phase in phases:
        drawn = draw_background("striped", rng, 1)
        shift = np.array([[phase * _PERIOD / (2 * np.pi), 0.0]])
        pictures.append(
            render(Scene(Background("striped", drawn.dark, drawn.light, _PERIOD, 0.0, shift), ()))[0]
        )
    return _known(pictures, {"phase": np.stack([np.sin(phases), np.cos(phases)], 1)})


_PERIOD = 14.0

KINDS: tuple[Callable[[int, int], KnownStills], ...] = (arrows, shapes, pairs, counted, parts, textures)
"""All kinds of stills; a name is asked about one kind alone."""


def _looks(rng: np.random.Generator, count: int) -> list[Appearance]:
    colours = rng.choice(ALL.colours, count, replace=False)
    return [Appearance(str(colour), str(rng.choice(ALL.shapes))) for colour in colours]


def _picture(rng: np.random.Generator, *tracks: Track) -> np.ndarray:
    return render(Scene(draw_background(str(rng.choice(ALL.backgrounds)), rng, 1), tracks))[0]


def _known(
    pictures: list[np.ndarray],
    numbers: dict[str, np.ndarray],
    classes: dict[str, np.ndarray] | None = None,
) -> KnownStills:
    told = {name: values.astype(np.float32) for name, values in numbers.items()}
    return KnownStills(np.stack(pictures), told, classes or {})
