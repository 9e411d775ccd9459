"""Random numbers in, a still and its caption out, which says what is shown, never where, how large or how turned."""

from __future__ import annotations

import numpy as np

from stan.data.world.concepts import ALL, RGB
from stan.data.world.motions import Appearance
from stan.data.world.render import HEIGHT, WIDTH, Scene, Track, render
from stan.data.world.suites import draw_background

FORMS = ("{}", "a picture of {}", "there is {}", "this is {}")


def draw_still(rng: np.random.Generator) -> tuple[np.ndarray, str]:
    """Return a picture (H, W, 3) uint8 of one or two shapes, and its caption."""
    background = str(rng.choice(ALL.backgrounds))
    count = rng.integers(1, 3)
    colours = rng.choice(ALL.colours, count, replace=False)
    looks = [Appearance(str(c), str(rng.choice(ALL.shapes))) for c in colours]
    scene = Scene(draw_background(background, rng, 1), scatter(looks, rng))
    what = " and ".join(str(look) for look in looks)
    if rng.random() < 0.7:
        what += f" on a {background} background"
    return render(scene)[0], str(rng.choice(FORMS)).format(what)


def draw_stills(count: int, seed: int | tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    """Return pictures (count, H, W, 3) uint8 and their captions; equal seeds give equal stills."""
    rng = np.random.default_rng(seed)
    pairs = [draw_still(rng) for _ in range(count)]
    return np.stack([picture for picture, _ in pairs]), [caption for _, caption in pairs]


def scatter(looks: list[Appearance], rng: np.random.Generator) -> tuple[Track, ...]:
    """Place the shapes anywhere in the centre crop, of any size and turn; two shapes leave most of each other free."""
    radii = rng.uniform(7, 23, len(looks)) if len(looks) == 1 else rng.uniform(7, 17, len(looks))
    margin = (WIDTH - HEIGHT) / 2
    while True:
        x = margin + rng.uniform(0.7 * radii, HEIGHT - 0.7 * radii)
        y = rng.uniform(0.7 * radii, HEIGHT - 0.7 * radii)
        if len(looks) == 1 or np.hypot(x[0] - x[1], y[0] - y[1]) > 0.8 * radii.sum():
            break
    angles = rng.uniform(0, 2 * np.pi, len(looks))
    one = np.ones(1)
    return tuple(
        Track(
            look.shape,
            x[i] * one,
            y[i] * one,
            radii[i] * one,
            angles[i] * one,
            np.array([RGB[look.colour]]),
            one,
        )
        for i, look in enumerate(looks)
    )
