"""An event (a motion and one or two looks) in, its sentence and its tracks over time out.

Motions come in pairs, each the time reversal of the other, or alone where the reversal is the same motion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from stan.data.world.concepts import RGB, ROUND, Vocabulary
from stan.data.world.render import HEIGHT, WIDTH, Track

MARGIN = 10.0
"""Pixels at the left and right that shapes keep free: those that centre crops cut off, and 2 to spare."""


@dataclass(frozen=True)
class Appearance:
    colour: str
    shape: str

    def __str__(self) -> str:
        return f"{_article(self.colour)} {self.colour} {self.shape}"


@dataclass(frozen=True)
class Event:
    """A motion and the looks (colour and shape) that take part in it; some motions need two."""

    motion: str
    looks: tuple[Appearance, ...]

    @property
    def reversed(self) -> Event:
        """The event that is seen when the frames run backwards."""
        if self.motion == "recolour":
            return Event(self.motion, self.looks[::-1])
        return Event(MOTIONS[self.motion].reversal or self.motion, self.looks)

    @property
    def named(self) -> tuple[Appearance, ...]:
        """Looks in the order in which the motion's template names them."""
        return tuple(self.looks[i] for i in MOTIONS[self.motion].named)

    def sentence(self, wording: int = 0, anonymous: bool = False) -> str:
        """Return one clause without the background.

        wording: chooses a paraphrase. anonymous: names no shape, says `something` instead.
        """
        phrases = MOTIONS[self.motion].phrases
        first, last = self.looks[0], self.looks[-1]
        names = {"a": first, "b": last, "shape": f"a {first.shape}", "old": first.colour, "new": last.colour}
        if anonymous:
            names |= dict.fromkeys(("a", "b", "shape"), "something")
        return phrases[wording % len(phrases)].format(**names)


@dataclass(frozen=True)
class Motion:
    """A motion's phrases, its reversal, the number of looks it takes, and how its tracks run."""

    phrases: tuple[str, ...]
    template: str
    """A label like Something-Something's, with the objects in brackets."""
    tracks: Callable[[np.random.Generator, int], list[dict[str, np.ndarray]]] | None
    """Draws the tracks over a number of frames; None: the reversal's tracks, run backwards."""
    reversal: str | None = None
    looks: int = 1
    named: tuple[int, ...] = (0,)
    """Indices of the looks that the template's brackets stand for."""
    turns: bool = False
    """Whether the motion takes only shapes that look different when they turn."""


def class_name(motion: str) -> str:
    """Return the motion's template without its brackets, the form in which Something-Something names its classes."""
    return MOTIONS[motion].template.replace("[", "").replace("]", "")


def draw_event(motion: str, words: Vocabulary, rng: np.random.Generator) -> Event:
    """Return the motion with looks drawn from `words`; two looks differ in colour."""
    kind = MOTIONS[motion]
    shapes = [s for s in words.shapes if not (kind.turns and s in ROUND)]
    colours = rng.choice(words.colours, kind.looks, replace=False)
    chosen = rng.choice(shapes, kind.looks)
    if motion == "recolour":
        chosen[:] = chosen[0]
    return Event(motion, tuple(Appearance(str(c), str(s)) for c, s in zip(colours, chosen, strict=True)))


def tracks_of(event: Event, rng: np.random.Generator, frames: int) -> tuple[Track, ...]:
    """Return one Track over `frames` moments for each shape in the picture; the last one is in front."""
    kind = MOTIONS[event.motion]
    if kind.tracks is None:
        return tuple(track.reversed for track in tracks_of(event.reversed, rng, frames))
    paths = kind.tracks(rng, frames)
    looks = event.looks[: len(paths)]
    tracks = tuple(
        Track(look.shape, **_at_rest(rng, look, frames) | path)
        for look, path in zip(looks, paths, strict=True)
    )
    if event.motion == "recolour":
        share = _progress(rng, frames)[:, None]
        rgb = (1 - share) * RGB[event.looks[0].colour] + share * np.array(RGB[event.looks[1].colour])
        tracks = (replace(tracks[0], rgb=rgb),)
    return tracks[::-1]


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _at_rest(rng: np.random.Generator, look: Appearance, frames: int) -> dict[str, np.ndarray]:
    """Return all values of a track for a shape that does nothing."""
    one = np.ones(frames)
    radius = rng.uniform(11, 17)
    x, y = _place(rng, radius)
    return {
        "x": x * one,
        "y": y * one,
        "radius": radius * one,
        "angle": rng.uniform(0, 2 * np.pi) * one,
        "rgb": one[:, None] * RGB[look.colour],
        "opacity": one,
    }


def _place(rng: np.random.Generator, room: float) -> tuple[float, float]:
    """Return a point at least `room` pixels from the edges of the centre crop."""
    return rng.uniform(MARGIN + room, WIDTH - MARGIN - room), rng.uniform(room, HEIGHT - room)


def _progress(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Return the progress (T,) from 0 to 1: rest, steady change, rest."""
    start, end = rng.uniform(0, 0.15), rng.uniform(0.85, 1.0)
    return np.clip((np.linspace(0, 1, frames) - start) / (end - start), 0, 1)


def _shift(rng: np.random.Generator, frames: int, horizontal: bool) -> list[dict[str, np.ndarray]]:
    """Move to the right, or down, by more than two of the tiny CLIP's patches (24 pixels each)."""
    radius, distance = rng.uniform(11, 16), rng.uniform(52, 60)
    x, y = _place(rng, radius + 1)
    low, high = (MARGIN + radius, WIDTH - MARGIN - radius) if horizontal else (radius, HEIGHT - radius)
    moving = rng.uniform(low, high - distance) + distance * _progress(rng, frames)
    still = np.ones(frames)
    place = {"x": moving, "y": y * still} if horizontal else {"x": x * still, "y": moving}
    return [place | {"radius": radius * still}]


def _grow(rng: np.random.Generator, frames: int) -> list[dict[str, np.ndarray]]:
    small = rng.uniform(6, 10)
    large = small + rng.uniform(8, 18)
    x, y = _place(rng, large)
    still = np.ones(frames)
    return [{"x": x * still, "y": y * still, "radius": small + (large - small) * _progress(rng, frames)}]


def _turn(rng: np.random.Generator, frames: int) -> list[dict[str, np.ndarray]]:
    """Turn a shape that is large enough to cover several patches: within a single one, its direction would hardly show.

    The turn is so slow that between two of 8 frames even a star, which looks the same after a fifth of a turn, turns by
    less than half of that.
    """
    radius = rng.uniform(15, 23)
    x, y = _place(rng, radius)
    still, start, angle = np.ones(frames), rng.uniform(0, 2 * np.pi), rng.uniform(1.4, 2.4)
    place = {"x": x * still, "y": y * still, "radius": radius * still}
    return [place | {"angle": start + angle * _progress(rng, frames)}]


def _appear(rng: np.random.Generator, frames: int) -> list[dict[str, np.ndarray]]:
    moment, width = rng.uniform(0.3, 0.6), rng.uniform(0.05, 0.3)
    return [{"opacity": np.clip((np.linspace(0, 1, frames) - moment) / width, 0, 1)}]


def _swing(rng: np.random.Generator, frames: int) -> list[dict[str, np.ndarray]]:
    radius, reach = rng.uniform(11, 15), rng.uniform(6, 20)
    x, y = _place(rng, radius)
    x = np.clip(x, MARGIN + radius + reach, WIDTH - MARGIN - radius - reach)
    wave = np.cos(2 * np.pi * rng.choice([1.0, 1.5, 2.0]) * np.linspace(0, 1, frames))
    still = np.ones(frames)
    return [{"x": x + reach * wave, "y": y * still, "radius": radius * still}]


def _pulse(rng: np.random.Generator, frames: int) -> list[dict[str, np.ndarray]]:
    middle, reach = rng.uniform(11, 14), rng.uniform(3, 6)
    x, y = _place(rng, middle + reach)
    wave = np.cos(2 * np.pi * rng.choice([1.0, 2.0]) * np.linspace(0, 1, frames))
    still = np.ones(frames)
    return [{"x": x * still, "y": y * still, "radius": middle + reach * wave}]


def _blink(rng: np.random.Generator, frames: int) -> list[dict[str, np.ndarray]]:
    wave = np.cos(2 * np.pi * rng.choice([1.0, 2.0]) * np.linspace(0, 1, frames))
    return [{"opacity": np.clip(0.5 + 1.5 * wave, 0, 1)}]


def _rest(rng: np.random.Generator, frames: int) -> list[dict[str, np.ndarray]]:
    return [{}]


def _approach(rng: np.random.Generator, frames: int) -> list[dict[str, np.ndarray]]:
    """Move the first shape next to the second, which rests."""
    return _meeting(rng, frames, nearest=rng.uniform(1.7, 2.1))


def _cover(rng: np.random.Generator, frames: int) -> list[dict[str, np.ndarray]]:
    """Slide the first shape over the second, smaller one, so that it hides it."""
    return _meeting(rng, frames, nearest=0.0)


def _meeting(rng: np.random.Generator, frames: int, nearest: float) -> list[dict[str, np.ndarray]]:
    large, small = rng.uniform(13, 16), rng.uniform(8, 10)
    gap = nearest * (large + small) / 2
    path = rng.uniform(28, 40)
    while True:  # until the whole path lies inside the picture
        x, y = _place(rng, small)
        way = rng.uniform(0, 2 * np.pi)
        far_x, far_y = x + (gap + path) * np.cos(way), y + (gap + path) * np.sin(way)
        near_x, near_y = x + gap * np.cos(way), y + gap * np.sin(way)
        xs, ys = np.array([far_x, near_x]), np.array([far_y, near_y])
        if np.all(
            (xs > MARGIN + large) & (xs < WIDTH - MARGIN - large) & (ys > large) & (ys < HEIGHT - large)
        ):
            break
    share, still = _progress(rng, frames), np.ones(frames)
    mover = {
        "x": far_x + (near_x - far_x) * share,
        "y": far_y + (near_y - far_y) * share,
        "radius": large * still,
    }
    return [mover, {"x": x * still, "y": y * still, "radius": small * still}]


MOTIONS: dict[str, Motion] = {
    "right": Motion(
        ("{a} moves to the right", "{a} slides right"),
        "Moving [something] to the right",
        lambda rng, frames: _shift(rng, frames, True),
        "left",
    ),
    "left": Motion(
        ("{a} moves to the left", "{a} slides left"), "Moving [something] to the left", None, "right"
    ),
    "down": Motion(
        ("{a} moves down", "{a} sinks"),
        "Moving [something] down",
        lambda rng, frames: _shift(rng, frames, False),
        "up",
    ),
    "up": Motion(("{a} moves up", "{a} rises"), "Moving [something] up", None, "down"),
    "grow": Motion(("{a} grows", "{a} gets larger"), "[Something] growing", _grow, "shrink"),
    "shrink": Motion(("{a} shrinks", "{a} gets smaller"), "[Something] shrinking", None, "grow"),
    "clockwise": Motion(
        ("{a} turns clockwise", "{a} rotates clockwise"),
        "Turning [something] clockwise",
        _turn,
        "counterclockwise",
        turns=True,
    ),
    "counterclockwise": Motion(
        ("{a} turns counterclockwise", "{a} rotates counterclockwise"),
        "Turning [something] counterclockwise",
        None,
        "clockwise",
        turns=True,
    ),
    "appear": Motion(("{a} appears", "{a} comes into view"), "[Something] appearing", _appear, "vanish"),
    "vanish": Motion(("{a} vanishes", "{a} goes out of view"), "[Something] vanishing", None, "appear"),
    "approach": Motion(
        ("{a} moves towards {b}", "{a} approaches {b}"),
        "Moving [something] towards [something]",
        _approach,
        "part",
        2,
        named=(0, 1),
    ),
    "part": Motion(
        ("{a} moves away from {b}", "{a} leaves {b}"),
        "Moving [something] away from [something]",
        None,
        "approach",
        2,
        named=(0, 1),
    ),
    "cover": Motion(
        ("{a} covers {b}", "{a} slides over {b}"),
        "Covering [something] with [something]",
        _cover,
        "uncover",
        2,
        named=(1, 0),
    ),
    "uncover": Motion(
        ("{a} uncovers {b}", "{a} slides off {b}"), "Uncovering [something]", None, "cover", 2, named=(1,)
    ),
    "recolour": Motion(
        ("{shape} turns from {old} to {new}", "{shape} changes from {old} to {new}"),
        "[Something] changing its colour",
        _rest,
        looks=2,
    ),
    "swing": Motion(
        ("{a} swings from side to side", "{a} goes back and forth"),
        "[Something] swinging from side to side",
        _swing,
    ),
    "pulse": Motion(("{a} pulses", "{a} grows and shrinks in turn"), "[Something] pulsing", _pulse),
    "blink": Motion(("{a} blinks", "{a} flickers"), "[Something] blinking", _blink),
    "rest": Motion(("{a} stays still", "{a} rests"), "Holding [something] still", _rest),
}
